"""What the tests of pages share."""

from collections.abc import Iterator

import pytest

from lib.core.access import Role, acting
from lib.doctor.registry import REGISTRY
from lib.fleet.adoption import ADOPTION


@pytest.fixture(autouse=True)
def _no_look_in_the_background(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A page begins a look of the doctor, which would see the next test's machine, too."""
    monkeypatch.setattr(REGISTRY, "_checks", lambda: ())
    monkeypatch.setattr(ADOPTION, "_places", lambda _own: ())  # nor what its owner has
    yield
    if ADOPTION.is_looking():
        with acting(Role.OWNER):
            ADOPTION.look()
    if REGISTRY.is_looking():
        with acting(Role.OWNER):
            REGISTRY.look()
