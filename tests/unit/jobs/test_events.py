"""A job's own account, written by one process and read by another."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.jobs import events
from lib.jobs.events import (
    HEAD_BYTES,
    TAIL_BYTES,
    Event,
    PhaseState,
    Progress,
    emit,
    progress,
    read,
)


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "events.jsonl"
    monkeypatch.setenv(events.VARIABLE, str(path))
    return path


def test_what_is_told_can_be_read(file: Path) -> None:
    emit("download", done=5, total=10, note="from the Hub")
    emit("download", PhaseState.SUCCEEDED, done=10, total=10)
    first, second = read(file)
    assert (first.phase, first.state, first.done, first.note) == (
        "download",
        "running",
        5,
        "from the Hub",
    )
    assert (second.state, second.total) == ("succeeded", 10)
    assert second.at >= first.at
    assert file.stat().st_mode & 0o777 == 0o600


def test_without_a_file_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(events.VARIABLE, raising=False)
    emit("download")
    events.record_exit(3)
    assert list(tmp_path.rglob("*.jsonl")) == []


def test_a_file_that_cannot_be_written_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(events.VARIABLE, "/dev/null/events.jsonl")
    emit("download")
    events.record_exit(3)


def test_a_note_is_cut_and_holds_no_secret(file: Path) -> None:
    emit("download", note="with hf_" + "a" * 30 + " " + "x" * 10_000)
    (event,) = read(file)
    assert event.note.startswith("with *** xxx")
    assert len(event.note) == events.LONGEST_NOTE


def test_the_exit_code_is_left_beside_the_events(file: Path) -> None:
    events.record_exit(8)
    assert (file.parent / "exit_code.self").read_text() == "8\n"


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"not json",
        b"[]",
        b"null",
        b'{"at": 1}',
        b'{"at": NaN, "phase": "x"}',
        b'{"at": 1, "phase": ""}',
        b'{"at": 1, "phase": "x", "done": -1}',
        b'{"at": 1, "phase": "x", "total": 1e400}',
        b'{"at": 1, "phase": "x", "done": ' + b"9" * 10_000 + b"}",
        b'{"at": 1, "phase": "x", "note": "\xff"}',
        b'{"at": 1, "phase": "x"',
        b"[" * 100_000,
    ],
)
def test_an_odd_line_is_left_out(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(line + b'\n{"at": 2, "phase": "good"}\n')
    assert [event.phase for event in read(path)] == ["good"]


@pytest.mark.parametrize("name", ["missing", "."])
def test_no_file_is_no_progress(tmp_path: Path, name: str) -> None:
    assert read(tmp_path / name) == []
    assert progress([], 0.0) == Progress()


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_reading_never_fails(data: bytes) -> None:
    assert events._parsed(data) is None or isinstance(events._parsed(data), Event)


def test_of_a_long_file_the_beginning_and_the_end_are_read(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    lines = [json.dumps({"at": n, "phase": "download", "done": n}) for n in range(20_000)]
    path.write_text('{"at": 0, "phase": "plan"}\n' + "\n".join(lines) + "\n")
    found = read(path)
    assert found[0].phase == "plan"
    assert found[-1].done == 19_999
    assert len(found) * 40 < HEAD_BYTES + TAIL_BYTES
    assert [event.at for event in found] == sorted(event.at for event in found)


def running(at: float, done: int, total: int = 1000, phase: str = "download") -> Event:
    return Event(at=at, phase=phase, done=done, total=total)


def test_speed_and_time_left_come_from_the_last_seconds() -> None:
    found = progress([running(0, 0), running(100, 100), running(110, 300)], now=110)
    assert found.bytes_per_second == 20.0
    assert found.seconds_left == 35.0
    assert found.percent == 30.0


def test_what_was_there_before_a_resumed_download_counts_as_no_speed() -> None:
    assert progress([running(100, 900)], now=100).bytes_per_second is None
    found = progress([running(100, 900), running(102, 920)], now=102)
    assert found.bytes_per_second == 10.0


def test_a_download_that_stands_still_has_no_time_left() -> None:
    found = progress([running(0, 0), running(5, 500)], now=60)
    assert found.bytes_per_second == 0.0
    assert found.seconds_left is None


def test_a_phase_that_is_over_has_no_speed() -> None:
    over = Event(at=5, phase="download", state=PhaseState.SUCCEEDED, done=10, total=10)
    found = progress([running(0, 0), over], now=5)
    assert (found.percent, found.bytes_per_second, found.seconds_left) == (100.0, None, None)


def test_every_phase_is_listed_once_with_its_state() -> None:
    story = [
        Event(at=0, phase="plan"),
        running(1, 1),
        running(2, 2),
        Event(at=3, phase="start", state=PhaseState.FAILED),
    ]
    assert progress(story, 4).phases == (
        ("plan", "succeeded"),
        ("download", "succeeded"),
        ("start", "failed"),
    )


@settings(deadline=None)
@given(
    st.lists(
        st.builds(
            Event,
            at=st.floats(0, 1e9),
            phase=st.sampled_from(["download", "verify"]),
            done=st.integers(0, 2**62),
            total=st.integers(0, 2**62),
        ),
        min_size=1,
        max_size=20,
    ),
    st.floats(0, 1e9),
)
def test_within_a_phase_the_percentage_never_goes_back(story: list[Event], now: float) -> None:
    shown: dict[str, float] = {}
    for count in range(1, len(story) + 1):
        found = progress(story[:count], now)
        if found.percent is not None:
            assert shown.get(found.phase, 0.0) <= found.percent <= 100.0
            shown[found.phase] = found.percent
        assert found.seconds_left is None or found.seconds_left >= 0
