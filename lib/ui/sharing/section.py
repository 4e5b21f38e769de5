"""Sharing with the network: the owner's switch on the System page, and what goes with it."""

import time

import streamlit as st

from lib.chat import attachments
from lib.core.access import Action, may
from lib.core.preferences import change, preferences
from lib.sharing import addresses, duration, guests, listener
from lib.sharing.duration import Lasting
from lib.sharing.share import Share
from lib.ui import guard, markdown
from lib.ui.sharing import limits, people, told, ways
from lib.ui.shell import shown_errors

REFRESH_SECONDS = 5.0
ENDS = "sharing_ends"
LASTING = {
    Lasting.ALWAYS: "When I stop it",
    Lasting.HOUR: "In an hour",
    Lasting.WORKDAY: "In 8 hours",
    Lasting.TODAY: "At midnight",
}


def section() -> None:
    """For the owner alone: switch, address, code, who is there, and what guests may ask for."""
    if not may(Action.CONFIGURE):
        return
    st.header("Sharing")
    with st.container(border=True, key="sharing"):
        if said := listener.problem():
            st.warning(markdown.plain(said), icon=":material/warning:")
        if share := listener.current():
            _shared(share)
        else:
            _not_shared()
        _at_start()
        guard.section()
    with st.expander("Encryption and proxy", icon=":material/lock:", key="sharing_ways"):
        ways.form()
    with st.expander("Limits for guests", icon=":material/tune:", key="sharing_limits"):
        limits.form()


def _not_shared() -> None:
    st.markdown(
        "Others in your network can chat with the models here, after they have typed an access "
        "code. They cannot deploy, start, stop or remove anything."
    )
    found = addresses.addresses()
    if not found:
        st.info("This machine is in no network now.", icon=":material/wifi_off:")
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        address = st.selectbox(
            "Address",
            found,
            format_func=told.address,
            key="sharing_address",
            width=260,
            help="The network in which others can open Berth. The wrong one does no harm: then "
            "they cannot open it.",
        )
        lasting = st.selectbox(
            "Ends", list(LASTING), format_func=LASTING.__getitem__, key="sharing_lasting", width=180
        )
        st.button(
            "Share",
            type="primary",
            icon=":material/share:",
            key="sharing_start",
            on_click=_start,
            args=(address, lasting),
        )
    st.caption(told.ways_chosen())


def _shared(share: Share) -> None:
    with st.container(horizontal=True, vertical_alignment="top", gap="medium"):
        with st.container(width=190):
            st.html(told.qr_code(share.url), width=180)
            st.caption("Scan to open it")
        with st.container(width="stretch", gap="small"):
            _state(share)
            st.caption("Guests open this address")
            st.code(share.url, language=None)
            st.caption("and type this access code")
            st.code(guests.access_code(), language=None)
            _buttons()
    told.certificate(share)
    people.present(share)
    people.wrong_codes()
    st.caption(told.way(share))


def _buttons() -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.button("Stop sharing", icon=":material/wifi_off:", key="sharing_stop", on_click=_stop)
        st.button(
            "New code",
            icon=":material/autorenew:",
            help="Ends what guests have open. They sign in again with the new code.",
            key="sharing_code",
            on_click=_change_code,
        )
        st.selectbox(
            "End it",
            list(LASTING),
            index=None,
            format_func=LASTING.__getitem__,
            placeholder="Another end",
            key=ENDS,
            on_change=_prolong,
            label_visibility="collapsed",
            width=170,
        )


@st.fragment(run_every=REFRESH_SECONDS)
def _state(share: Share) -> None:
    """How many look on, and for how long yet; once it is over, the whole page again."""
    if share is not listener.current():
        st.rerun()
    number = share.open_pages
    looking = f"{number} {'page' if number == 1 else 'pages'} open" if number else "nobody here yet"
    with st.container(horizontal=True, vertical_alignment="center"):
        st.badge("Shared", color="green")
        st.caption(f"{looking} · {duration.left(share.terms.until, time.time())}", width="content")


def _at_start() -> None:
    st.toggle(
        "Share whenever Berth starts",
        value=preferences().share_at_start,
        key="sharing_at_start",
        on_change=_choose_start,
        help="Also after you have stopped it. What is shared when Berth ends goes on when it "
        "starts again in any case, until its time is over.",
    )


def _start(address: str, lasting: Lasting) -> None:
    with shown_errors():
        listener.start(address, lasting)


def _stop() -> None:
    with shown_errors():
        listener.stop()


def _prolong() -> None:
    with shown_errors():
        if lasting := st.session_state.get(ENDS):
            listener.prolong(Lasting(lasting))
            st.session_state[ENDS] = None


def _change_code() -> None:
    with shown_errors():
        listener.change_code()
        attachments.forget_guests()


def _choose_start() -> None:
    with shown_errors():
        change(share_at_start=bool(st.session_state.get("sharing_at_start")))
