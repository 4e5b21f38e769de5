"""Sharing with the network: the owner's switch on the System page, and the limits for guests."""

import time
from html import escape

import streamlit as st

from lib.chat import attachments, replies
from lib.core import words
from lib.core.access import Action, may
from lib.core.preferences import GuestLimits, change, preferences
from lib.sharing import addresses, guests, listener
from lib.sharing.share import Share
from lib.ui import guard, listing, markdown
from lib.ui.shell import shown_errors

REFRESH_SECONDS = 5.0
MOST_ADDRESSES = 3
MOST_GUESTS = 20
SAVED, SAVED_SECONDS = "sharing_saved", 30.0  # when the limits were saved; so long it is said
LIMIT = "sharing_limit_"  # before the names of GuestLimits: the keys of their widgets
NUMBERS = {  # label, least and most
    "tokens_per_reply": ("Tokens per reply", 16, 1_000_000),
    "questions_per_minute": ("Questions a minute, each guest", 1, 1_000),
    "replies_each": ("Replies at a time, each guest", 1, 64),
    "replies_of_all": ("Replies at a time, all guests", 1, 256),
}
HELP = {
    "replies_each": "With two or more a guest may compare models that run, at most four; each "
    "answer counts as a question.",
}


def section() -> None:
    """For the owner alone: switch, address, code, and what guests may ask for."""
    if not may(Action.CONFIGURE):
        return
    st.subheader("Sharing")
    with st.container(border=True, key="sharing"):
        share = listener.current()
        if share:
            _shared(share)
        else:
            _not_shared()
        _at_start()
        guard.section()
    with st.expander("Limits for guests", icon=":material/tune:", key="sharing_limits"):
        _limits(preferences().guests)


def _not_shared() -> None:
    st.markdown(
        "Others in your network can chat with the models here, after they have typed an access "
        "code. They cannot deploy, start, stop or remove anything."
    )
    if said := listener.problem():
        st.warning(f"Sharing did not begin with Berth. {markdown.plain(said)}")
    found = addresses.addresses()
    if not found:
        st.info("This machine is in no network now.", icon=":material/wifi_off:")
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        address = st.selectbox(
            "Address",
            found,
            key="sharing_address",
            width=220,
            help="The network in which others can open Berth. The wrong one does no harm: then "
            "they cannot open it.",
        )
        st.button(
            "Share",
            type="primary",
            icon=":material/share:",
            key="sharing_start",
            on_click=_start,
            args=(address,),
        )


def _shared(share: Share) -> None:
    with st.container(horizontal=True, vertical_alignment="top", gap="medium"):
        with st.container(width=190):
            st.html(_qr_code(share.url), width=180)
            st.caption("Scan to open it")
        with st.container(width="stretch", gap="small"):
            _pages(share)
            st.caption("Guests open this address")
            st.code(share.url, language=None)
            st.caption("and type this access code")
            st.code(guests.access_code(), language=None)
            with st.container(horizontal=True):
                st.button(
                    "Stop sharing",
                    icon=":material/wifi_off:",
                    key="sharing_stop",
                    on_click=_stop,
                )
                st.button(
                    "New code",
                    icon=":material/autorenew:",
                    help="Ends what guests have open. They sign in again with the new code.",
                    key="sharing_code",
                    on_click=_change_code,
                )
    _signed_in()
    _wrong_codes()
    st.caption(
        "The connection is not encrypted: share in networks that you trust. If guests cannot "
        f"open it, the firewall of this machine has to let port {share.port} in."
    )


@st.fragment(run_every=REFRESH_SECONDS)
def _signed_in() -> None:
    """Each guest who came since Berth began, with a way to end that visit."""
    found = guests.signed_in()
    for guest in found[:MOST_GUESTS]:
        with st.container(horizontal=True, vertical_alignment="center", key=f"guest-{guest.id}"):
            question = f"last question {words.ago(guest.asked_at)}" if guest.asked_at else ""
            told = (guest.address, f"signed in {words.ago(guest.since)}", question)
            st.caption(markdown.plain(" · ".join(filter(None, told))))
            st.button(
                "Put out",
                icon=":material/person_remove:",
                type="tertiary",
                help="Ends what this guest has open. Nobody signs in from that address for an "
                "hour; a new code keeps a guest out for longer.",
                key=f"sharing_out_{guest.id}",
                on_click=_put_out,
                args=(guest.id,),
            )
    if len(found) > MOST_GUESTS:
        st.caption(f"And {len(found) - MOST_GUESTS} more.")


def _wrong_codes() -> None:
    """Somebody may be guessing."""
    found = guests.wrong_codes()
    if not found:
        return
    often = sorted(found, key=lambda address: -found[address])[:MOST_ADDRESSES]
    told = ", ".join(f"{markdown.plain(address)} ({found[address]})" for address in often)
    st.caption(f"Wrong codes in the last hour: {sum(found.values())}, from {told}.")


@st.fragment(run_every=REFRESH_SECONDS)
def _pages(share: Share) -> None:
    number = share.open_pages
    looking = f"{number} {'page' if number == 1 else 'pages'} open" if number else "nobody here yet"
    with st.container(horizontal=True, vertical_alignment="center"):
        st.badge("Shared", color="green")
        st.caption(looking, width="content")


def _at_start() -> None:
    st.toggle(
        "Share whenever Berth runs",
        value=preferences().share_at_start,
        key="sharing_at_start",
        on_change=_choose_start,
        help="Otherwise sharing ends with Berth, and is switched on here again.",
    )


def _qr_code(url: str) -> str:
    """As a picture with a name; white in both themes, as scanners expect dark on light.

    As an address of data: of an SVG that stands in the text itself, `st.html` leaves nothing.
    """
    import segno  # 50 ms, for this section alone

    drawn = segno.make_qr(url, error="m").svg_data_uri(border=3, light="white", scale=5)
    return f'<img alt="QR code of the address for guests" width="180" src="{escape(drawn)}">'


def _limits(now: GuestLimits) -> None:
    st.caption("Guests from one address count as one, however often they sign in.")
    with st.form("sharing_limits_form", border=False):
        with st.container(horizontal=True):
            for name, (label, least, most) in NUMBERS.items():
                st.number_input(
                    label,
                    least,
                    most,
                    getattr(now, name),
                    width=300,
                    key=f"{LIMIT}{name}",
                    help=HELP.get(name),
                )
        known = [model.key for model in listing.models()]
        st.multiselect(
            "Models",
            list(dict.fromkeys([*known, *now.models])),
            default=now.models,
            format_func=lambda key: key.partition("/")[2],
            placeholder="All that run on this machine",
            key=f"{LIMIT}models",
        )
        st.checkbox(
            "Guests may load a model that does not run, by asking it",
            value=now.may_load,
            key=f"{LIMIT}may_load",
        )
        st.form_submit_button("Save the limits", on_click=_save_limits)
    if time.monotonic() < st.session_state.get(SAVED, 0.0) + SAVED_SECONDS:
        st.caption(":green[:material/check:] The limits hold from the next question on.")


def _save_limits() -> None:
    with shown_errors():
        fields = {name: f"{LIMIT}{name}" for name in GuestLimits.model_fields}
        told = {
            name: st.session_state[key] for name, key in fields.items() if key in st.session_state
        }
        change(guests={**preferences().guests.model_dump(), **told})
        st.session_state[SAVED] = time.monotonic()


def _start(address: str) -> None:
    with shown_errors():
        listener.start(address)


def _stop() -> None:
    with shown_errors():
        listener.stop()
        attachments.forget_guests()


def _put_out(login: str) -> None:
    with shown_errors():
        listener.put_out(login)
        replies.stop_all(replies.under_way(login))
        attachments.forget_guests(login)


def _change_code() -> None:
    with shown_errors():
        listener.change_code()
        attachments.forget_guests()


def _choose_start() -> None:
    with shown_errors():
        change(share_at_start=bool(st.session_state.get("sharing_at_start")))
