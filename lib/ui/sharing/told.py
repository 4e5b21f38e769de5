"""What is said of how Berth is shared: address, encryption, who is in between."""

import time
from datetime import datetime
from html import escape

import streamlit as st

from lib.core.preferences import preferences
from lib.sharing import addresses
from lib.sharing.own_certificate import RENEWED_SECONDS
from lib.sharing.share import Share

FIREWALL = "If guests cannot open it, the firewall of this machine has to let port {port} in."


def address(one: str) -> str:
    """An address to choose, with what is particular about it."""
    if one in addresses.OWN:
        return f"{one} · for a proxy here"
    return f"{one} · the internet too" if addresses.is_global(one) else one


def ways_chosen() -> str:
    """What will hold; below the button that shares."""
    known = {"berth": "Berth's own certificate", "own": "your certificate"}
    with_what = known.get(preferences().share_encryption)
    told = f"Encrypted with {with_what}." if with_what else "Not encrypted."
    behind = " Guests come through your proxy." if preferences().trusted_proxies else ""
    return f"{told}{behind} That is chosen below, under “Encryption and proxy”."


def way(share: Share) -> str:
    """The same of what is shared now, and what to look at where nobody can open it."""
    told = [FIREWALL.format(port=share.port)]
    if not share.url.startswith("https"):
        told.insert(0, "The connection is not encrypted: share in networks that you trust.")
    if share.terms.proxy.peers:
        told = [f"Your proxy asks {share.own_url} for its guests.", *told[:-1]]
    elif addresses.is_global(share.address):
        told.append("The internet reaches this address, unless a firewall keeps it out.")
    return " ".join(told)


def certificate(share: Share) -> None:
    """How guests can be sure that they have opened this machine."""
    found = share.terms.certificate
    if found is None:
        return
    ends = datetime.fromtimestamp(found.ends_at)
    st.caption(
        "The connection is encrypted. A browser warns where it does not know the certificate: it "
        "is the right one if its SHA-256 fingerprint is this."
    )
    st.code(found.fingerprint, language=None, wrap_lines=True)
    st.caption(f"It holds until {ends.day} {ends:%B %Y}.")
    if preferences().share_encryption == "own" and found.ends_at < time.time() + RENEWED_SECONDS:
        st.warning("Your certificate ends soon. A new one at the same place is taken by itself.")


def qr_code(url: str) -> str:
    """As a picture with a name; white in both themes, as scanners expect dark on light.

    As an address of data: of an SVG that stands in the text itself, `st.html` leaves nothing.
    """
    import segno  # 50 ms, for this section alone

    drawn = segno.make_qr(url, error="m").svg_data_uri(border=3, light="white", scale=5)
    return f'<img alt="QR code of the address for guests" width="180" src="{escape(drawn)}">'
