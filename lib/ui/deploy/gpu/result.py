"""A deployment on a slot that succeeded: the way to its model, for people and for programs."""

import streamlit as st
from pydantic import ValidationError

from lib.core import owner_key
from lib.engines import all_models
from lib.engines.base import Model
from lib.jobs.jobs import Job
from lib.slots.endpoints import endpoints
from lib.slots.overview import ENGINE
from lib.slots.request import SlotRequest
from lib.ui import markdown, models

TITLE_PIXELS = 190


def deployed(job: Job) -> Model | None:
    """The model, if it is still on the slot."""
    wanted = _request(job)
    if wanted is None:
        return None
    there = (model for model in all_models(ENGINE) if model.place == f"slot {wanted.slot}")
    return next((model for model in there if model.source == wanted.model), None)


def addresses(job: Job, model: Model) -> None:
    """Each with its name, to be copied, and where root finds the keys."""
    wanted = _request(job)
    if wanted is None:
        return
    st.caption("Its name for programs, and the OpenAI-compatible addresses to use it at.")
    _copied("Name", model.name)
    which = "the key in owner.key" if owner_key.is_asked_for() else "no key needed"
    _copied(f"Berth itself, {which}", f"{models.base_url()}/v1")
    ways = endpoints(wanted, job.progress().note)
    for way in ways:
        _copied(way.title, way.url)
    files = ", ".join(dict.fromkeys(way.key_file for way in ways))
    st.caption(f"Root finds the keys of the others in {markdown.plain(files)}.")


def _copied(title: str, text: str) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
        st.caption(markdown.plain(title), width=TITLE_PIXELS)
        st.code(text, language=None, width="stretch")


def _request(job: Job) -> SlotRequest | None:
    try:
        return SlotRequest.model_validate(job.details)
    except ValidationError:
        return None
