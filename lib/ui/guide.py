"""First steps: what a new Berth has done already, and the way to what comes next.

Each tick is a fact. When all are there, or the owner has seen enough, it never comes again.
"""

import contextlib
from collections.abc import Callable
from typing import NamedTuple

import streamlit as st

from lib.core import preferences
from lib.core.access import BERTH, Action, may
from lib.core.activity import GUEST
from lib.core.errors import BerthError
from lib.fleet import served
from lib.ui import models
from lib.ui.session import has_seen_first_steps, see_first_steps
from lib.ui.shell import shown_errors

DONE, AHEAD = ":green[:material/check_circle:]", ":gray[:material/radio_button_unchecked:]"


class Step(NamedTuple):
    """One of them; `way` draws what leads there."""

    said: str
    is_done: bool
    way: Callable[[], None]


def section(has_models: bool) -> None:
    """For the owner alone, as long as something is missing."""
    if not may(Action.CONFIGURE) or preferences.preferences().guide_is_over:
        return
    steps = _steps(has_models)
    ahead = [step for step in steps if not step.is_done]
    if not ahead and not has_seen_first_steps():
        _remember()
        return
    see_first_steps()
    with st.container(border=True, key="guide", gap="xsmall"):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown("**First steps**", width="stretch")
            label = "Dismiss" if ahead else "Close"
            st.button(label, key="guide_end", type="tertiary", on_click=_end)
        with st.container(horizontal=True):
            for step in steps:
                mark = DONE if step.is_done else AHEAD
                st.markdown(f"{mark} {step.said}", width="content")
        if ahead:
            ahead[0].way()


def _steps(has_models: bool) -> list[Step]:
    asked = served.asked_by()
    return [
        Step("Berth runs", True, _nothing),
        Step("A model is here", has_models, _nothing),
        Step("You have asked it something", any(map(_is_a_person, asked)), _to_chat),
        Step("A program has asked it", any(map(_is_a_program, asked)), _to_the_address),
    ]


def _is_a_person(who: str) -> bool:
    return not who or who.startswith(GUEST)


def _is_a_program(who: str) -> bool:
    """With a key, by whose name it is told, or without."""
    return not _is_a_person(who) and who != BERTH


def _nothing() -> None:
    """Berth runs already, and without a model the page itself is the way to one."""


def _to_chat() -> None:
    st.page_link("pages/3_Chat.py", label="Ask it something", icon=":material/arrow_forward:")


def _to_the_address() -> None:
    st.caption("Programs that speak OpenAI's dialect ask it here.")
    st.code(f"{models.base_url()}/v1", language=None)


def _remember() -> None:
    """Whoever has done all that before needs no guide. A file that is broken is left as it is."""
    if not preferences.problem():
        with contextlib.suppress(BerthError, OSError):  # next time, then
            preferences.change(guide_is_over=True)


def _end() -> None:
    with shown_errors():
        preferences.change(guide_is_over=True)
