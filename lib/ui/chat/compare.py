"""The chat page's compare mode: on or off, and which models are asked."""

from typing import Literal

import streamlit as st

from lib.chat import rounds
from lib.chat.conversations import MOST_LANES
from lib.core.access import Action, may
from lib.core.preferences import preferences
from lib.engines.base import Model, State
from lib.ui.chat import conversation
from lib.ui.session import (
    Conversation,
    chosen_model,
    compare_models,
    compared_models,
    is_comparing,
)

LEAST = 2
NEEDS = "Asks several models the same. It needs two: deploy another on the Deploy page."


def layout(talk: Conversation) -> Literal["centered", "wide"]:
    """Columns need the whole width."""
    has_columns = any(turn["round"] for turn in conversation.path(talk))
    return "wide" if is_comparing() or has_columns else "centered"


def most() -> int:
    """How many models may be asked at once: by a guest, as many as the owner's limits allow."""
    if may(Action.RUN):
        return MOST_LANES
    now = preferences().guests
    return min(MOST_LANES, now.replies_each, now.replies_of_all, now.questions_per_minute)


def comparable(found: list[Model]) -> list[Model]:
    """Those that may be compared: a guest cannot make room for one that does not run."""
    can_load = may(Action.RUN)
    return [model for model in found if can_load or model.state == State.READY]


def take_up(talk: Conversation) -> None:
    """Where a conversation is opened that ends with a comparison, compare on; once for each."""
    if most() < LEAST:
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
    """The switch; where there is nothing to compare it says what it needs, to whoever can do it."""
    is_off = not (is_comparing() or _is_possible(found))
    if is_off and not may(Action.RUN):
        return
    st.toggle(
        "Compare",
        key="chat_compare",
        persist_state="session",
        disabled=is_off,
        help=NEEDS if is_off else None,
    )


def _is_possible(found: list[Model]) -> bool:
    return len(comparable(found)) >= LEAST and most() >= LEAST


def settle(found: list[Model]) -> None:
    """Leave the mode where the owner's limits, or a model's end, leave a guest nothing to compare.

    To be called before the switch is drawn. The owner may have one model for a moment.
    """
    if is_comparing() and not may(Action.RUN) and not _is_possible(found):
        st.session_state["chat_compare"] = False


def picker(found: list[Model], labels: dict[str, str]) -> Model:
    """The models to ask; at first the one of the chat and the next. The first is returned.

    What it `can_see` is what all of them can.
    """
    by_key = {model.key: model for model in comparable(found)}
    known = [key for key in compared_models() if key in by_key]
    if st.session_state.get("chat_compared") is None:
        first = chosen_model() if chosen_model() in by_key else next(iter(by_key))
        known = [first, *(key for key in by_key if key != first)][:LEAST]
    most_now = most()
    how_many = f"{LEAST} to {most_now}" if most_now > LEAST else f"{LEAST}"
    known = known[:most_now]
    compare_models(known)
    st.multiselect(
        "Models to compare",
        list(by_key),
        key="chat_compared",
        format_func=labels.__getitem__,
        max_selections=most_now,
        placeholder=f"Choose {how_many} models",
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
    st.header("Ask several models the same.", anchor=False)
    told = "Their answers appear side by side, each with its figures."
    if may(Action.RUN):
        told += (
            " Models that do not run are loaded; where memory has no room for all of them, they"
            " answer one after the other."
        )
    st.caption(told)
