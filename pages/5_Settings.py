"""What the owner can set: memory, engines, the Hub's token, notices."""

import streamlit as st

from lib.core.access import Action, may
from lib.ui import addresses, settings_view
from lib.ui.shell import page, shown_errors

page("Settings")
st.title("Settings")

with shown_errors():
    if may(Action.CONFIGURE):
        settings_view.problems()
        settings_view.memory()
        settings_view.start()
        settings_view.own_program()
        addresses.section()
        settings_view.hub()
        settings_view.notices_section()
        settings_view.looks()
    else:
        st.caption("What is set here is a matter of the owner of this machine.")
