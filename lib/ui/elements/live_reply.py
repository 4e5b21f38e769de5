"""Replies while they stream: one element that reads them from a socket of its own."""

from functools import partial

import streamlit as st

from lib.ui.elements.element import element
from lib.ui.elements.kept_reply import note_drawn

MODEL_AVATAR = ":material/sailing:"
HIDDEN_AT_FIRST = (  # until the script has come
    '<style>[class*="st-key-live-message"]:not(:has(.berth-live)) { display: none }</style>'
)


def live_reply(conversation: str, reply: str, running: str) -> None:
    """The place where the conversation's replies appear as they come.

    `reply` is the one this page knows of, `running` the one it waits for; the page runs again when
    one is over.
    """
    st.html(HIDDEN_AT_FIRST)
    with st.container(key="live-message"), st.chat_message("assistant", avatar=MODEL_AVATAR):
        _element("live", conversation, 0, reply, running)


def live_lane(conversation: str, lane: int, reply: str, running: str) -> None:
    """The same for one of several replies that are written side by side: its column, from 1."""
    with st.container(key=f"live-message-{lane}"):
        _element(f"live-{lane}", conversation, lane, reply, running)


def _element(key: str, conversation: str, lane: int, reply: str, running: str) -> None:
    element("live_reply")(
        key=key,
        data={"conversation": conversation, "lane": lane, "reply": reply, "running": running},
        on_over_change=partial(_over, key) if lane == 0 else lambda: None,
    )


def _over(key: str) -> None:
    """Answers side by side are drawn anew; what stands alone stays as it was drawn."""
    note_drawn((st.session_state.get(key) or {}).get("over"))
