"""The chat page's parts beside the messages: choice of model, what has to be said, the input."""

import contextlib
from collections import Counter
from functools import partial

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from lib.chat.conversations import (
    Document,
    Entry,
    bundle,
    read_document,
)
from lib.core import access, names
from lib.core.access import Role
from lib.core.errors import BerthError
from lib.engines import find_model
from lib.engines.base import Model, State
from lib.ui import markdown, models, session, shared_line
from lib.ui.chat import compare, control, conversation
from lib.ui.chat import settings_view as chat_settings_view
from lib.ui.chat.context_meter import context_meter, context_warning, room
from lib.ui.chat.conversation import is_running
from lib.ui.elements.attach import attach, taken
from lib.ui.session import Conversation, choose_model, chosen_model, is_comparing, notices

BADGE_SECONDS = 1.0
WELCOME = "chat_welcome"
UNSAVED = {
    "full": "the browser's storage for Berth is full. It stays on this page until the page is "
    "closed. Export it, or delete older conversations and save again.",
    "blocked": "this browser keeps nothing for Berth. It stays on this page until the page is "
    "closed. Export it, or allow this address to store data.",
}


def header(talk: Conversation, found: list[Model]) -> Model:
    """The model to ask, its state, the conversation's settings, and how full its context is.

    It stays in view while the conversation scrolls (chat_page.css).
    """
    compare.settle(found)
    with st.container(key="chat_head"):
        st.title("Chat", anchor=False)  # heard, and not seen: the page list says where one is
        with _row("chat_head_top"):
            if is_comparing():
                model = compare.picker(found, labels(found))
            else:
                model = _picker(found)
                _badge(talk, model)
            compare.toggle(found)
            st.button(
                "New", icon=":material/edit_square:", key="chat_new", on_click=conversation.new
            )
        with _row("chat_head_below"):
            chat_settings_view.button(talk)
            context_meter(talk, model)
    chat_settings_view.dialog(talk, model)
    return model


def _row(key: str) -> DeltaGenerator:
    return st.container(horizontal=True, vertical_alignment="center", key=key)


def _badge(talk: Conversation, model: Model) -> None:
    """How the model is; looked at again while one that did not run is loaded for a reply."""
    is_loaded = is_running(talk) and model.state != State.READY
    st.fragment(_state, run_every=BADGE_SECONDS if is_loaded else None)(model, is_loaded)


def _state(model: Model, is_loaded: bool) -> None:
    if is_loaded:
        with contextlib.suppress(BerthError):
            model = find_model(model.name, model.engine)
        if model.state == State.STOPPED:  # its load is about to begin
            model = model.model_copy(update={"state": State.STARTING})
    models.badge(model)


def _picker(found: list[Model]) -> Model:
    """Running models first; the choice is kept from page to page.

    The labels stay the same whatever the models do: the browser remembers a choice by its label.
    """
    by_key = {model.key: model for model in found}
    if chosen_model() not in by_key:
        choose_model(next(iter(by_key)))
    key = st.selectbox(
        "Model",
        list(by_key),
        key="chat_model",
        format_func=labels(found).__getitem__,
        label_visibility="collapsed",
        persist_state="session",
    )
    return by_key[key]


def labels(found: list[Model]) -> dict[str, str]:
    """What a choice of models says, by `engine/name`: the engine only where two have one name."""
    same = Counter(model.called for model in found)
    return {one.key: one.key if same[one.called] > 1 else one.called for one in found}


def notes() -> None:
    """What has to be said about keeping conversations, until the person goes on."""
    for notice in notices():
        st.error(notice["text"]) if notice["level"] == "error" else st.info(notice["text"])
    for talk_id, kept in conversation.unsaved().items():
        _unsaved(talk_id, kept)


def _unsaved(talk_id: str, kept: dict[str, str]) -> None:
    why = UNSAVED.get(kept["why"], UNSAVED["blocked"])
    with st.container(border=True, key=f"unsaved-{talk_id}"):
        st.error(f"**“{markdown.plain(kept['title'])}” is not saved:** {why}")
        with st.container(horizontal=True):
            st.download_button(
                "Export",
                _exported(talk_id, kept),
                file_name=f"{names.slug(kept['title'])}.json",
                mime="application/json",
                key=f"export-{talk_id}",
                on_click="ignore",
            )
            st.button(
                "Save again",
                key=f"save-{talk_id}",
                on_click=conversation.save_again,
                args=(talk_id,),
            )


def _exported(talk_id: str, kept: dict[str, str]) -> str:
    document: Document = read_document(kept["document"])
    return bundle(Entry(id=talk_id, title=kept["title"], document=document))


def composer(talk: Conversation, model: Model) -> None:
    """The input, with Stop in a fixed place above it while a reply is written."""
    if not talk["turns"] and not talk["is_awaited"]:
        with st.container(key=WELCOME):  # gone with the first question, as asked.js sees to
            compare.welcome() if is_comparing() else _welcome(model)
    with st.bottom:
        if is_running(talk):
            st.button(
                "Stop",
                icon=":material/stop_circle:",
                key="chat_stop",
                on_click=control.stop,
                shortcut="Escape",
            )
        attach(
            talk["id"],
            model.key,
            model.can_see,
            sent=sum(turn["role"] == "user" for turn in talk["turns"]),
            room=room(talk, model),
        )
        context_warning(talk, model)
        hint = compare.lacks() or ("Message" if model.can_chat else "Text to continue")
        is_disabled = talk["is_awaited"] or bool(compare.lacks())
        st.chat_input(hint, key="chat_input", on_submit=_say, disabled=is_disabled)


def _say() -> None:
    """A callback, so that the request is on its way before the page is drawn, and drawn once."""
    text = str(st.session_state.get("chat_input") or "").strip()
    talk = session.conversation()
    if text and talk:
        control.say(text, partial(taken, talk["id"]))


def _welcome(model: Model) -> None:
    """What an empty conversation says."""
    can = (
        "Ask anything" if model.can_chat else "This model has no chat template: it continues a text"
    )
    loads = "" if model.state == State.READY else " It is loaded when you send the first message."
    st.header(f"{can}.", anchor=False)
    st.caption(markdown.plain(f"{model.called} runs on {_where(model)}{loads}"))


def _where(model: Model) -> str:
    """Where what is written goes, told to whoever reads: a guest writes to somebody's machine."""
    if access.role() == Role.GUEST:
        there = "another machine, which the one that shares it asks" if model.is_elsewhere else ""
        return f"{there or 'the machine that shares it'}. {shared_line.privacy()}"
    if model.is_elsewhere:
        return f"{model.place}, another machine: what you write goes there."
    return "this machine; nothing you write leaves it."
