"""The machine: what it is, how it does, what it lacks, and who may use it."""

import streamlit as st

from lib.ui import services, start
from lib.ui.cards import view as cards
from lib.ui.doctor import section as doctor
from lib.ui.sharing import section as sharing
from lib.ui.shell import page, shown_errors
from lib.ui.system import about, usage

page("System")
st.title("System")

with shown_errors():
    about.section()
    start.link()
    sharing.section()  # what is open to others is not looked for below everything else
    usage.section()
    cards.section()
    services.section()
    doctor.section()  # last: it grows when a look ends, and nothing below may move then
