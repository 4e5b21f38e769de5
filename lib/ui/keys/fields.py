"""The fields of a new key, and of one that is changed."""

from datetime import date, datetime, timedelta
from typing import Any

import streamlit as st

from lib.keys.key import LONGEST_KEY_NAME, Key, KeyChange, NewKey
from lib.ui import listing

NAMES = ("name", "until", "models", "per_minute", "tokens_a_day")
EMPTY: dict[str, Any] = {"name": "", "models": []}


def draw(key: Key | None = None) -> None:
    """Of a new key where none is given."""
    with st.container(horizontal=True):
        st.text_input(
            "Name",
            value=key.name if key else None,  # of what the session fills, nothing
            key=_field("name", key),
            placeholder="laptop",
            max_chars=LONGEST_KEY_NAME,
            width=220,
            autocomplete="off",
            help="Whose it is, or what for: figures, activity and the log call it so.",
        )
        _until(key)
        st.number_input(
            "Requests a minute",
            1,
            100_000,
            value=key.per_minute if key else None,
            key=_field("per_minute", key),
            placeholder="No limit",
            width=180,
        )
        st.number_input(
            "Tokens a day",
            1,
            10**12,
            value=key.tokens_a_day if key else None,
            step=1_000,
            key=_field("tokens_a_day", key),
            placeholder="No limit",
            width=180,
            help="Read and written, from midnight to midnight of this machine. A reply that has "
            "begun is written to its end.",
        )
    _models(key)


def new() -> NewKey:
    """What was chosen for a new one; pydantic's ValidationError where it cannot be."""
    return NewKey(**_chosen(None))


def change(key: Key) -> KeyChange:
    """What was chosen for this one."""
    return KeyChange(**_chosen(key))


def clear() -> None:
    """Empty the fields of the new one."""
    for name in NAMES:
        st.session_state[_field(name, None)] = EMPTY.get(name)


def _chosen(key: Key | None) -> dict[str, Any]:
    found = {name: st.session_state.get(_field(name, key)) for name in NAMES}
    day, models = found.pop("until"), found.pop("models")
    found["name"] = found["name"] or ""
    return {**found, "expires_at": _end_of(day) if day else None, "models": models or None}


def _until(key: Key | None) -> None:
    ends = key.expires_at if key else None
    today = date.today()
    day = datetime.fromtimestamp(ends - 1).date() if ends else None
    st.date_input(
        "Expires",
        day,
        min(today, day) if day else today,
        date(2199, 12, 31),
        key=_field("until", key),
        width=180,
        help="At the end of that day. Left empty, never.",
    )


def _models(key: Key | None) -> None:
    chosen = list(key.models or ()) if key else []
    known = [model.name for model in listing.models()]
    st.multiselect(
        "Models",
        list(dict.fromkeys([*known, *chosen])),
        default=chosen or None,
        placeholder="All models",
        key=_field("models", key),
        help="Left empty: all that there are, and those to come.",
    )


def _end_of(day: date) -> float:
    """Epoch seconds."""
    after = day + timedelta(days=1)
    return datetime(after.year, after.month, after.day).timestamp()


def _field(name: str, key: Key | None) -> str:
    return f"key_{name}_{key.id if key else 'new'}"
