"""Callbacks meet a session without the state that they expect: after a restart, or by a script."""

import pytest
from streamlit.testing.v1 import AppTest

from lib.core.preferences import change, preferences


def elements() -> None:
    from lib.ui.elements import attach, history, message_bar

    attach._remember()
    message_bar._clicked("nothing", lambda told: None)
    history._hear(lambda event: None)


def sharing() -> None:
    from lib.ui.sharing import limits, section, ways

    limits._save_limits()
    section._choose_start()
    section._prolong()
    ways._save()


def servers_elsewhere() -> None:
    from lib.ui import addresses

    addresses._add()


SCRIPTS = [elements, sharing, servers_elsewhere]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.__name__)
def test_a_callback_without_its_state_does_no_harm(script: object) -> None:
    change(guests={**preferences().guests.model_dump(), "tokens_per_reply": 300})
    page = AppTest.from_function(script, default_timeout=30)  # type: ignore[arg-type]
    page.run()
    assert not page.exception
    assert preferences().guests.tokens_per_reply == 300
