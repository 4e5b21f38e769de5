"""What the session remembers: plain data, one accessor per key."""

from typing import Any, TypedDict, cast

import streamlit as st


class Turn(TypedDict):
    """One message as the page keeps it; the last four are an assistant's."""

    role: str
    content: str
    reply: str
    model: str
    reasoning: str
    state: str
    figures: dict[str, Any]
    problem: dict[str, str] | None


class Conversation(TypedDict):
    """A conversation; `reply` is the id of the reply that is drawn live, or empty."""

    id: str
    turns: list[Turn]
    reply: str
    is_handed_over: bool


def user_turn(content: str) -> Turn:
    """What the person wrote."""
    return Turn(
        role="user",
        content=content,
        reply="",
        model="",
        reasoning="",
        state="",
        figures={},
        problem=None,
    )


def conversation() -> Conversation | None:
    """The conversation that is open in this session."""
    return cast("Conversation | None", st.session_state.get("chat_conversation"))


def set_conversation(value: Conversation | None) -> None:
    """Open another conversation, or none."""
    st.session_state["chat_conversation"] = value


def chosen_model() -> str:
    """The model the chat page asks, as `engine/name`; empty before a choice."""
    return str(st.session_state.get("chat_model") or "")


def choose_model(choice: str) -> None:
    """Preselect a model for the chat page."""
    st.session_state["chat_model"] = choice


def opened_details() -> str:
    """Which row of the models page shows its details."""
    return str(st.session_state.get("models_details") or "")


def open_details(key: str) -> None:
    """Show the details of one row; an empty key closes them."""
    st.session_state["models_details"] = key


def owner() -> str:
    """The browser's id that the gate vouches for; replies belong to it."""
    return str(st.user.to_dict().get("who") or "")
