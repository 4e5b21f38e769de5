"""How a deployment ended: the way on after a success, cause and remedy after a failure."""

import streamlit as st

from lib.batches import watch as batches
from lib.deploy import starters
from lib.deploy.starter import STARTER
from lib.engines import all_models
from lib.engines.base import Model, State
from lib.jobs.jobs import Job, JobState
from lib.slots import job as slot_job
from lib.ui import markdown, models
from lib.ui.deploy import batch, diagnosis_view, retry
from lib.ui.deploy.gpu import result
from lib.ui.session import choose_model

STARTER_KIND = "starter"


def draw(job: Job) -> None:
    """What somebody who just looks in needs to know, and the next thing to do."""
    if job.kind == batches.KIND:
        batch.draw(job)
    elif job.state == JobState.SUCCEEDED:
        _success(job)
    elif job.state == JobState.CANCELLED:
        word = "It is paused" if job.is_paused else "It was cancelled"
        kept = "What has arrived is kept."
        if job.kind == slot_job.REMOVAL:
            kept = "What is left of the slot goes when it is resumed."
        st.info(f"{word}. {kept}", icon=":material/pause_circle:")
        retry.button(job, "Resume")
    else:
        diagnosis_view.draw(job)


def _success(job: Job) -> None:
    if job.kind == slot_job.REMOVAL:
        st.success(markdown.plain(job.last_line()), icon=":material/check_circle:")
        return
    model = deployed(job)
    if model is None:
        st.info("The model it deployed has been removed since.")
        return
    if model.writes:
        said(job)
        _chat_button(model)
    if job.kind == slot_job.KIND:
        result.addresses(job, model)
        return
    sleeping = "" if model.state == State.READY else f" It is {model.state.lower()} now."
    st.caption(f"Its name for programs, and the OpenAI-compatible address to use it at.{sleeping}")
    with st.container(horizontal=True):
        st.code(model.name, language=None, width="stretch")
        st.code(f"{models.base_url()}/v1", language=None, width="stretch")


def said(job: Job) -> None:
    """That it is ready, and what it answered when it was tested."""
    words = starters.first_words(job)
    told = f"**Ready.** It says: {markdown.plain(words)}" if words else "**Ready.**"
    st.success(told, icon=":material/check_circle:")


def _chat_button(model: Model) -> None:
    with st.container(horizontal=True):
        chat = st.button(
            "Chat", type="primary", icon=":material/chat:", key=f"chat-{model.engine}-{model.name}"
        )
        if chat:
            choose_model(model.key)
            st.switch_page("pages/3_Chat.py")


def deployed(job: Job) -> Model | None:
    """The model that the job named as ready in its last words, if it is still there."""
    if job.kind == slot_job.KIND:
        return result.deployed(job)
    said = job.progress().note
    found = sorted(all_models(), key=lambda model: -len(model.name))
    if job.kind == STARTER_KIND:
        return next((model for model in found if STARTER.is_that(model)), None)
    return next((model for model in found if said.startswith(f"{model.name} is ready")), None)
