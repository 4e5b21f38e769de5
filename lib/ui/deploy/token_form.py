"""The Hub token: typed once, saved on this machine for its owner alone, never shown again."""

import streamlit as st

from lib import hub
from lib.core.errors import BadInput
from lib.core.settings import is_login_off
from lib.hub import TokenOrigin
from lib.ui import waiting
from lib.ui.shell import shown_errors

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
        st.error(refused)
    _state()


def _state() -> None:
    """Which token is used, never the token itself, and what else there is."""
    origin = hub.token_origin()
    if origin is TokenOrigin.LOGIN:
        st.caption(
            ":green[:material/check:] A login of the Hub's own tool (hf auth login) was found on "
            "this machine, and is used. A token that you save here goes before it."
        )
    elif origin is TokenOrigin.SAVED:
        st.caption(":green[:material/check:] A token is saved, and is used.")
        label = "Remove it, and use the login of hf auth login" if _falls_back() else ""
        st.button(label or "Remove the saved token", on_click=_forget, key="hub_token_forget")
    elif hub.has_login():
        st.caption(
            "A login of the Hub's own tool (hf auth login) was found on this machine. It is not "
            "used, because HF_HUB_DISABLE_IMPLICIT_TOKEN says so."
        )
        st.button("Use this login", on_click=_use_login, key="hub_token_login")
    else:
        st.caption("No token is saved. Public models need none.")


def _falls_back() -> bool:
    return hub.has_login() and not is_login_off()


def _forget() -> None:
    with shown_errors():
        hub.forget_token()
        waiting.forget()


def _use_login() -> None:
    """The session learns nothing of it."""
    try:
        hub.use_login()
        waiting.forget()
    except BadInput as error:
        st.session_state["hub_token_refused"] = str(error)


def _save() -> None:
    """Save it; the session keeps nothing of it."""
    token = str(st.session_state.pop(FIELD, ""))
    try:
        hub.save_token(token)
        waiting.forget()
    except BadInput as error:
        st.session_state["hub_token_refused"] = str(error)
