"""A job's log on the page: its end, following what is written as long as nobody scrolls up."""

from html import escape

import streamlit as st

from lib.jobs import log as job_log
from lib.jobs.jobs import Job

HEIGHT_PIXELS = 240
SHOWN_PIECES = 5  # of 8 KiB: some hundred lines, and only the last of them changes
STYLE = (
    "margin:0;font:0.8rem/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;"
    "white-space:pre-wrap;overflow-wrap:anywhere"
)


def log(job: Job) -> None:
    """The last lines in a box of fixed height, and the whole log as a file."""
    with st.expander("Log", key=f"log-{job.id}"):
        with st.container(
            height=HEIGHT_PIXELS, autoscroll=True, border=False, gap=None, key=f"lines-{job.id}"
        ):
            for piece in job_log.pieces(job.folder / "log", SHOWN_PIECES) or [""]:
                st.html(f'<pre style="{STYLE}">{escape(piece) or "Nothing yet."}</pre>')
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
