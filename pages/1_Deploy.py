"""Deploy a model: find it, see whether it fits, start it, watch it."""

import streamlit as st

from lib.core.access import Action, may
from lib.ui import models
from lib.ui.deploy import deployments, lookup
from lib.ui.deploy import offer as deploy
from lib.ui.shell import page, shown_errors

page("Deploy")
st.title("Deploy")

if not may(Action.DEPLOY):
    st.info("Only the owner deploys models here.")
    st.stop()
with shown_errors():
    wanted = lookup.field()
    if wanted:
        deploy.offer(wanted)
    elif not deployments.is_watching():
        lookup.invitation()
    deployments.watched()
    deployments.earlier()
    models.removal()
