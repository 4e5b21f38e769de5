"""Deployments on the deploy page: the one that is watched, and the earlier ones."""

import streamlit as st

from lib import deploy
from lib.core.errors import NotFound
from lib.jobs import jobs
from lib.slots import job as slot_job
from lib.ui import markdown
from lib.ui.deploy import job_view
from lib.ui.session import watched_job

EARLIER = 20
KINDS = (deploy.KIND, *slot_job.KINDS, "starter")


def watched() -> None:
    """The deployment that the address names, else the newest one under way."""
    job_id = _watched()
    if not job_id:
        return
    try:
        job_view.panel(job_id)
    except NotFound as error:
        st.warning(f"**{markdown.plain(error.message)}** It may be one of the earlier ones below.")


def is_watching() -> bool:
    """Is there a deployment to show?"""
    return bool(_watched())


def _watched() -> str:
    under_way = (job.id for job in jobs.running() if job.kind in (deploy.KIND, *slot_job.KINDS))
    return watched_job() or next(under_way, "")


def earlier() -> None:
    """The others, folded."""
    found = [job for job in jobs.recent(EARLIER) if job.kind in KINDS and job.id != _watched()]
    if not found:
        return
    with st.expander(f"Earlier deployments ({len(found)})", key="deploy_earlier"):
        for job in found:
            job_view.line(job)
