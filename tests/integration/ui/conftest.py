"""What the tests of pages share."""

from collections.abc import Iterator

import pytest

from lib.core.access import Role, acting
from lib.doctor.registry import REGISTRY


@pytest.fixture(autouse=True)
def _no_look_in_the_background(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A page begins a look of the doctor, which would see the next test's machine, too."""
    monkeypatch.setattr(REGISTRY, "_checks", lambda: ())
    yield
    if REGISTRY.is_looking():
        with acting(Role.OWNER):
            REGISTRY.look()
