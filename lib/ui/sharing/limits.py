"""What guests may ask for, and its form."""

import time

import streamlit as st

from lib.core.preferences import GuestLimits, change, preferences
from lib.ui import listing
from lib.ui.shell import shown_errors

SAVED, SAVED_SECONDS = "sharing_saved", 30.0  # when the limits were saved; so long it is said
LIMIT = "sharing_limit_"  # before the names of GuestLimits: the keys of their widgets
NUMBERS = {  # label, least and most
    "tokens_per_reply": ("Tokens per reply", 16, 1_000_000),
    "questions_per_minute": ("Questions a minute, each guest", 1, 1_000),
    "replies_each": ("Replies at a time, each guest", 1, 64),
    "replies_of_all": ("Replies at a time, all guests", 1, 256),
}
HELP = {
    "replies_each": "With two or more a guest may compare models that run, at most four; each "
    "answer counts as a question.",
}


def form() -> None:
    """For the owner."""
    now = preferences().guests
    st.caption("Guests from one address count as one, however often they sign in.")
    with st.form("sharing_limits_form", border=False):
        with st.container(horizontal=True):
            for name, (label, least, most) in NUMBERS.items():
                st.number_input(
                    label,
                    least,
                    most,
                    getattr(now, name),
                    width=300,
                    key=f"{LIMIT}{name}",
                    help=HELP.get(name),
                )
        known = [model.key for model in listing.models()]
        st.multiselect(
            "Models",
            list(dict.fromkeys([*known, *now.models])),
            default=now.models,
            format_func=lambda key: key.partition("/")[2],
            placeholder="All that run on this machine",
            key=f"{LIMIT}models",
        )
        st.checkbox(
            "Guests may load a model that does not run, by asking it",
            value=now.may_load,
            key=f"{LIMIT}may_load",
        )
        st.form_submit_button("Save the limits", on_click=_save_limits)
    if time.monotonic() < st.session_state.get(SAVED, 0.0) + SAVED_SECONDS:
        st.caption(":green[:material/check:] The limits hold from the next question on.")


def _save_limits() -> None:
    with shown_errors():
        fields = {name: f"{LIMIT}{name}" for name in GuestLimits.model_fields}
        told = {
            name: st.session_state[key] for name, key in fields.items() if key in st.session_state
        }
        change(guests={**preferences().guests.model_dump(), **told})
        st.session_state[SAVED] = time.monotonic()
