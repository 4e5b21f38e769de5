"""API keys: which there are, what each may do, and what was used of it; for the owner alone."""

from datetime import datetime
from typing import Literal

import streamlit as st

from lib.core import owner_key, words
from lib.core.access import Action, may
from lib.core.preferences import preferences
from lib.keys import spent, store
from lib.keys.key import Key, KeyChange
from lib.sharing import programs
from lib.ui import markdown
from lib.ui.keys import fields, made
from lib.ui.shell import shown_errors

CHANGING, DELETING = "keys_changing", "keys_deleting"  # the id of the key that is asked about
TOGGLE = "keys_needed_here"
MOST_ADDRESSES, MOST_MODELS = 3, 4
_Colour = Literal["green", "gray", "orange"]
BADGES: dict[str, _Colour] = {"Active": "green", "Disabled": "gray", "Expired": "orange"}


def section() -> None:
    """What there is, a form for one more, and whether programs on this machine need one."""
    if not may(Action.CONFIGURE):
        return
    st.header("API keys")
    st.caption(
        "With a key a program on another machine can use the models here, while Berth is shared, "
        "and nothing else. " + _here()
    )
    with shown_errors():
        made.section()
        keys = store.all_keys()
        _new(is_first=not keys)
        for key in keys:
            _row(key)
        _local()
        _wrong_keys()
        _deletion(keys)


def _here() -> str:
    if preferences().programs_need_key:
        return "Programs on this machine need one too."
    return "Programs on this machine need none."


def _row(key: Key) -> None:
    """One key: its name and state, what it may, what it has used, and what can be done."""
    state = _state(key)
    with st.container(border=True, key=f"row-key-{key.id}"):
        with st.container(horizontal=True, vertical_alignment="center"):
            with st.container(gap=None, width="stretch"):
                st.markdown(f"**{markdown.plain(key.name)}** :gray[`{key.hint}…`]")
                st.caption(markdown.plain(" · ".join(_facts(key))))
            with st.container(horizontal=True, vertical_alignment="center", width="content"):
                st.badge(state, color=BADGES[state])
                _buttons(key)
        if st.session_state.get(CHANGING) == key.id:
            _change(key)


def _state(key: Key) -> str:
    if key.is_disabled:
        return "Disabled"
    return "Expired" if key.is_expired() else "Active"


def _facts(key: Key) -> list[str]:
    used = spent.today(key.id)
    if not used.last_at:
        return [_models(key), _until(key), *_limits(key), "never used"]
    each = f", {key.per_minute:,} a minute" if key.per_minute else ""
    most = f" of {key.tokens_a_day:,}" if key.tokens_a_day else ""
    return [
        _models(key),
        _until(key),
        f"today {words.count(used.requests, 'request')}{each}",
        f"{used.tokens:,}{most} tokens",
        f"last used {words.ago(used.last_at)}",
    ]


def _limits(key: Key) -> list[str]:
    each = [f"{key.per_minute:,} requests a minute"] if key.per_minute else []
    return [*each, f"{key.tokens_a_day:,} tokens a day"] if key.tokens_a_day else each


def _models(key: Key) -> str:
    if key.models is None:
        return "All models"
    more = len(key.models) - MOST_MODELS
    return ", ".join(key.models[:MOST_MODELS]) + (f" and {more} more" if more > 0 else "")


def _until(key: Key) -> str:
    if key.expires_at is None:
        return "never expires"
    # The last moment before: a key ends with its day, and that is the day that was chosen.
    day = datetime.fromtimestamp(key.expires_at - 1)
    verb = "expired" if key.is_expired() else "expires"
    return f"{verb} at the end of {day.day} {day:%b %Y}"


def _buttons(key: Key) -> None:
    st.button(
        "Change",
        key=f"change-key-{key.id}",
        type="tertiary",
        on_click=_ask,
        args=(CHANGING, key.id),
    )
    if key.is_disabled:
        st.button(
            "Enable", key=f"enable-key-{key.id}", type="tertiary", on_click=_able, args=(key, False)
        )
        st.button(
            "Delete",
            key=f"delete-key-{key.id}",
            type="tertiary",
            icon=":material/delete:",
            on_click=_ask,
            args=(DELETING, key.id),
        )
    else:
        st.button(
            "Disable",
            key=f"disable-key-{key.id}",
            type="tertiary",
            icon=":material/key_off:",
            help="Ends at once what runs with it. It can be enabled again, or deleted then.",
            on_click=_able,
            args=(key, True),
        )


def _change(key: Key) -> None:
    with st.form(f"change_key_form_{key.id}", border=False):
        fields.draw(key)
        with st.container(horizontal=True):
            st.form_submit_button("Save", on_click=_save, args=(key,))
            st.form_submit_button("Cancel", on_click=_ask, args=(CHANGING, ""))


def _new(is_first: bool) -> None:
    """The form for one more; open where there is none yet."""
    with (
        st.expander("New key", icon=":material/add:", expanded=is_first, key="keys_new"),
        st.form("new_key_form", border=False),
    ):
        fields.draw()
        st.form_submit_button("Make the key", type="primary", on_click=_make)


def _local() -> None:
    st.toggle(
        "Programs on this machine need a key too",
        value=preferences().programs_need_key,
        key=TOGGLE,
        on_change=_choose,
        help="Otherwise any program of yours here can use the models; what it sends as a key is "
        "looked at only if it is one of these.",
    )


def _wrong_keys() -> None:
    """Somebody may be guessing, or has a key that is gone."""
    if found := programs.wrong_keys():
        often = sorted(found, key=lambda address: -found[address])[:MOST_ADDRESSES]
        told = ", ".join(f"{address} ({found[address]})" for address in often)
        number = sum(found.values())
        st.caption(f"Wrong keys in the last hour: {number}, from {markdown.plain(told)}.")


def _deletion(keys: list[Key]) -> None:
    asked = st.session_state.get(DELETING)
    if key := next((one for one in keys if one.id == asked), None):
        _confirm(key)


@st.dialog("Delete this key?", on_dismiss=lambda: _ask(DELETING, ""))
def _confirm(key: Key) -> None:
    st.markdown(
        f"**{markdown.plain(key.name)}** is forgotten for good: programs that have it can never "
        "use it again. What it has used stays in the figures."
    )
    with st.container(horizontal=True, horizontal_alignment="right"):
        if st.button("Keep it", key="keys_keep"):
            _ask(DELETING, "")
            st.rerun()
        if st.button("Delete the key", type="primary", key="keys_delete"):
            with shown_errors():
                store.delete(key.id)
                _ask(DELETING, "")
                st.rerun()


def _ask(what: str, key_id: str) -> None:
    """Open what asks about this key; "" closes it."""
    st.session_state[what] = key_id


def _make() -> None:
    with shown_errors():
        key, secret = store.create(fields.new())
        made.keep(key, secret)
        fields.clear()


def _save(key: Key) -> None:
    with shown_errors():
        store.change(key.id, fields.change(key))
        _ask(CHANGING, "")


def _able(key: Key, is_disabled: bool) -> None:
    with shown_errors():
        store.change(key.id, KeyChange(is_disabled=is_disabled))


def _choose() -> None:
    with shown_errors():
        owner_key.choose_for_programs(bool(st.session_state.get(TOGGLE)))
