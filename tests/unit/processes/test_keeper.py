"""The keeper of an engine shortens its log while the engine writes to it."""

from pathlib import Path

from lib.processes import keeper


def test_a_log_that_grew_too_long_keeps_its_end_while_it_is_written(tmp_path: Path) -> None:
    log = tmp_path / "m.log"
    with log.open("ab", buffering=0) as writer:
        for number in range(keeper.LOG_LIMIT_BYTES // 100 + 1):
            writer.write(f"{number:099}\n".encode())
        keeper.shorten(log)
        writer.write(b"the last line\n")
    lines = log.read_text().splitlines()
    assert log.stat().st_size <= keeper.LOG_KEPT_BYTES + 14
    assert lines[-1] == "the last line"
    assert int(lines[-2]) == keeper.LOG_LIMIT_BYTES // 100
    assert len(lines[0]) == 99


def test_a_short_log_is_left_alone(tmp_path: Path) -> None:
    log = tmp_path / "m.log"
    log.write_text("one\ntwo\n")
    keeper.shorten(log)
    keeper.shorten(tmp_path / "missing.log")
    assert log.read_text() == "one\ntwo\n"
