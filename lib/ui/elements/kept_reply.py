"""Replies that the browser has drawn live already: their message takes over what it has."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import streamlit as st

from lib.ui.elements.element import element

MOST_KEPT = 40  # the newest; the browser's script keeps as many


def drawn_blocks() -> dict[str, int]:
    """The replies that this page's window says it has drawn, and of how many blocks each is."""
    found: dict[str, int] = st.session_state.setdefault("chat_drawn", {})
    return found


def note_drawn(told: object) -> None:
    """Remember what the live element has told at a reply's end."""
    match told:
        case {"id": str(reply_id), "blocks": int(blocks)}:
            drawn = drawn_blocks()
            drawn.pop(reply_id, None)
            drawn[reply_id] = blocks
            for old in list(drawn)[:-MOST_KEPT]:
                del drawn[old]


def kept_reply(
    reply_id: str, first: int, last: int, count: int, with_thought: bool = False
) -> None:
    """The blocks `first` to `last` of a reply of `count` blocks, and what was thought before.

    A window that does not know the reply tells so; the next run has to draw it otherwise.
    """
    key = f"kept-{reply_id}-{first}"
    where = {"id": reply_id, "first": first, "last": last}
    element("kept_reply", is_repeated=True)(
        key=key,
        data={**where, "count": count, "withThought": with_thought},
        on_missing_change=partial(_forget, key),
    )


def _forget(key: str) -> None:
    told: Mapping[str, Any] = st.session_state.get(key) or {}
    drawn_blocks().pop(str(told.get("missing")), None)
