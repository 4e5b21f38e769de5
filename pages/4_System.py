"""The machine: what it is, its cards and engines, how busy it has been, and who may use it."""

import streamlit as st

from lib.engines import all_models
from lib.ui import addresses, services, sharing, system
from lib.ui.cards import view as cards
from lib.ui.deploy import starter
from lib.ui.shell import page, shown_errors

page("System")
st.title("System")

with shown_errors():
    system.about()
    system.usage()
    cards.section()
    system.engines()
    services.section()
    addresses.section()
    sharing.section()
    if not all_models():
        starter.invitation()
