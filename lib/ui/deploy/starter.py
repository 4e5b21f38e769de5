"""The way to the first answer: models to begin with, the one on its way, and its first words."""

import time
from collections.abc import Sequence

import streamlit as st

from lib.core.access import Action, may
from lib.deploy import starters
from lib.deploy.starters import PURPOSES, TRY_OUT, Have, Offer, Purpose
from lib.engines.room import room_now
from lib.jobs.jobs import Job, JobState
from lib.machine import bandwidth
from lib.machine.sampler import SAMPLER
from lib.ui import markdown
from lib.ui.deploy import job_view, outcome
from lib.ui.session import choose_model, watched_job
from lib.ui.shell import shown_errors

READ = "starter_read"  # the job whose first words were read
NEWS_SECONDS = 600.0  # so long they stand on Home
LOOK_SECONDS = 1.0
NAMES = {starters.SMALL: "a small model"}


def invitation(purposes: Sequence[Purpose] = PURPOSES) -> None:
    """What stands on a page as long as there is no model."""
    if not may(Action.DEPLOY):
        st.info("No model runs here for guests now. The owner of this machine starts them.")
        return
    job = starters.latest()
    with st.container(border=True, key="starter"):
        if job and job.is_active:
            _under_way(job)
            return
        st.markdown("#### Choose a first model")
        st.caption("It runs on this machine alone. Others can be deployed and removed at any time.")
        if job and job.state != JobState.SUCCEEDED and job.id != watched_job():
            job_view.progress(job.id)
        bandwidth.look_soon()
        is_waiting = not bandwidth.told().measured
        st.fragment(_offers, run_every=LOOK_SECONDS if is_waiting else None)(purposes, job)


def offline() -> None:
    """The same where the Hub cannot be reached: the one that comes from elsewhere."""
    invitation((TRY_OUT,))


def _offers(purposes: Sequence[Purpose], job: Job | None) -> None:
    have = Have(room_now().free_bytes, SAMPLER.latest().disk_free_bytes, bandwidth.told().best)
    found = starters.offers(have, purposes)
    first = next((one for one in found if not one.problem), None)
    for offer in found:
        _offer(offer, have, offer is first, job)


def _offer(offer: Offer, have: Have, is_first: bool, job: Job | None) -> None:
    """A row: what it is for, what it is and costs, and the button."""
    purpose, model = offer.purpose, offer.model
    with st.container(horizontal=True, vertical_alignment="center", key=f"start-{model.key}"):
        with st.container(gap=None, width="stretch"):
            st.markdown(f"**{purpose.title}** · {markdown.plain(model.title)}")
            st.caption(f"{purpose.about} {offer.problem or starters.facts(model, have)}")
        is_resumed = job is not None and starters.of(job) == model and not job.is_active
        name = NAMES.get(model.key, model.title.partition(" Instruct")[0])
        is_over = is_resumed and job is not None and job.state == JobState.SUCCEEDED
        if st.button(
            "Resume" if is_resumed and not is_over else f"Start with {name}",
            type="primary" if is_first else "secondary",
            icon=":material/rocket_launch:",
            key="start_small" if model.key == starters.SMALL else f"start_{model.key}",
            disabled=bool(offer.problem),
        ):
            with shown_errors():
                starters.begin(model)
                st.rerun()  # the whole page: what is on its way takes the place of the choice


def news() -> None:
    """The one that is on its way although there are models; or what it said when it was ready."""
    job = starters.latest() if may(Action.DEPLOY) else None
    if job and job.is_active:
        with st.container(border=True, key="starter"):
            _under_way(job)
    elif job and job.state == JobState.SUCCEEDED and _is_news(job):
        _ready(job)


def _under_way(job: Job) -> None:
    model = starters.of(job)
    st.markdown(f"**{markdown.plain(model.title if model else job.title)}** is on its way")
    job_view.progress(job.id)


def _is_news(job: Job) -> bool:
    is_fresh = 0 <= time.time() - (job.ended or 0.0) < NEWS_SECONDS
    return is_fresh and st.session_state.get(READ) != job.id


def _ready(job: Job) -> None:
    """Its first words, and the one button that goes on."""
    model = outcome.deployed(job)
    if model is None:
        return
    with st.container(border=True, key="starter"):
        st.markdown(f"#### {markdown.plain(model.called)}")
        outcome.said(job)
        if st.button("Chat", type="primary", icon=":material/chat:", key="starter_chat"):
            st.session_state[READ] = job.id
            choose_model(model.key)
            st.switch_page("pages/3_Chat.py")
