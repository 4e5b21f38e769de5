"""What can be done with a message: what its bar tells of clicks, and asking another model."""

from typing import Any

import streamlit as st

from lib.core.access import Action, may
from lib.ui.chat import control
from lib.ui.session import chosen_model


def act(clicked: object) -> None:
    """Do what was clicked below a message."""
    match clicked:
        case {
            "do": "edit",
            "id": str(turn_id),
            "text": str(text),
            "files": list(kept),
            "as": str(own_id),
        }:
            control.edit(turn_id, text, kept, own_id)
        case {"do": "again", "id": str(turn_id)}:
            control.regenerate(turn_id)
        case {"do": "with", "id": str(turn_id)}:
            st.session_state["chat_again"] = turn_id
        case {"do": "go on", "id": str(turn_id)}:
            control.go_on(turn_id)
        case {"do": "show", "id": str(turn_id)}:
            control.show(turn_id)
        case {"do": "delete", "id": str(turn_id)}:
            control.delete(turn_id)


def ask_again_with(labels: dict[str, str]) -> None:
    """Let another model be chosen, where that was asked for; `labels` by `engine/name`."""
    turn_id = st.session_state.pop("chat_again", "")
    if turn_id:
        _choice(turn_id, labels)


@st.dialog("Answer again with another model")
def _choice(turn_id: str, labels: dict[str, str]) -> None:
    others = [key for key in labels if key != chosen_model()]
    if not others:
        _alone()
        return
    st.radio("Model", others, format_func=labels.__getitem__, key="chat_again_model")
    st.caption("The answer there is stays: the arrows below it lead from one to the other.")
    st.button(
        "Answer again",
        type="primary",
        key="chat_again_go",
        on_click=_again_with,
        args=(turn_id,),
    )


def _alone() -> None:
    """What to do where there is no other model."""
    if may(Action.DEPLOY):
        st.markdown("There is one model here. Another one can answer once it is deployed.")
        st.page_link("pages/1_Deploy.py", label="Deploy another", icon=":material/rocket_launch:")
    else:
        st.markdown("There is one model here. Its owner can deploy another one.")


def _again_with(turn_id: str) -> None:
    choice: Any = st.session_state.get("chat_again_model")
    control.regenerate(turn_id, str(choice or ""))
