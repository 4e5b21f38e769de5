"""A job on the page: phases, progress, log, what went wrong, Cancel; or one line of history."""

import time
from typing import Literal

import streamlit as st

from lib.batches import watch as batches
from lib.core import words
from lib.jobs import jobs
from lib.jobs.events import PhaseState, Progress
from lib.jobs.jobs import Job, JobState
from lib.slots import job as slot_job
from lib.ui import markdown
from lib.ui.deploy import batch, log_view, outcome
from lib.ui.deploy.gpu import stages
from lib.ui.shell import shown_errors

OUTCOMES: dict[JobState, tuple[str, Literal["gray", "blue", "green", "red", "orange"]]] = {
    JobState.QUEUED: ("Queued", "gray"),
    JobState.RUNNING: ("Running", "blue"),
    JobState.SUCCEEDED: ("Succeeded", "green"),
    JobState.FAILED: ("Failed", "red"),
    JobState.CANCELLED: ("Cancelled", "gray"),
    JobState.LOST: ("Lost", "orange"),
}
PHASES = {
    "detect": "Looking at this machine",
    "plan": "Choosing what fits",
    "engine": "Preparing the engine",
    "download": "Downloading",
    "verify": "Checking the file",
    "start": "Starting the model",
    "test": "Asking a first question",
    "check": "Looking at model and machine",
    "unload": "Stopping what ran there",
    "service": "Writing the service",
    "gateway": "Making it known to LiteLLM and nginx",
    "move": "Moving",
    "remove": "Taking the model, its service and its entries away",
    "lines": "Checking the file",
    "ask": "Asking",
    "files": "Writing the files",
}
STEPS = {  # what a deployment goes through, in order
    "detect": "Machine",
    "plan": "Plan",
    "engine": "Engine",
    "download": "Download",
    "start": "Start",
    "test": "Test",
}
SLOT_STEPS = {  # the same on graphics cards
    "check": "Check",
    "unload": "Unload",
    "download": "Download",
    "service": "Service",
    "gateway": "Gateway",
    "start": "Start",
    "test": "Test",
}
REMOVAL_STEPS = {"remove": "Remove"}
BATCH_STEPS = {"lines": "Check", "ask": "Ask", "files": "Write"}
STEPS_OF = {
    slot_job.KIND: SLOT_STEPS,
    slot_job.REMOVAL: REMOVAL_STEPS,
    batches.KIND: BATCH_STEPS,
}
MARKS = {
    PhaseState.RUNNING: ":blue[**● {}**]",
    PhaseState.SUCCEEDED: ":green[✓] {}",
    PhaseState.SKIPPED: ":green[✓] {}",
    PhaseState.FAILED: ":red[**✕ {}**]",
    PhaseState.CANCELLED: ":orange[■ {}]",
}
DOWNLOAD = 0.9  # of a deployment's bar
AFTER = {"verify": 0.9, "service": 0.9, "gateway": 0.9, "start": 0.92, "test": 0.97}
AHEAD = ":gray[○ {}]"
TICK_SECONDS = 1.0


def progress(job_id: str) -> None:
    """The job in brief, for a page that is about something else; polled while it runs."""
    job = jobs.find(job_id)
    st.fragment(_brief, run_every=TICK_SECONDS if job.is_active else None)(job_id, job.is_active)


def _brief(job_id: str, was_active: bool) -> None:
    job = jobs.find(job_id)
    if job.is_active:
        _bar(job, job.progress())
        st.button("Cancel", key=f"cancel-{job.id}", on_click=_cancel, args=(job.id,))
    elif job.state == JobState.CANCELLED:
        st.info(markdown.plain(job.last_line()) or "Cancelled.")
    elif job.state != JobState.SUCCEEDED:
        st.error(f"**{OUTCOMES[job.state][0]}.** {markdown.plain(job.last_line())}".strip())
        log_view.log(job)
    _rerun_when_over(job, was_active)


def panel(job_id: str) -> None:
    """Everything about one deployment; polled while it runs."""
    job = jobs.find(job_id)
    st.fragment(_panel, run_every=TICK_SECONDS if job.is_active else None)(job_id, job.is_active)


def _panel(job_id: str, was_active: bool) -> None:
    job = jobs.find(job_id)
    now = job.progress()
    with st.container(border=True, key=f"job-{job.id}"):
        _heading(job)
        st.markdown(_steps(job, now))
        if job.is_active:
            _bar(job, now)
            _controls(job, now)
        else:
            outcome.draw(job)
        log_view.log(job)
    _rerun_when_over(job, was_active)


def _rerun_when_over(job: Job, was_active: bool) -> None:
    """The page itself decides whether this is polled, so it has to run again."""
    if was_active and not job.is_active:
        st.rerun()


def _heading(job: Job) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{markdown.plain(job.title)}**", width="content")
        _badge(job)
        _times(job)


def _steps(job: Job, now: Progress) -> str:
    """`✓ Machine   ✓ Plan   ● Download   ○ Start`, each in its colour."""
    names = STEPS_OF.get(job.kind, STEPS)
    known = {name: state for name, state in now.phases if name in names}
    if job.state != JobState.SUCCEEDED or not known:
        known = {name: known.get(name, "") for name in names}
    return "&emsp;".join(_step(names[name], state, job) for name, state in known.items())


def _step(title: str, state: str, job: Job) -> str:
    if state == PhaseState.RUNNING and not job.is_active:
        state = PhaseState.FAILED if job.state == JobState.FAILED else PhaseState.CANCELLED
    mark = MARKS[PhaseState(state)] if state in list(PhaseState) else AHEAD
    return mark.format(title).replace(" ", "&nbsp;")


def _bar(job: Job, now: Progress) -> None:
    """It ends with the test, not with the download; a slot's start has one of its own."""
    if job.kind == slot_job.KIND and now.phase == "start" and stages.bar(job):
        return
    st.progress(_share(job, now), text=_doing(job, now))


def _share(job: Job, now: Progress) -> float:
    """How much is done, 0 to 1: the download is most of it, and what follows takes the rest."""
    share = now.percent / 100 if now.percent is not None else 0.0
    if "test" not in STEPS_OF.get(job.kind, STEPS):
        return share
    done = [AFTER[name] for name, _ in now.phases if name in AFTER]
    return max([share * DOWNLOAD, *done])


def _doing(job: Job, now: Progress) -> str:
    """`Downloading 43% · 212 MB of 491 MB · 34 MB/s · 8 s left`, or what the job itself says."""
    if now.total:
        numbers = batch.numbers(now) if job.kind == batches.KIND else _numbers(now)
        return f"**{PHASES.get(now.phase, now.phase)} {now.percent:.0f}%** · {numbers}"
    waiting = "Waiting for its turn" if job.state == JobState.QUEUED else "Starting"
    return f"**{markdown.plain(now.note) or PHASES.get(now.phase, waiting)}**"


def _numbers(now: Progress) -> str:
    parts = [f"{words.disk(now.done)} of {words.disk(now.total)}"]
    if now.bytes_per_second is not None:
        parts.append(f"{words.disk(now.bytes_per_second)}/s")
    if now.seconds_left is not None:
        parts.append(f"{words.duration(now.seconds_left)} left")
    return " · ".join(parts)


def _controls(job: Job, now: Progress) -> None:
    with st.container(horizontal=True):
        if now.phase == "download" and job.kind != slot_job.KIND:  # its cancel keeps all, too
            st.button(
                "Pause",
                icon=":material/pause:",
                help="Ends the download for now. What has arrived is kept.",
                key=f"pause-{job.id}",
                on_click=_pause,
                args=(job.id,),
            )
        st.button(
            "Cancel",
            icon=":material/close:",
            key=f"cancel-{job.id}",
            on_click=_cancel,
            args=(job.id,),
        )


def _cancel(job_id: str) -> None:
    with shown_errors():
        job = jobs.find(job_id)
        slot_job.cancel(job) if job.kind in slot_job.KINDS else job.cancel()


def _pause(job_id: str) -> None:
    with shown_errors():
        jobs.find(job_id).pause()


def line(job: Job) -> None:
    """One line of history: outcome, what, how long, when; and the way to the whole of it."""
    with st.container(horizontal=True, vertical_alignment="center"):
        _badge(job)
        if st.button(markdown.plain(job.title), type="tertiary", key=f"show-{job.id}"):
            st.switch_page("pages/1_Deploy.py", query_params={"job": job.id})
        _times(job)


def _badge(job: Job) -> None:
    word, colour = OUTCOMES[job.state]
    st.badge("Paused" if job.is_paused else word, color=colour)


def _times(job: Job) -> None:
    """How long it took, and when that was."""
    took = words.duration((job.ended or time.time()) - job.created)
    when = "" if job.is_active else f" · {words.ago(job.created)}"
    st.caption(f"{took}{when}", width="content")
