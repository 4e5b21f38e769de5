"""What happened here lately: deployments, models, guests; the newest first."""

from collections.abc import Iterator
from functools import lru_cache

import streamlit as st

from lib.core import activity, database, words
from lib.core.access import Action, may
from lib.core.activity import Event, Kind
from lib.jobs import jobs
from lib.jobs.jobs import Job
from lib.ui import markdown
from lib.ui.deploy import job_view

SHOWN, MORE = 6, 60
ICONS = {
    Kind.STARTED: ":green[:material/play_arrow:]",
    Kind.STOPPED: ":gray[:material/stop:]",
    Kind.REMOVED: ":gray[:material/delete:]",
    Kind.FAILED: ":red[:material/error:]",
    Kind.SIGNED_IN: ":blue[:material/login:]",
    Kind.PUT_OUT: ":gray[:material/logout:]",
}
SAID = {
    Kind.STARTED: "was started",
    Kind.STOPPED: "was stopped",
    Kind.REMOVED: "was removed",
    Kind.FAILED: "failed",
    Kind.SIGNED_IN: "signed in",
    Kind.PUT_OUT: "was put out",
}
MODELS = (Kind.STARTED, Kind.STOPPED, Kind.REMOVED)
FILTERS: dict[str, tuple[Kind, ...]] = {
    "Everything": tuple(Kind),
    "Deployments": (),
    "Models": MODELS,
    "Failures": (Kind.FAILED,),
    "Guests": (Kind.SIGNED_IN, Kind.PUT_OUT),
}


def section() -> None:
    """For the owner alone; nothing where nothing has happened yet."""
    if not may(Action.DEPLOY):
        return
    if not (jobs.recent(limit=1) or _events(database.version(), 1, tuple(Kind))):
        return
    st.subheader("Activity")
    with st.container(horizontal=True, vertical_alignment="center"):
        chosen = st.segmented_control(
            "What to show",
            [*FILTERS],
            default="Everything",
            key="activity_filter",
            label_visibility="collapsed",
        )
        is_long = st.toggle("Last 30 days", key="activity_long")
    limit = MORE if is_long else SHOWN
    found = [*_lines(chosen or "Everything", limit)][:limit]
    for one in found:
        _line(one)
    if not found:
        st.caption("Nothing of this kind has happened.")


def _lines(chosen: str, limit: int) -> Iterator[Job | Event]:
    """Jobs and events in one order."""
    done = jobs.recent(limit=limit) if chosen in ("Everything", "Deployments") else []
    events = _events(database.version(), limit, FILTERS[chosen]) if FILTERS[chosen] else []
    both: list[Job | Event] = [*done, *events]
    yield from sorted(both, key=_at, reverse=True)


@lru_cache(maxsize=16)
def _events(_version: tuple[int, int], limit: int, kinds: tuple[Kind, ...]) -> list[Event]:
    """Read again only when something was written: the page looks every two seconds."""
    return activity.recent(limit, kinds)


def _at(one: Job | Event) -> float:
    return one.created if isinstance(one, Job) else one.at


def _line(one: Job | Event) -> None:
    if isinstance(one, Job):
        job_view.line(one)
        return
    by = f", by {one.who}" if one.who and one.kind != Kind.SIGNED_IN else ""
    said = f"{markdown.plain(one.subject)} {SAID[one.kind]}{by}"
    detail = f": {markdown.plain(one.detail)}" if one.detail else ""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"{ICONS[one.kind]} {said}{detail}")
        st.caption(words.ago(one.at), width="content")
