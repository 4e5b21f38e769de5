"""How long a model stays in memory: pinned, stopped when nobody uses it, or put out for another."""

import streamlit as st

from lib.core import words
from lib.core.access import Action, may
from lib.core.preferences import preferences
from lib.engines import llamacpp
from lib.engines.base import Model, State
from lib.engines.llamacpp import measured
from lib.fleet import actions, rules
from lib.fleet.ledger import NoRoom
from lib.fleet.rules import Rule
from lib.ui.shell import shown_errors

AS_FOR_ALL = -1
USUAL_MINUTES = (0, 5, 15, 30, 60, 240, 1_440)


def fact(model: Model) -> str:
    """For the row: `pinned`, `stops after 30 min unused`, or nothing."""
    if model.engine != llamacpp.NAME:
        return ""
    rule = rules.of(model)
    if rule.is_pinned:
        return "pinned"
    minutes = rule.stops_after_minutes
    return f"stops after {_long(minutes)} unused" if minutes else ""


def panel(model: Model, key: str) -> None:
    """What its memory was and is, and what is decided about it."""
    if model.engine != llamacpp.NAME or not may(Action.CONFIGURE):
        return
    rule = rules.of(model)
    own = AS_FOR_ALL if rule.idle_minutes is None else rule.idle_minutes
    choices = sorted({AS_FOR_ALL, *USUAL_MINUTES, own})
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.toggle(
            "Pinned",
            value=rule.is_pinned,
            key=f"pin-{key}",
            help="Stays in memory: it is not stopped to make room, nor when nobody uses it.",
            on_change=_decide,
            args=(model, key),
        )
        st.selectbox(
            "When nobody uses it",
            choices,
            index=choices.index(own),
            format_func=described,
            key=f"idle-{key}",
            disabled=rule.is_pinned,
            on_change=_decide,
            args=(model, key),
            width=260,
        )
    if said := memory(model):
        st.caption(said)


def memory(model: Model) -> str:
    """What was expected, and what it took: the one beside the other."""
    found = measured.look(model.name) if model.engine == llamacpp.NAME else None
    if found is None:
        return ""
    does = "Takes up to" if model.state == State.READY else "When it last ran, it took up to"
    pages = f", of which {words.memory(found.of_files)} are its file's" if found.of_files else ""
    expected = f"{words.memory(found.expected)} were expected, with a full context"
    return f"{does} {words.memory(found.taken)} of memory{pages}; {expected}."


def make_room(model: Model, error: NoRoom, key: str) -> None:
    """The button that stops what is in the way, and starts this one."""
    label = f"Stop {words.listed(error.would_go)} and start it"
    st.button(
        label,
        icon=":material/swap_horiz:",
        key=f"room-{key}",
        on_click=_start_instead,
        args=(model, error),
    )


def _start_instead(model: Model, error: NoRoom) -> None:
    with shown_errors():
        actions.start_soon(model, error.options, instead_of=error.would_go)


def _decide(model: Model, key: str) -> None:
    pinned = bool(st.session_state.get(f"pin-{key}"))
    chosen = int(st.session_state.get(f"idle-{key}", AS_FOR_ALL))
    minutes = None if chosen == AS_FOR_ALL else chosen
    with shown_errors():
        rules.change(model, Rule(is_pinned=pinned, idle_minutes=minutes))


def described(minutes: int) -> str:
    """A choice in words."""
    if minutes == AS_FOR_ALL:
        usual = described(preferences().idle_minutes)
        return f"As for all: {usual[0].lower()}{usual[1:]}"
    return f"Stops after {_long(minutes)}" if minutes else "Keeps running"


def _long(minutes: int) -> str:
    return f"{minutes // 60} h" if minutes % 60 == 0 else f"{minutes} min"
