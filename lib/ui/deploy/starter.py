"""The way to the first answer: one button that fetches and starts the small model."""

import streamlit as st

from lib.core import words
from lib.core.access import Action, may
from lib.deploy.starter import STARTER, deploy_starter
from lib.jobs import jobs
from lib.ui.deploy import job_view
from lib.ui.session import watched_job


def invitation() -> None:
    """What stands on a page as long as there is no model."""
    if not may(Action.DEPLOY):
        st.info("No model runs here for guests now. The owner of this machine starts them.")
        return
    job = next(iter(jobs.recent(kind="starter")), None)
    with st.container(border=True):
        st.markdown("#### Talk to a language model in a few minutes")
        st.markdown(
            f"{STARTER.title} answers questions and writes code, on this machine alone. "
            f"Download {words.disk(STARTER.size_bytes)}, licence {STARTER.licence}; "
            "it needs about 0.7 GiB of memory."
        )
        if job and job.state != jobs.JobState.SUCCEEDED and job.id != watched_job():
            job_view.progress(job.id)
        if job is None or not job.is_active:
            _button(is_resumed=job is not None)


def _button(is_resumed: bool) -> None:
    label = "Resume" if is_resumed else "Start with a small model"
    if st.button(label, type="primary", icon=":material/rocket_launch:", key="start_small"):
        deploy_starter()
        st.rerun()
