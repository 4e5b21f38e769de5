"""One server for all tests of a file: they tell its story in order."""

from collections.abc import Iterator

import pytest

from tests.support.slot_box import SlotBox, slot_box


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SlotBox]:
    """A GPU server in a box, empty at first."""
    with slot_box(tmp_path_factory.mktemp("box") / "server") as running:
        yield running
