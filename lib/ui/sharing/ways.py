"""By which way guests come: encrypted with what, and through whose proxy."""

import time
from pathlib import Path

import streamlit as st

from lib.core.preferences import change, preferences
from lib.sharing import certificates, forwarded, listener
from lib.ui.shell import shown_errors

KEY = "sharing_way_"
SAVED, SAVED_SECONDS = "sharing_way_saved", 30.0
ENCRYPTION = {
    "none": "None",
    "berth": "A certificate that Berth makes",
    "own": "A certificate of mine",
}
EXAMPLES = "docs/sharing.md shows a Caddyfile and an nginx snippet."


def form() -> None:
    """For the owner; what is saved holds when sharing next begins."""
    now = preferences()
    chosen = st.radio(
        "Encryption",
        list(ENCRYPTION),
        index=list(ENCRYPTION).index(now.share_encryption),
        format_func=ENCRYPTION.__getitem__,
        captions=[
            "Whoever listens in the network can read along.",
            "Browsers warn once, as no authority knows it; its fingerprint is shown to compare.",
            "For a name that you own, with the key beside it.",
        ],
        key=f"{KEY}encryption",
    )
    if chosen == "own":
        _paths()
    _proxy()
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button("Save", key=f"{KEY}save", on_click=_save)
        if time.monotonic() < st.session_state.get(SAVED, 0.0) + SAVED_SECONDS:
            when = "when you share next" if listener.current() else "now"
            st.caption(f":green[:material/check:] Saved. It holds {when}.", width="content")


def _paths() -> None:
    now = preferences()
    with st.container(horizontal=True):
        st.text_input(
            "Certificate",
            now.share_certificate,
            placeholder="/etc/letsencrypt/live/berth.example.com/fullchain.pem",
            key=f"{KEY}certificate",
            help="A PEM file, with the issuers' certificates after it. A renewed one is taken "
            "within an hour.",
        )
        st.text_input(
            "Its key",
            now.share_key,
            placeholder="/etc/letsencrypt/live/berth.example.com/privkey.pem",
            key=f"{KEY}key",
            help="A PEM file without a passphrase, which Berth's user may read.",
        )


def _proxy() -> None:
    now = preferences()
    with st.container(horizontal=True):
        st.text_input(
            "Your proxy's address",
            ", ".join(now.trusted_proxies),
            width=200,
            placeholder="None, or 127.0.0.1",
            key=f"{KEY}proxies",
            help="Caddy or nginx before Berth. From this address alone Berth believes for whom it "
            f"asks; whoever comes through it is a guest, never the owner. {EXAMPLES}",
        )
        st.text_input(
            "Where it answers",
            now.share_public,
            width=320,
            placeholder="https://berth.example.com",
            key=f"{KEY}public",
            help="The address that guests open.",
        )
        st.number_input(
            "Port",
            0,
            65_535,
            now.share_port,
            key=f"{KEY}port",
            width=150,
            help="On which Berth listens for guests; 0 takes Berth's own, or the next free one.",
        )


def _save() -> None:
    with shown_errors():
        state, now = st.session_state, preferences()
        peers = str(state.get(f"{KEY}proxies", ", ".join(now.trusted_proxies)))
        told = {
            "share_encryption": state.get(f"{KEY}encryption", now.share_encryption),
            "share_certificate": state.get(f"{KEY}certificate", now.share_certificate).strip(),
            "share_key": state.get(f"{KEY}key", now.share_key).strip(),
            "trusted_proxies": [one for one in peers.replace(",", " ").split() if one],
            "share_public": state.get(f"{KEY}public", now.share_public).strip(),
            "share_port": int(state.get(f"{KEY}port", now.share_port)),
        }
        _check(told)
        change(**told)
        state[SAVED] = time.monotonic()


def _check(told: dict[str, object]) -> None:
    """BadInput before anything is kept that could not be used."""
    wanted = preferences().model_copy(update=told)
    forwarded.checked(wanted)
    if wanted.share_encryption == "own":
        files = [Path(one).expanduser() for one in (wanted.share_certificate, wanted.share_key)]
        certificates.read(files[0], files[1])
