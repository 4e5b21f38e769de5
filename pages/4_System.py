"""The machine: what it is, its engines, and how busy it has been."""

import streamlit as st

from lib.engines import all_models
from lib.ui import starter, system
from lib.ui.shell import page, shown_errors

page("System")
st.title("System")

with shown_errors():
    system.about()
    system.usage()
    system.engines()
    if not all_models():
        starter.invitation()
