"""What of the log is looked at: key, model, status, time; and which page of it."""

import time

import streamlit as st

from lib.requests import log
from lib.requests.log import Filter
from lib.ui.requests import texts

EVERYBODY, EVERY_MODEL, EVERY_STATUS = "Everybody", "Every model", "Every status"
TIMES = {"Last hour": 3_600, "Last 24 hours": 86_400, "Last 7 days": 7 * 86_400}
EVERYTHING = f"Last {log.KEPT_DAYS} days"
MINUTE = 60  # times are rounded to it, so that what was found is found again without a look

WHO, MODEL, STATUS, TIME = "requests_who", "requests_model", "requests_status", "requests_time"
PAGES = "requests_pages"  # the numbers that the pages on the way to this one begin below


def fields() -> Filter:
    """The four fields, and what they choose."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        moment = _field("Time", TIME, [*TIMES, EVERYTHING], "Last 24 hours")
        status = _field("Status", STATUS, [EVERY_STATUS, *texts.OUTCOMES.values()])
        model = _field("Model", MODEL, [EVERY_MODEL, *log.models()])
        senders = texts.senders(log.senders())
        who = senders.get(_field("Who", WHO, [EVERYBODY, *senders]))
    outcomes = {text: outcome for outcome, text in texts.OUTCOMES.items()}
    return Filter(
        since=_since(moment),
        outcome=outcomes.get(status),
        model=None if model == EVERY_MODEL else model,
        key=who[0] if who else None,
        who=who[1] if who else None,
    )


def before() -> int | None:
    """The number that the shown page begins below; None on the first."""
    pages = st.session_state.get(PAGES)
    return pages[-1] if pages else None


def older(number: int) -> None:
    """Go on to what is older than this."""
    st.session_state[PAGES] = [*st.session_state.get(PAGES, []), number]


def newer() -> None:
    """Go back a page."""
    st.session_state[PAGES] = st.session_state.get(PAGES, [])[:-1]


def newest() -> None:
    """Back to the first page."""
    st.session_state[PAGES] = []


def _field(label: str, key: str, options: list[str], usual: str = "") -> str:
    """One choice; what was chosen stays one, also where the log has forgotten it."""
    chosen = st.session_state.get(key, usual or options[0])
    if chosen not in options:
        options = [*options, chosen]
    index = options.index(chosen)
    return str(st.selectbox(label, options, index, key=key, on_change=newest, width=172))


def _since(moment: str) -> float | None:
    seconds = TIMES.get(moment)
    return None if seconds is None else time.time() // MINUTE * MINUTE - seconds


def is_anything() -> bool:
    """Does the log hold any request at all?"""
    return bool(log.page(Filter(), limit=1))
