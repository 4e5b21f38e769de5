"""What the tests of pages share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from lib.core.access import Role, acting
from lib.doctor.registry import REGISTRY
from lib.fleet.adoption import ADOPTION


@pytest.fixture(autouse=True)
def _no_look_in_the_background(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """A page begins a look of the doctor, which would see the next test's machine, too."""
    monkeypatch.setattr(REGISTRY, "_checks", lambda: ())
    for name in ("CODEX_HOME", "CLAUDE_CONFIG_DIR", "CONTINUE_GLOBAL_DIR"):  # nor what agents have
        monkeypatch.setenv(name, str(tmp_path / "nobody" / name))
    monkeypatch.setattr(ADOPTION, "_places", lambda _own: ())  # nor what its owner has
    yield
    if ADOPTION.is_looking():
        with acting(Role.OWNER):
            ADOPTION.look()
    if REGISTRY.is_looking():
        with acting(Role.OWNER):
            REGISTRY.look()
