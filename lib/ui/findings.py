"""How many findings need the owner, in the sidebar; nothing where none does."""

import streamlit as st

from lib.core import words
from lib.core.access import Action, may
from lib.doctor.registry import REGISTRY

ICON = ":material/medical_information:"


def line() -> None:
    """A way to them; it never waits for a look."""
    if not may(Action.CONFIGURE):
        return
    if count := REGISTRY.count():
        label = f"{words.count(count, 'finding needs', 'findings need')} you"
        if st.button(label, key="doctor_count", type="tertiary", icon=ICON):
            st.switch_page("pages/4_System.py")
