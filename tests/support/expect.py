"""What several test files expect in the same way."""

from collections.abc import Callable

import pytest

from lib.core.errors import BerthError


def expect_failure(code: str, act: Callable[[], object]) -> BerthError:
    """The error that `act` raises: of this code, a sentence, and what to do next."""
    with pytest.raises(BerthError) as caught:
        act()
    assert caught.value.code == code
    assert caught.value.message.endswith(".")
    assert caught.value.fix
    return caught.value
