"""How many findings need the owner, in the sidebar; nothing where none does."""

import streamlit as st

from lib.core import words
from lib.core.access import Action, may
from lib.doctor.registry import REGISTRY


def line() -> None:
    """A link to them; it never waits for a look."""
    if not may(Action.CONFIGURE):
        return
    if count := REGISTRY.count():
        label = f"{words.count(count, 'finding needs', 'findings need')} you"
        st.page_link("pages/4_System.py", label=label, icon=":material/medical_information:")
