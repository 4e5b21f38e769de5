"""A home folder of this test's own, in which no client is."""

from pathlib import Path

import pytest

VARIABLES = (
    "CODEX_HOME",
    "CLAUDE_CONFIG_DIR",
    "XDG_CONFIG_HOME",
    "CONTINUE_GLOBAL_DIR",
    "LLM_USER_PATH",
)


@pytest.fixture(autouse=True)
def person(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home of whoever uses the machine."""
    folder = tmp_path / "person"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    return folder
