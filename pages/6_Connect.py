"""How programs reach the models: API keys."""

import streamlit as st

from lib.core.access import Action, may
from lib.ui import keys
from lib.ui.shell import page, shown_errors

page("Connect")
st.title("Connect")

with shown_errors():
    if may(Action.CONFIGURE):
        keys.section()
    else:
        st.caption("What is connected here is a matter of the owner of this machine.")
