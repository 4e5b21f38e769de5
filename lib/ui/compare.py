"""The chat page's compare mode: on or off, and which models are asked."""

from typing import Literal

import streamlit as st

from lib import rounds
from lib.access import Action, may
from lib.conversations import MOST_LANES
from lib.engines.base import Model
from lib.ui import conversation
from lib.ui.session import (
    Conversation,
    chosen_model,
    compare_models,
    compared_models,
    is_comparing,
)

LEAST = 2


def layout(talk: Conversation) -> Literal["centered", "wide"]:
    """Columns need the whole width."""
    has_columns = any(turn["round"] for turn in conversation.path(talk))
    return "wide" if is_comparing() or has_columns else "centered"


def take_up(talk: Conversation) -> None:
    """Where a conversation is opened that ends with a comparison, compare on; once for each."""
    if not may(Action.RUN):
        return
    is_known = st.session_state.get("chat_compare_talk") == talk["id"]
    if is_known or talk["is_awaited"] or not talk["turns"]:
        return
    st.session_state["chat_compare_talk"] = talk["id"]
    last = conversation.path(talk)[-1:]
    found = rounds.answers(talk["turns"], last[0]["round"]) if last else []
    if len(found) >= LEAST:
        st.session_state["chat_compare"] = True
        compare_models([f"{turn['engine']}/{turn['model']}" for turn in found])


def toggle(found: list[Model]) -> None:
    """The switch, where there is something to compare, for those who may load and stop models."""
    if may(Action.RUN) and (len(found) >= LEAST or is_comparing()):
        st.toggle("Compare", key="chat_compare", persist_state="session")


def picker(found: list[Model], labels: dict[str, str]) -> Model:
    """The models to ask; at first the one of the chat and the next. The first is returned.

    What it `can_see` is what all of them can.
    """
    by_key = {f"{model.engine}/{model.name}": model for model in found}
    known = [key for key in compared_models() if key in by_key]
    if st.session_state.get("chat_compared") is None:
        first = chosen_model() if chosen_model() in by_key else next(iter(by_key))
        known = [first, *(key for key in by_key if key != first)][:LEAST]
    compare_models(known)
    st.multiselect(
        "Models to compare",
        list(by_key),
        key="chat_compared",
        format_func=labels.__getitem__,
        max_selections=MOST_LANES,
        placeholder=f"Choose {LEAST} to {MOST_LANES} models",
        label_visibility="collapsed",
        wrap=True,
        persist_state="session",
    )
    chosen = [by_key[key] for key in known] or found[:1]
    return chosen[0].model_copy(update={"can_see": all(model.can_see for model in chosen)})


def lacks() -> str:
    """What is missing before a question can be sent; empty where nothing is."""
    is_short = is_comparing() and len(compared_models()) < LEAST
    return f"Choose at least {LEAST} models above" if is_short else ""


def welcome() -> None:
    """What an empty conversation says."""
    st.markdown("##### Ask several models the same.")
    st.caption(
        "Their answers appear side by side, each with its figures. Models that do not run are"
        " loaded; where memory has no room for all of them, they answer one after the other."
    )
