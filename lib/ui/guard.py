"""On the System page: what keeps others on this machine out, and whether Berth asks for a key."""

import streamlit as st
from streamlit import config

from lib.core import owner_key
from lib.machine import peer_user
from lib.sharing import owner
from lib.sharing.owner import Guard
from lib.ui import markdown, models
from lib.ui.shell import shown_errors

TOGGLE = "owner_key_asked"


def section() -> None:
    """For the owner alone, as part of what is shared with whom."""
    now = owner.guard(config.get_option("server.port"))
    st.toggle(
        "Ask for a key on this machine too",
        value=now == Guard.KEY,
        key=TOGGLE,
        on_change=_choose,
        help="Whoever has the key is the owner then, and nobody else: for a machine that others "
        "use too, a forwarded port, or a proxy of your own.",
    )
    st.caption(_told(now))
    if now == Guard.KEY:
        _link(models.base_url())


def _told(now: Guard) -> str:
    if now == Guard.KEY:
        return "Only who has the key gets in. Pages that are open stay open until they load again."
    if now == Guard.USER:
        mine = markdown.plain(peer_user.name_of(peer_user.own()))
        return (
            f"Only programs of the user {mine} get in: the system says whose each connection is. "
            "A port that you forward yourself counts as yours."
        )
    return "Every user and program of this machine gets in: the system does not tell them apart."


def _link(address: str) -> None:
    link = owner_key.link(address)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption("Each browser opens this link once", width="content")
        st.link_button("Open it here", link, icon=":material/key:")
    st.code(link, language=None)
    st.caption(
        "Programs send what stands in the file `owner.key`, beside Berth's settings, as their API "
        "key."
    )


def _choose() -> None:
    with shown_errors():
        owner_key.choose(bool(st.session_state.get(TOGGLE)))
