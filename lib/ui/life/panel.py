"""When a model comes into memory and when it leaves it, and how it is loaded."""

import streamlit as st

from lib.core import words
from lib.core.access import Action, may
from lib.core.preferences import preferences
from lib.engines import llamacpp, ollama
from lib.engines.base import Model, State
from lib.engines.llamacpp import measured
from lib.fleet import actions, rules
from lib.fleet.ledger import NoRoom
from lib.fleet.rules import Rule
from lib.ui import markdown
from lib.ui.life import ends, fields, hours, variants
from lib.ui.shell import shown_errors

AS_FOR_ALL = -1
USUAL_MINUTES = (0, 5, 15, 30, 60, 240, 1_440)


def fact(model: Model) -> str:
    """For the row: `pinned`, `stops after 30 min unused`, `08:00 to 18:00 every day`; Markdown."""
    rule = rules.of(model)
    minutes = rule.stops_after_minutes if model.engine == llamacpp.NAME else 0
    parts = (
        "pinned" if rule.is_pinned else "",
        f"stops after {_long(minutes)} unused" if minutes else "",
        rule.hours.words if rule.hours else "",
        "starts with the machine" if rule.starts_at_boot else "",
        ends.fact(model),
    )
    return " · ".join(part for part in parts if part)


def panel(model: Model, key: str) -> None:
    """What its memory was and is, how it is loaded, and what is decided about it."""
    if model.engine not in (llamacpp.NAME, ollama.ENGINE.name) or not may(Action.CONFIGURE):
        return
    rule = rules.of(model)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        if model.engine == llamacpp.NAME:
            _pinned(model, rule, key)
        st.toggle(
            "Start with the machine",
            key=fields.shows(f"boot-{key}", rule.starts_at_boot),
            help="Loaded when Berth starts for the first time after the machine has. "
            "Whether Berth itself starts by then is set on the Settings page.",
            on_change=_start_at_boot,
            args=(model, key),
        )
        if model.engine == llamacpp.NAME:
            _idle(model, rule, key)
        hours.choice(model, rule, key)
    if model.engine == llamacpp.NAME:
        if said := memory(model):
            st.caption(said)
        variants.section(model, key)
        ends.section(model, key)


def _pinned(model: Model, rule: Rule, key: str) -> None:
    st.toggle(
        "Pinned",
        key=fields.shows(f"pin-{key}", rule.is_pinned),
        help="Stays in memory: it is not stopped to make room, nor when nobody uses it, "
        "nor at the end of its hours.",
        on_change=_pin,
        args=(model, key),
    )


def _idle(model: Model, rule: Rule, key: str) -> None:
    own = _own_minutes(rule)
    st.selectbox(
        "When nobody uses it",
        sorted({AS_FOR_ALL, *USUAL_MINUTES, own}),
        format_func=described,
        key=fields.shows(f"idle-{key}", own),
        disabled=rule.is_pinned,
        on_change=_stop_unused,
        args=(model, key),
        width=260,
    )


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
    label = f"Stop {words.listed([markdown.label(name) for name in error.would_go])} and start it"
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


def _pin(model: Model, key: str) -> None:
    _decide(model, is_pinned=bool(st.session_state[f"pin-{key}"]))


def _start_at_boot(model: Model, key: str) -> None:
    _decide(model, starts_at_boot=bool(st.session_state[f"boot-{key}"]))


def _stop_unused(model: Model, key: str) -> None:
    chosen = int(st.session_state[f"idle-{key}"])
    _decide(model, idle_minutes=None if chosen == AS_FOR_ALL else chosen)


def _decide(model: Model, **decided: bool | int | None) -> None:
    """This one alone: the rest stays as it is on disk, where another tab may have been."""
    with shown_errors():
        rules.update(model, **decided)


def _own_minutes(rule: Rule) -> int:
    return AS_FOR_ALL if rule.idle_minutes is None else rule.idle_minutes


def described(minutes: int) -> str:
    """A choice in words."""
    if minutes == AS_FOR_ALL:
        usual = described(preferences().idle_minutes)
        return f"As for all: {usual[0].lower()}{usual[1:]}"
    return f"Stops after {_long(minutes)}" if minutes else "Keeps running"


def _long(minutes: int) -> str:
    return f"{minutes // 60} h" if minutes % 60 == 0 else f"{minutes} min"
