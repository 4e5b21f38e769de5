"""What of requests is kept, for how long, and the switch for what is said in them."""

import streamlit as st

from lib.core.errors import BerthError
from lib.core.preferences import preferences
from lib.requests import content, log
from lib.ui import markdown

SWITCH = "requests_text"
SAID = "requests_text_said"


def section() -> None:
    """Told plainly, before and after it is switched on."""
    st.header("What is kept")
    st.caption(
        f"Of each request, for {log.KEPT_DAYS} days and at most the newest {log.MOST_ROWS:,}: "
        "when, by whom, which model, by which way, how many tokens, how long, how it ended. "
        f"Of what fails before a model sees it, at most {log.FAILURES_A_MINUTE} a minute of one "
        "sender. It stays on this machine."
    )
    is_on = preferences().keeps_requests_text
    st.toggle(
        "Keep what programs ask and get",
        value=is_on,
        key=SWITCH,
        on_change=_choose,
        help="To find out what a program really sends. Tell those who use your keys.",
    )
    if is_on:
        st.warning(
            f"The text of programs’ requests is kept for {content.KEPT_DAYS} days, of at most the "
            f"newest {content.MOST_KEPT:,}: the last {content.LONGEST:,} characters of what is "
            f"asked, the first {content.LONGEST:,} of what is answered. Known tokens and keys are "
            "taken out; pictures and files are left out. Switched off, all of it is removed.",
            icon=":material/visibility:",
        )
    else:
        st.caption("Nothing of what is asked or answered is kept.")
    st.caption("What is said on the chat page is never kept here.")
    if said := st.session_state.get(SAID):
        st.error(markdown.plain(said))


def _choose() -> None:
    st.session_state[SAID] = ""
    try:
        content.choose(bool(st.session_state[SWITCH]))
    except BerthError as error:
        st.session_state[SAID] = f"{error.message} {error.fix}"
