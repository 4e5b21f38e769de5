"""A batch's job on the page: how many are answered, and the answers when it is over."""

import streamlit as st

from lib.batches import places, store, stored
from lib.batches.record import Batch
from lib.core import words
from lib.core.errors import NotFound
from lib.jobs.events import Progress
from lib.jobs.jobs import Job, JobState
from lib.ui import markdown

KEPT = {"_output": "Download the answers", "_errors": "Download what failed"}


def numbers(now: Progress) -> str:
    """`120 of 300 answered · 44 s left`, and what it waits for."""
    parts = [f"{now.done:,} of {now.total:,} answered"]
    if now.seconds_left is not None and now.done:
        parts.append(f"{words.duration(now.seconds_left)} left")
    if now.note:
        parts.append(markdown.plain(now.note))
    return " · ".join(parts)


def draw(job: Job) -> None:
    """How it ended, and its files while they are kept."""
    said = markdown.plain(job.last_line())
    if job.state == JobState.SUCCEEDED:
        st.success(said, icon=":material/check_circle:")
    elif job.state == JobState.CANCELLED:
        st.info(said or "It was cancelled before its turn.", icon=":material/close:")
    else:
        st.error(said or "It ended before it could say why.", icon=":material/error:")
    batch = store.load(str(job.details.get("batch", "")))
    if batch is None:
        return
    if not batch.standing.is_over:
        st.caption("It goes on by itself.")
    elif not batch.asked.owner:  # those of a key are its owner's alone
        _files(batch)


def _files(batch: Batch) -> None:
    with st.container(horizontal=True):
        for name in (places.output_id, places.errors_id):
            try:
                file = stored.find(name(batch.asked.id), batch.asked.owner)
            except NotFound:
                continue
            label = next(text for end, text in KEPT.items() if end in file.filename)
            st.download_button(
                f"{label} ({words.disk(file.bytes)})",
                file.content.read_bytes,
                file_name=file.filename,
                mime="application/jsonl",
                icon=":material/download:",
                on_click="ignore",
                key=f"file-{file.id}",
            )
