"""In the sidebar, while Berth is shared: that it is, with how many, and the way to stop it."""

from collections.abc import Callable

import streamlit as st

from lib.chat.leaving import end_work
from lib.core import words
from lib.core.access import Action, Role, current, may
from lib.core.errors import BerthError
from lib.sharing import listener
from lib.ui import markdown

CHAT = "pages/3_Chat.py"
# The other pages are the owner's; by their address a guest finds a sentence there.
MENU = (
    '<style>:root [data-testid="stSidebarNav"] li:not(:has(a[href$="/Chat"])) { display: none }'
    "</style>"
)


def line() -> None:
    """For the owner; nothing while nothing is shared."""
    share = listener.current() if may(Action.CONFIGURE) else None
    if share is None:
        return
    number = len(share.pages_by_login)
    who = words.count(number, "guest") if number else "nobody here"
    with st.container(horizontal=True, vertical_alignment="center", key="shared_line"):
        st.caption(f":material/wifi_tethering: Shared · {who}", width="content")
        st.button(
            "End sharing",
            type="tertiary",
            key="shared_stop",
            help="Guests' pages close, and they are told.",
            on_click=_stop,
        )


def guests_own(title: str) -> None:
    """For a guest: what this is, and the way out; the chat is the page that guests have."""
    if current().role != Role.GUEST:
        return
    if title == "Home":
        st.switch_page(CHAT)
    st.html(MENU)
    with st.container(horizontal=True, vertical_alignment="center", key="guest_line"):
        st.caption("You are a guest here.", width="content")
        st.button("Sign out", type="tertiary", key="guest_sign_out", on_click=_leave)


def privacy() -> str:
    """What becomes of what a guest writes, by the address that the guest's browser shows."""
    is_encrypted = str(st.context.url or "").startswith("https:")
    how = "encrypted" if is_encrypted else "unencrypted"
    return f"What you write goes there, {how}; its owner could read it, and it stays there a while."


def _stop() -> None:
    _told(listener.stop)


def _leave() -> None:
    login = current().who
    _told(lambda: listener.sign_out(login))
    end_work(login)


def _told(act: Callable[[], None]) -> None:
    try:
        act()
    except BerthError as error:
        st.error(markdown.error(error), icon=":material/error:")
