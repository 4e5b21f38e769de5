"""The services of the GPU side on the System page; nothing where none is set up."""

import streamlit as st

from lib.core.access import Action, may
from lib.engines.vllm.places import places
from lib.machine.sampler import SAMPLER
from lib.slots.services import Service, services
from lib.ui import markdown, models
from lib.ui.waiting import interruptible


def section() -> None:
    """For the owner alone: each in a row."""
    if not may(Action.CONFIGURE):
        return
    found = interruptible(services, SAMPLER.cards(), places())
    if not found:
        return
    st.subheader("Services")
    for service in found:
        with st.container(border=True, key=f"service-{service.title}"):
            _row(service)


def _row(service: Service) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{markdown.plain(service.title)}**", width="content")
        st.badge(str(service.state), color=models.COLOURS[service.state])
        about = " · ".join(filter(None, (service.version, service.about)))
        st.caption(markdown.plain(about), width="content")
    if service.problem:
        st.caption(markdown.plain(service.problem))
