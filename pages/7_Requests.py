"""What is asked of the models: what runs now, what was, by whom; for the owner."""

import streamlit as st

from lib.core.access import Action, may
from lib.ui.requests import kept, log_view, now
from lib.ui.shell import page, shown_errors

page("Requests")
st.title("Requests")

with shown_errors():
    if may(Action.REQUESTS):
        now.section()
        log_view.section()
        kept.section()
    else:
        st.caption("What is asked of the models here is a matter of the owner of this machine.")
