"""Who is signed in, what each does, and the ways to end that."""

import streamlit as st

from lib.chat import replies
from lib.chat.leaving import end_work
from lib.core import words
from lib.sharing import guests, listener
from lib.sharing.logins import Login
from lib.sharing.share import Share
from lib.ui import markdown
from lib.ui.shell import shown_errors

REFRESH_SECONDS = 5.0
MOST_ADDRESSES = 3
MOST_GUESTS = 20


@st.fragment(run_every=REFRESH_SECONDS)
def present(share: Share) -> None:
    """Each guest who came since Berth began, with the ways to end that visit."""
    found, pages = guests.signed_in(), share.pages_by_login
    for guest in found[:MOST_GUESTS]:
        with st.container(horizontal=True, vertical_alignment="center", key=f"guest-{guest.id}"):
            st.markdown(f"**{markdown.plain(guest.name or 'A guest')}**", width="content")
            st.caption(markdown.plain(_doing(guest, pages[guest.id])), width="stretch")
            _ways_out(guest)
    if len(found) > MOST_GUESTS:
        st.caption(f"And {len(found) - MOST_GUESTS} more.")


def _doing(guest: Login, pages: int) -> str:
    """`192.168.1.7 · here now · asks qwen3 · signed in 2 min ago`."""
    asking = sorted({reply.request.model for reply in replies.under_way(guest.id)})
    last = f"last question {words.ago(guest.asked_at)}" if guest.asked_at else ""
    told = (
        guest.address,
        "here now" if pages else f"last seen {words.ago(guest.seen_at)}",
        f"asks {words.listed(asking)}" if asking else last,
        f"signed in {words.ago(guest.since)}",
    )
    return " · ".join(filter(None, told))


def _ways_out(guest: Login) -> None:
    name = guest.name or "this guest"
    st.button(
        "Sign out",
        icon=":material/logout:",
        type="tertiary",
        help=markdown.plain(f"Ends what {name} has open. Who has the code can sign in again."),
        key=f"sharing_sign_out_{guest.id}",
        on_click=_sign_out,
        args=(guest.id,),
    )
    st.button(
        "Put out",
        icon=":material/person_remove:",
        type="tertiary",
        help=markdown.plain(
            f"Ends what {name} has open, and nobody signs in from that address for an hour; a new "
            "code keeps a guest out for longer."
        ),
        key=f"sharing_out_{guest.id}",
        on_click=_put_out,
        args=(guest.id,),
    )


def wrong_codes() -> None:
    """Somebody may be guessing."""
    found = guests.wrong_codes()
    if not found:
        return
    often = sorted(found, key=lambda address: -found[address])[:MOST_ADDRESSES]
    told = ", ".join(f"{markdown.plain(address)} ({found[address]})" for address in often)
    st.caption(f"Wrong codes in the last hour: {sum(found.values())}, from {told}.")


def _sign_out(login: str) -> None:
    with shown_errors():
        listener.sign_out(login)
        end_work(login)


def _put_out(login: str) -> None:
    with shown_errors():
        listener.put_out(login)
        end_work(login)
