"""The question that has just been sent, until the page draws it itself."""

import streamlit as st

from lib.ui.elements.element import element

USER_AVATAR = ":material/person:"
HIDDEN_AT_FIRST = (  # until the script has come, which hides more than that
    "<style>.st-key-asked-message:not(:has(.berth-asked)) { display: none }</style>"
)


def asked(conversation: str, token: str, is_ready: bool, is_empty: bool) -> None:
    """Takes what is sent in the message box, draws it, and asks over the live reply's socket.

    With the page's `token`, empty where Streamlit has to do it; what comes while the page is not
    ready waits. `is_empty` where nothing has been said. The page runs again once the reply is on
    its way.
    """
    st.html(HIDDEN_AT_FIRST)
    with st.container(key="asked-message"), st.chat_message("user", avatar=USER_AVATAR):
        element("asked")(
            key="asked",
            data={
                "conversation": conversation,
                "token": token,
                "isReady": is_ready,
                "isEmpty": is_empty,
            },
            on_asked_change=lambda: None,
        )
