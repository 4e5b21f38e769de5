"""What the owner can set: memory, folders, engines, the Hub's token, notices."""

import streamlit as st

from lib.core.access import Action, may
from lib.ui import addresses, demand_view, folders_view, options_view, settings_view, start
from lib.ui.shell import page, shown_errors

page("Settings")
st.title("Settings")

with shown_errors():
    if may(Action.CONFIGURE):
        st.caption("What is set here holds at once, unless its line says otherwise.")
        settings_view.problems()
        settings_view.memory()
        demand_view.section()
        start.section()
        settings_view.chat()
        folders_view.section()
        settings_view.own_program()
        addresses.section()
        settings_view.hub()
        settings_view.notices_section()
        settings_view.looks()
        options_view.section()
    else:
        st.caption("What is set here is a matter of the owner of this machine.")
