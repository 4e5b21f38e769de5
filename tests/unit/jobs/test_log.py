"""A log that stays small, and is read without reading all of it."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.core.redact import Redactor
from lib.jobs.log import Log, read_from, tail


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log"


def test_what_is_written_is_read(path: Path) -> None:
    log = Log(path, Redactor([]))
    log.write(b"first\nsec")
    assert read_from(path, 0) == ("first\n", 6)
    log.write(b"ond\n")
    assert read_from(path, 6) == ("second\n", 13)
    log.close()
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_secret_cut_in_two_does_not_reach_the_disk(path: Path) -> None:
    log = Log(path, Redactor([]))
    log.write(b"with hf_abcdefghijklmno")
    log.write(b"pqrstuvwxyz0123456789\n")
    log.close()
    assert path.read_text() == "with ***\n"


def test_a_line_without_end_is_complete_when_the_job_is_over(path: Path) -> None:
    log = Log(path, Redactor([]))
    log.write(b"no end")
    assert path.read_bytes() == b""
    log.close()
    assert path.read_bytes() == b"no end"


def test_a_log_that_grows_too_long_loses_its_middle_and_says_so(path: Path) -> None:
    log = Log(path, Redactor([]), limit_bytes=10_000)
    lines = [f"line {number:06}\n" for number in range(10_000)]
    for line in lines:
        log.write(line.encode())
        assert path.stat().st_size <= 10_000
    log.close()
    text = path.read_text()
    head, marker, end = text.partition("\n… ")[0], text.count("… "), text.rpartition("…\n\n")[2]
    assert head.splitlines() == [line.strip() for line in lines[: len(head.splitlines())]]
    assert marker == 1
    assert end.splitlines() == [line.strip() for line in lines[-len(end.splitlines()) :]]
    told = int(text.partition("… ")[2].partition(" bytes")[0].replace(",", ""))
    assert told + len(head) + len(end) == len("".join(lines))
    assert not path.with_name("log.part").exists()


def test_a_log_without_line_ends_stays_small_too(path: Path) -> None:
    log = Log(path, Redactor([]), limit_bytes=10_000)
    for _ in range(100):
        log.write(b"x" * 5_000)
    log.close()
    assert path.stat().st_size < 30_000


def test_a_full_disk_costs_lines_and_nothing_else() -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("this machine has no /dev/full")
    log = Log(full, Redactor([]))
    log.write(b"lost\n")
    log.close()


def test_a_carriage_return_draws_over_the_line(path: Path) -> None:
    path.write_bytes(b"start\n 10%\r 50%\r100%\nend\r\n")
    assert tail(path, 10) == "start\n100%\nend"


@pytest.mark.parametrize("lines", [1, 10, 500, 5_000])
def test_the_last_lines_of_a_long_log(path: Path, lines: int) -> None:
    whole = [f"{number:06} {'é' * 90}" for number in range(100_000)]
    path.write_text("\n".join(whole) + "\n")
    assert tail(path, lines) == "\n".join(whole[-lines:])


def test_reading_near_the_end_reads_little(path: Path) -> None:
    with path.open("wb") as file:  # a hole of 4 GB costs nothing on disk, and much if it were read
        file.seek(4_000_000_000)
        file.write(b"\nlast line\n")
    assert tail(path, 1) == "last line"
    assert read_from(path, 4_000_000_001) == ("last line\n", 4_000_000_011)


@pytest.mark.parametrize("offset", [-5, 0, 3, 7, 1_000_000])
def test_any_offset_can_be_asked_for(path: Path, offset: int) -> None:
    path.write_bytes("aé€😀\xff".encode("latin-1", "ignore") + b"\xff\n")
    _, after = read_from(path, offset)
    assert 0 <= after <= path.stat().st_size


def test_a_missing_log_is_empty(tmp_path: Path) -> None:
    assert tail(tmp_path / "no", 5) == ""
    assert read_from(tmp_path / "no", 5) == ("", 0)


def test_a_character_that_is_still_being_written_waits(path: Path) -> None:
    path.write_bytes("a€".encode()[:-1])
    assert read_from(path, 0) == ("a", 1)
    path.write_bytes("a€".encode())
    assert read_from(path, 1) == ("€", 4)


@settings(deadline=None)
@given(st.text(), st.integers(1, 7))
def test_following_a_growing_log_gives_its_whole_text(
    tmp_path_factory: pytest.TempPathFactory, text: str, step: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "growing-log"
    path.write_bytes(b"")  # the one file of all examples
    whole, found, offset = text.encode("utf-8", "replace"), "", 0
    for end in range(step, len(whole) + step, step):
        path.write_bytes(whole[:end])
        piece, offset = read_from(path, offset)
        found += piece
    piece, offset = read_from(path, offset)
    assert found + piece == whole.decode("utf-8")
