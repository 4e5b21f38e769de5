"""A job's log on the page: its end, following what is written as long as nobody scrolls up."""

import streamlit as st

from lib import job_log
from lib.jobs import Job

HEIGHT_PIXELS = 260
SHOWN_PIECES = 5  # of 8 KiB: some hundred lines, and only the last of them changes


def log(job: Job) -> None:
    """The last lines in a box of fixed height, and the whole log as a file."""
    with st.expander("Log", expanded=job.is_active, key=f"log-{job.id}"):
        with st.container(height=HEIGHT_PIXELS, autoscroll=True, gap=None, key=f"lines-{job.id}"):
            for piece in job_log.pieces(job.folder / "log", SHOWN_PIECES) or ["Nothing yet."]:
                st.text(piece or "Nothing yet.")
        if not job.is_active:
            _download(job)


def _download(job: Job) -> None:
    """Read when it is asked for, not when the page is drawn."""
    st.download_button(
        "Download the log",
        lambda: (job.folder / "log").read_bytes(),
        file_name=f"{job.id}.log",
        mime="text/plain",
        icon=":material/download:",
        on_click="ignore",
        key=f"log-file-{job.id}",
    )
