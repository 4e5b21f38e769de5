"""What holds for programs, on the settings page: starting models, waiting, steady prompts."""

from collections.abc import Callable

import streamlit as st

from lib.core import preferences
from lib.core.words import count
from lib.ui.shell import shown_errors

STARTS, MAKES_ROOM = "settings_starts_on_demand", "settings_makes_room_on_demand"
STEADY = "settings_steady_prompts"
AT_ONCE, WAITING = "settings_requests_at_once", "settings_requests_waiting"
USUAL_AT_ONCE = (0, 1, 2, 4, 8, 16, 32)
USUAL_WAITING = (0, 8, 16, 64, 256, 1_000)


def section() -> None:
    """Three switches and two numbers, each saved by itself."""
    now = preferences.preferences()
    st.header("Programs")
    st.caption("What holds for programs that ask models over /v1.")
    st.toggle(
        "Programs may start a model that is stopped",
        value=now.starts_on_demand,
        key=STARTS,
        on_change=_save,
        args=("starts_on_demand", STARTS),
        help="When a program names a model that does not run, it is loaded while the program "
        "waits, if there is memory for it. Not outside the hours that a model has, and not one "
        "that failed.",
    )
    st.toggle(
        "For it, stop models that nobody uses",
        value=now.makes_room_on_demand,
        key=MAKES_ROOM,
        on_change=_save,
        args=("makes_room_on_demand", MAKES_ROOM),
        disabled=not now.starts_on_demand,
        help="Where memory is short: those that were not used for longest go first. Never one "
        "that is answering or pinned.",
    )
    with st.container(horizontal=True):
        _number("Requests at a time", now.requests_at_once, USUAL_AT_ONCE, AT_ONCE, _at_once)
        _number("Requests that may wait", now.requests_waiting, USUAL_WAITING, WAITING, _waiting)
    st.caption(
        "Of each model. The others wait for their turn; more than may wait are told when to come "
        "again."
    )
    st.toggle(
        "Keep the beginning of prompts the same",
        value=now.steady_prompts,
        key=STEADY,
        on_change=_save,
        args=("steady_prompts", STEADY),
        help="Coding agents put a number of their own, or the time, at the front of a long system "
        "prompt. It changes every time, and a model would have to read all of it anew in each "
        "turn. The number is left out, the time goes to the end of the last message; the answer's "
        "header Berth-Note says so.",
    )


def _number(
    label: str, now: int, usual: tuple[int, ...], key: str, words: Callable[[int], str]
) -> None:
    choices = sorted({*usual, now})
    st.selectbox(
        label,
        choices,
        index=choices.index(now),
        format_func=words,
        key=key,
        on_change=_save,
        args=(key.removeprefix("settings_"), key),
        width=320,
    )


def _at_once(number: int) -> str:
    return count(number, "request") if number else "As many as its engine answers"


def _waiting(number: int) -> str:
    return count(number, "request") if number else "None"


def _save(name: str, key: str) -> None:
    with shown_errors():
        preferences.change(**{name: st.session_state[key]})
