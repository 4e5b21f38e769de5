"""The field for a mirror of the Hub."""

import streamlit as st

from lib.core.errors import BerthError
from lib.hub import mirror
from lib.ui import markdown

FIELD, SAID = "hub_mirror", "hub_mirror_said"


def form() -> None:
    """Its address, and what came of saving it; where the environment sets it, that alone."""
    if mirror.is_fixed():
        st.caption(f"The Hub's address is set by the environment variable {mirror.VARIABLE}.")
        return
    with (
        st.form("hub_mirror_form", border=False),
        st.container(horizontal=True, vertical_alignment="bottom"),
    ):
        st.text_input(
            "Address of a mirror of the Hub",
            value=mirror.chosen(),
            key=FIELD,
            placeholder="https://mirror.example; empty for huggingface.co",
            autocomplete="off",
            max_chars=300,
            help="It is asked in place of huggingface.co, and gets your Hub token where you have "
            "saved one. Empty goes back to the Hub.",
        )
        st.form_submit_button("Use it", on_click=_save)
    if said := st.session_state.pop(SAID, ""):
        st.error(said, icon=":material/error:")


def _save() -> None:
    try:
        mirror.choose(str(st.session_state[FIELD]))
    except BerthError as error:
        st.session_state[SAID] = markdown.error(error)
