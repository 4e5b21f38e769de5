"""A job on the page: phase, progress, what went wrong, Cancel; or one line of history."""

import time
from typing import Literal

import streamlit as st

from lib import jobs, words
from lib.jobs import Job, JobState
from lib.ui import markdown

OUTCOMES: dict[JobState, tuple[str, Literal["gray", "blue", "green", "red", "orange"]]] = {
    JobState.QUEUED: ("Queued", "gray"),
    JobState.RUNNING: ("Running", "blue"),
    JobState.SUCCEEDED: ("Succeeded", "green"),
    JobState.FAILED: ("Failed", "red"),
    JobState.CANCELLED: ("Cancelled", "gray"),
    JobState.LOST: ("Lost", "orange"),
}
PHASES = {
    "download": "Downloading",
    "verify": "Checking the file",
    "start": "Starting the model",
    "test": "Asking a first question",
}


def progress(job_id: str) -> None:
    """The job as it runs, polled once a second; the page runs again when it is over."""
    job = jobs.find(job_id)
    st.fragment(_progress, run_every=1.0 if job.is_active else None)(job_id, job.is_active)


def _progress(job_id: str, was_active: bool) -> None:
    job = jobs.find(job_id)
    now = job.progress()
    if job.is_active:
        label = PHASES.get(
            now.phase, "Waiting for its turn" if job.state == "queued" else "Starting"
        )
        st.progress((now.percent or 0) / 100, text=f"**{label}** {_numbers(now)}")
        st.button("Cancel", key=f"cancel-{job.id}", on_click=_cancel, args=(job.id,))
    elif job.state != JobState.SUCCEEDED:
        st.error(f"**{OUTCOMES[job.state][0]}.** {markdown.plain(job.last_line())}".strip())
        with st.expander("Log", key=f"log-{job.id}"):
            st.code(job.log_tail(60) or "The log is empty.", language=None, wrap_lines=True)
    if was_active and not job.is_active:
        st.rerun()


def _cancel(job_id: str) -> None:
    jobs.find(job_id).cancel()


def _numbers(now: jobs.Progress) -> str:
    """`212 of 491 MB · 34 MB/s · 8 s left`, as far as it is known."""
    parts = []
    if now.total:
        parts.append(f"{words.disk(now.done)} of {words.disk(now.total)}")
    if now.bytes_per_second:
        parts.append(f"{words.disk(now.bytes_per_second)}/s")
    if now.seconds_left is not None:
        parts.append(f"{words.duration(now.seconds_left)} left")
    return " · ".join(parts) or now.note


def line(job: Job) -> None:
    """One line of history: what, outcome, how long, when."""
    word, colour = OUTCOMES[job.state]
    with st.container(horizontal=True, vertical_alignment="center"):
        st.badge(word, color=colour)
        took = (job.ended or time.time()) - job.created
        st.markdown(markdown.plain(job.title), width="content")
        st.caption(f"{words.duration(took)} · {words.ago(job.created)}", width="content")
