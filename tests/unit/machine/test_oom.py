"""Whether memory ran out is what the kernel counted."""

from pathlib import Path

import pytest

from lib.machine import oom


@pytest.mark.parametrize(
    ("before", "now", "said"),
    [(3, "oom_kill 3", False), (3, "oom_kill 4", True), (None, "oom_kill 4", None), (3, "", None)],
)
def test_what_the_kernel_counted_since_then(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    before: int | None,
    now: str,
    said: bool | None,
) -> None:
    counters = tmp_path / "vmstat"
    counters.write_text(f"nr_free_pages 7\n{now}\npgfault 9\n")
    monkeypatch.setattr(oom, "_VMSTAT", counters)
    assert oom.ran_out_since(before) is said


def test_a_system_that_counts_nothing_is_not_asked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(oom, "_VMSTAT", tmp_path / "missing")
    assert oom.memory_kills() is None
    assert oom.ran_out_since(3) is None
