"""Every model of every engine: what it is, how it does; for the owner, start, stop, remove."""

import streamlit as st

from lib.engines import all_models
from lib.ui import adoption_view, models
from lib.ui.deploy import starter
from lib.ui.shell import page, shown_errors

page("Models")
st.title("Models")

with shown_errors():
    if all_models():
        wanted = st.text_input(
            "Search",
            placeholder="Search by name",
            label_visibility="collapsed",
            key="models_search",
        )
        models.rows(wanted)
        models.removal()
    else:
        starter.invitation()
    adoption_view.section()
