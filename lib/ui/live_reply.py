"""Replies while they stream: one element that reads them from a socket of its own."""

import streamlit as st

from lib.ui.element import element

MODEL_AVATAR = ":material/sailing:"


def live_reply(conversation: str, reply: str, running: str) -> None:
    """The place where the conversation's replies appear as they come.

    `reply` is the one this page knows of, `running` the one it waits for; the page runs again when
    one is over.
    """
    st.html("<style>.st-key-live-message:not(:has(.berth-live)) { display: none }</style>")
    with st.container(key="live-message"), st.chat_message("assistant", avatar=MODEL_AVATAR):
        element("live_reply")(
            key="live",
            data={"conversation": conversation, "reply": reply, "running": running},
            on_over_change=lambda: None,
        )
