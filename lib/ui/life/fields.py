"""What a field that is kept at once shows: what is on disk, whoever put it there."""

from typing import TypeVar

import streamlit as st

Value = TypeVar("Value")


def shows(key: str, kept: Value) -> str:
    """The key of a field that is about to be drawn, which then shows this.

    What the person just set was kept by the field's own callback, before anything is drawn; where
    that failed, or another tab was here meanwhile, the field shows what is so.
    """
    if key not in st.session_state or st.session_state[key] != kept:
        st.session_state[key] = kept
    return key
