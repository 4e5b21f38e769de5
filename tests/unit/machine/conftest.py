"""A machine with graphics cards for the tests that say which: `@in_world("two-cards")`."""

from collections.abc import Iterator

import pytest

from tests.support.cards import CardWorld, living_in


@pytest.fixture
def world(request: pytest.FixtureRequest) -> Iterator[CardWorld]:
    with living_in(request.param) as found:
        yield found
