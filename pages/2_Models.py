"""Every model of every engine: what it is, how it does; for the owner, start, stop, remove."""

import streamlit as st

from lib.ui import adoption_view, empty, models
from lib.ui.shell import page, shown_errors

page("Models")
st.title("Models")

with shown_errors():
    models.browse(otherwise=empty.models)
    models.removal(can_undo=True)
    adoption_view.section()
