"""Programs that use the models: this machine's, settings for other machines', and API keys."""

import streamlit as st

from lib.core.access import Action, may
from lib.ui import keys, named_view
from lib.ui.connect import programs
from lib.ui.shell import page, shown_errors

page("Connect")
st.title("Connect")

with shown_errors():
    if may(Action.CONFIGURE):
        programs.section()
        keys.section()
        named_view.section()
    else:
        st.caption("What programs are set to is a matter of the owner of this machine.")
