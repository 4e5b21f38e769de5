"""The Hub token: typed once, saved on this machine for its owner alone, never shown again."""

import streamlit as st

from lib import hub
from lib.core.errors import BadInput
from lib.hub import TokenOrigin
from lib.ui import markdown, waiting

FIELD = "hub_token"


def form(page: str = "", label: str = "Save the token and retry") -> None:
    """A field for the token; with `page`, the way to where access is granted."""
    if hub.token_origin() is TokenOrigin.ENVIRONMENT:
        st.caption("The token comes from the environment variable HF_TOKEN: change it there.")
        return
    with st.form("hub_token_form", border=True, clear_on_submit=True):
        st.text_input(
            "Hub token",
            type="password",
            key=FIELD,
            placeholder="hf_…",
            autocomplete="off",
            help="Made at huggingface.co/settings/tokens; reading is all it has to allow.",
        )
        with st.container(horizontal=True, vertical_alignment="center"):
            st.form_submit_button(label, on_click=_save)
            if page:
                st.link_button("Open its page on the Hub", page, type="tertiary")
    st.caption("It is kept on this machine, readable by you alone, and sent to the Hub only.")
    refused = st.session_state.pop("hub_token_refused", "")
    if refused:
        st.error(markdown.plain(refused))
    if hub.token_origin() is TokenOrigin.LOGIN:
        st.caption("Used so far is the login of the Hub's own tool, hf auth login.")
    if hub.token_origin() is TokenOrigin.SAVED:
        st.button("Remove the saved token", on_click=hub.forget_token, key="hub_token_forget")


def _save() -> None:
    """Save it; the session keeps nothing of it."""
    token = str(st.session_state.pop(FIELD, ""))
    try:
        hub.save_token(token)
        waiting.forget()
    except BadInput as error:
        st.session_state["hub_token_refused"] = str(error)
