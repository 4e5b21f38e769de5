"""In the sidebar, while Berth is shared: that it is, with how many, and the way to stop it."""

from collections.abc import Callable

import streamlit as st

from lib.chat.leaving import end_work
from lib.core import words
from lib.core.access import Action, Role, current, may
from lib.core.errors import BerthError
from lib.sharing import listener
from lib.ui import markdown


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


def guests_own() -> None:
    """For a guest: what this is, and the way out."""
    if current().role != Role.GUEST:
        return
    with st.container(horizontal=True, vertical_alignment="center", key="guest_line"):
        st.caption("You are a guest here.", width="content")
        st.button("Sign out", type="tertiary", key="guest_sign_out", on_click=_leave)


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
