"""What happened here lately: deployments, models, guests; the newest first."""

import time
from functools import lru_cache

import streamlit as st

from lib.core import activity, database, words
from lib.core.access import Action, may
from lib.core.activity import Event, Kind
from lib.engines import titles
from lib.jobs import jobs
from lib.jobs.jobs import Job, JobState
from lib.ui import markdown
from lib.ui.deploy import job_view
from lib.ui.session import activity_shown, show_activity

REFRESH_SECONDS = 10.0
JOB_SECONDS = 1.0  # while a job runs: what is said of it here agrees with its bar
SHOWN, STEP = 6, 30  # at first, and with each press for more
EVERYTHING = "Everything"
ICONS = {
    Kind.STARTED: ":green[:material/play_arrow:]",
    Kind.STOPPED: ":gray[:material/stop:]",
    Kind.REMOVED: ":gray[:material/delete:]",
    Kind.FAILED: ":red[:material/error:]",
    Kind.SIGNED_IN: ":blue[:material/login:]",
    Kind.PUT_OUT: ":gray[:material/logout:]",
    Kind.KEY_MADE: ":blue[:material/key:]",
    Kind.KEY_OFF: ":gray[:material/key_off:]",
    Kind.KEY_ON: ":blue[:material/key:]",
    Kind.KEY_DELETED: ":gray[:material/delete:]",
}
SAID = {
    Kind.STARTED: "was started",
    Kind.STOPPED: "was stopped",
    Kind.REMOVED: "was removed",
    Kind.FAILED: "failed",
    Kind.SIGNED_IN: "signed in",
    Kind.PUT_OUT: "was put out",
    Kind.KEY_MADE: "was made",
    Kind.KEY_OFF: "was disabled",
    Kind.KEY_ON: "was enabled again",
    Kind.KEY_DELETED: "was deleted",
}
MODELS = (Kind.STARTED, Kind.STOPPED, Kind.REMOVED)
KEYS = (Kind.KEY_MADE, Kind.KEY_OFF, Kind.KEY_ON, Kind.KEY_DELETED)
FILTERS: dict[str, tuple[Kind, ...]] = {
    EVERYTHING: tuple(Kind),
    "Deployments": (),
    "Models": MODELS,
    "Failures": (Kind.FAILED,),
    "Guests": (Kind.SIGNED_IN, Kind.PUT_OUT),
    "Keys": KEYS,
}


def section() -> None:
    """For the owner alone; nothing where nothing has happened yet."""
    if may(Action.DEPLOY):
        every = JOB_SECONDS if jobs.running() else REFRESH_SECONDS
        st.fragment(_section, run_every=every)()


def _section() -> None:
    chosen = st.session_state.get("activity_filter") or EVERYTHING
    limit = activity_shown() or SHOWN
    found = [*_lines(chosen, limit + 1)]
    if not found and chosen == EVERYTHING:
        return
    st.header("Activity")
    st.segmented_control(
        "What to show",
        [*FILTERS],
        default=EVERYTHING,
        key="activity_filter",
        label_visibility="collapsed",
        on_change=_fold,
    )
    with st.container(gap="xsmall"):
        for one in found[:limit]:
            _line(one)
    if not found:
        st.caption("Nothing of this kind has happened in the last 30 days.")
    _foot(limit, len(found))


def _foot(limit: int, found: int) -> None:
    """The way to what is older, and back."""
    with st.container(horizontal=True, vertical_alignment="center"):
        if found > limit:
            label = "Earlier" if limit == SHOWN else "Still earlier"
            st.button(label, key="activity_more", type="tertiary", on_click=_unfold, args=(limit,))
        elif limit > SHOWN:
            st.caption("That is all of the last 30 days.", width="content")
        if limit > SHOWN:
            st.button("Fewer", key="activity_fewer", type="tertiary", on_click=_fold)


def _unfold(limit: int) -> None:
    show_activity(limit + STEP)


def _fold() -> None:
    show_activity(0)


def _lines(chosen: str, limit: int) -> list[Job | Event]:
    """Jobs and events in one order; of the last 30 days, as events are kept."""
    done = _jobs(chosen, limit)
    events = _events(database.version(), limit, FILTERS[chosen]) if FILTERS[chosen] else []
    both: list[Job | Event] = [*done, *events]
    since = time.time() - activity.KEPT_SECONDS
    return [one for one in sorted(both, key=_at, reverse=True)[:limit] if _at(one) >= since]


def _jobs(chosen: str, limit: int) -> list[Job]:
    """Those of this choice; of failures, those that did."""
    if chosen in (EVERYTHING, "Deployments"):
        return jobs.recent(limit=limit)
    if chosen == "Failures":
        every = jobs.recent(limit=jobs.KEPT_JOBS)
        return [job for job in every if job.state in (JobState.FAILED, JobState.LOST)][:limit]
    return []


@lru_cache(maxsize=16)
def _events(_version: tuple[int, int], limit: int, kinds: tuple[Kind, ...]) -> list[Event]:
    """Read again only when something was written: the page looks every few seconds."""
    return activity.recent(limit, kinds)


def _at(one: Job | Event) -> float:
    return one.created if isinstance(one, Job) else one.at


def _line(one: Job | Event) -> None:
    if isinstance(one, Job):
        job_view.line(one)
        return
    by = f", by {one.who}" if one.who and one.kind != Kind.SIGNED_IN else ""
    subject = titles.of_name(one.subject) if one.kind in (*MODELS, Kind.FAILED) else one.subject
    said = f"{markdown.plain(subject)} {SAID[one.kind]}{by}"
    detail = f": {markdown.plain(one.detail)}" if one.detail else ""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"{ICONS[one.kind]} {said}{detail}")
        st.caption(words.ago(one.at), width="content")
