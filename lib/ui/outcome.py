"""How a deployment ended: the way on after a success, cause and remedy after a failure."""

import streamlit as st

from lib import deploy
from lib.errors import BerthError
from lib.jobs import Job, JobState
from lib.ui import markdown
from lib.ui.session import watch_job


def draw(job: Job) -> None:
    """What somebody who just looks in needs to know, and the next thing to do."""
    if job.state == JobState.SUCCEEDED:
        _success(job)
    elif job.state == JobState.CANCELLED:
        st.info("What has arrived is kept; Resume goes on from there.")
        _retry(job, "Resume")
    elif job.state == JobState.LOST:
        st.warning("The machine or the job was ended from outside. What has arrived is kept.")
        _retry(job, "Resume")
    else:
        st.error(markdown.plain(job.last_line()))
        _retry(job, "Try again")


def _success(job: Job) -> None:
    st.success("It runs.")


def _retry(job: Job, label: str) -> None:
    st.button(
        label,
        type="primary",
        icon=":material/refresh:",
        key=f"retry-{job.id}",
        on_click=_start_again,
        args=(job,),
    )


def _start_again(job: Job) -> None:
    try:
        watch_job(deploy.retry(job).id)
    except BerthError as error:
        st.error(f"**{error.message}** {error.fix}", icon=":material/error:")
