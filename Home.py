"""The dashboard: what runs, how full the machine is, and the way to the first answer."""

import streamlit as st

from lib.engines import all_models
from lib.ui import activity_view, home
from lib.ui.doctor import section as doctor
from lib.ui.shell import page, shown_errors

page("Home")
st.title("Home")

with shown_errors():
    doctor.needs()
    if found := all_models():
        home.overview(found)
    else:
        home.first_day()
    activity_view.section()
