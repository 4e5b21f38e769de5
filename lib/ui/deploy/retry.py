"""The button that deploys the same thing again, which goes on with what has arrived."""

from typing import Literal

import streamlit as st

from lib import deploy
from lib.deploy import DeployRequest
from lib.jobs.jobs import Job
from lib.slots import job as slot_job
from lib.slots.request import wished
from lib.ui.session import watch_job
from lib.ui.shell import shown_errors


def button(job: Job, label: str, *, is_first: bool = True, **changes: object) -> None:
    """Deploy as before but for the changes, and show the new deployment."""
    key = f"retry-{job.id}" if is_first else f"retry-{job.id} {label}"
    kind: Literal["primary", "secondary"] = "primary" if is_first else "secondary"
    if st.button(label, type=kind, icon=":material/refresh:", key=key):
        with shown_errors():
            watch_job(_started(job, changes).id)
            st.rerun()


def _started(job: Job, changes: dict[str, object]) -> Job:
    if job.kind == slot_job.KIND:
        return slot_job.start(wished(**{**job.details, **changes}))
    if job.kind != deploy.KIND:
        return job.retry()
    return deploy.start(DeployRequest.model_validate({**job.details, **changes}))
