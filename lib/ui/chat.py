"""The chat page's parts: choice of model, messages, the live reply, the input."""

import secrets
import time
from collections import Counter

import streamlit as st

from lib import replies, words
from lib.blocks import groups, split
from lib.engines.base import Message, Model, State
from lib.errors import BerthError
from lib.replies import Figures, Reply, ReplyRequest, ReplyState
from lib.ui import markdown, models
from lib.ui.live_reply import MODEL_AVATAR, live_reply
from lib.ui.session import (
    Conversation,
    Turn,
    choose_model,
    chosen_model,
    conversation,
    owner,
    set_conversation,
    user_turn,
)

HANDOVER_SECONDS = 0.03  # between two groups: drawn at once they would freeze the browser
USER_AVATAR = ":material/person:"
ENDINGS = {
    ReplyState.STOPPED: "Stopped",
    ReplyState.INTERRUPTED: "Berth was restarted while this reply was written",
}


def header(found: list[Model]) -> Model:
    """The model to ask, its state, and the way to a new conversation."""
    with st.container(horizontal=True, wrap=False, vertical_alignment="center"):
        model = _picker(found)
        models.badge(model)
        st.button("New", icon=":material/edit_square:", key="chat_new", on_click=new_conversation)
    return model


def _picker(found: list[Model]) -> Model:
    """Running models first; the choice is kept from page to page.

    The labels stay the same whatever the models do: the browser remembers a choice by its label.
    """
    by_key = {f"{model.engine}/{model.name}": model for model in found}
    if chosen_model() not in by_key:
        choose_model(next(iter(by_key)))
    names = Counter(model.name for model in found)
    key = st.selectbox(
        "Model",
        list(by_key),
        key="chat_model",
        format_func=lambda key: key if names[by_key[key].name] > 1 else by_key[key].name,
        label_visibility="collapsed",
        persist_state="session",
    )
    return by_key[key]


def opened() -> Conversation:
    """The session's conversation; after a reload, the one that the address names."""
    talk = conversation()
    if talk is None:
        talk = _from_address() or Conversation(
            id=secrets.token_hex(16), turns=[], reply="", is_handed_over=True
        )
        set_conversation(talk)
    if talk["turns"]:
        st.query_params["c"] = talk["id"]
    return talk


def _from_address() -> Conversation | None:
    wanted = st.query_params.get("c", "")
    reply = replies.latest(wanted, owner()) if wanted else None
    if reply is None:
        return None
    turns = [user_turn(m.content) for m in reply.request.messages]
    for turn, message in zip(turns, reply.request.messages, strict=True):
        turn["role"] = message.role
    if reply.is_over:
        return Conversation(id=wanted, turns=[*turns, _turn(reply)], reply="", is_handed_over=True)
    return Conversation(id=wanted, turns=turns, reply=reply.id, is_handed_over=False)


def take_finished(talk: Conversation) -> None:
    """Move the live reply into the messages once it is over."""
    if not talk["reply"]:
        return
    try:
        reply = replies.find(talk["reply"], owner())
    except BerthError as error:
        talk["turns"].append(_lost(talk["reply"], error))
        talk["reply"] = ""
        return
    known = talk["turns"][-1]["reply"] if talk["turns"] else ""
    if reply.is_over and known != reply.id:
        talk["turns"].append(_turn(reply))


def _turn(reply: Reply) -> Turn:
    return Turn(
        role="assistant",
        content=reply.text,
        reply=reply.id,
        model=reply.request.model,
        reasoning=reply.reasoning,
        state=str(reply.state),
        figures=reply.figures.model_dump(),
        problem=reply.problem.model_dump() if reply.problem else None,
    )


def _lost(reply_id: str, error: BerthError) -> Turn:
    return Turn(
        role="assistant",
        content="",
        reply=reply_id,
        model="",
        reasoning="",
        state=str(ReplyState.FAILED),
        figures={},
        problem={"message": error.message, "fix": error.fix},
    )


def messages(talk: Conversation) -> None:
    """Everything said so far, and the reply that is being written.

    The live element comes first in time, though below: it stays while the messages above it grow.
    """
    above, below = st.container(), st.container()
    with below:
        live_reply(talk["id"], talk["reply"])
    with above:
        for turn in talk["turns"]:
            _message(turn, is_new=turn["reply"] == talk["reply"] and not talk["is_handed_over"])
    talk["is_handed_over"] = not is_running(talk)


def _message(turn: Turn, is_new: bool) -> None:
    if turn["role"] == "user":
        with st.chat_message("user", avatar=USER_AVATAR):
            st.text(turn["content"])
    elif turn["role"] == "assistant":
        with st.chat_message("assistant", avatar=MODEL_AVATAR):
            _text(turn, HANDOVER_SECONDS if is_new else 0)
            _foot(turn)


def is_running(talk: Conversation) -> bool:
    """Is a reply being written that is not among the messages yet?"""
    last = talk["turns"][-1]["reply"] if talk["turns"] else ""
    return bool(talk["reply"]) and last != talk["reply"]


def _text(turn: Turn, pause_seconds: float) -> None:
    """The reply in groups; while the live copy gives way, one after the other."""
    if turn["reasoning"]:
        with st.container(key=f"thought-{turn['reply']}"), st.expander("Thinking"):
            st.markdown(markdown.safe(turn["reasoning"]))
    for last, text in groups(split(turn["content"])):
        with st.container(key=f"block-{turn['reply']}-{last}"):
            st.markdown(markdown.safe(text))
        time.sleep(pause_seconds)


def _foot(turn: Turn) -> None:
    """Figures, and for a reply that did not end well: why, and Retry."""
    state = ReplyState(turn["state"])
    line = figures_line(Figures.model_validate(turn["figures"]))
    ending = ENDINGS.get(state, "")
    if ending or line:
        st.caption(" · ".join(part for part in (ending, line, turn["model"]) if part))
    if turn["problem"]:
        st.error(f"{turn['problem']['message']} {turn['problem']['fix']}".strip())
    talk = conversation()
    if talk and turn is talk["turns"][-1] and state != ReplyState.DONE:
        st.button("Retry", icon=":material/refresh:", key="chat_retry", on_click=_retry)


def figures_line(figures: Figures) -> str:
    """`first token 0.21 s · 36.2 tok/s · 128 tokens`, as far as it was measured."""
    parts = []
    if figures.first_token_seconds is not None:
        parts.append(f"first token {words.duration(figures.first_token_seconds)}")
    if figures.tokens_per_second is not None:
        parts.append(f"{figures.tokens_per_second:.1f} tok/s")
    if figures.completion_tokens is not None:
        parts.append(words.count(figures.completion_tokens, "token"))
    if figures.finish_reason == "length":
        parts.append("cut at the token limit")
    return " · ".join(parts)


def composer(talk: Conversation, model: Model) -> None:
    """The input, with Stop in a fixed place above it while a reply is written."""
    if not talk["turns"]:
        _welcome(model)
    with st.bottom:
        if is_running(talk):
            st.button(
                "Stop",
                icon=":material/stop_circle:",
                key="chat_stop",
                on_click=_stop,
                shortcut="Escape",
            )
        hint = "Message" if model.can_chat else "Text to continue"
        st.chat_input(hint, key="chat_input", on_submit=_say)


def _say() -> None:
    """A new message; one that is still being answered is stopped, and what came is kept.

    A callback, so that the request is on its way before the page is drawn, and drawn once.
    """
    talk = conversation()
    text = str(st.session_state["chat_input"] or "").strip()
    if not talk or not text:
        return
    if is_running(talk):
        replies.find(talk["reply"], owner()).stop()
        take_finished(talk)
    talk["turns"].append(user_turn(text))
    _ask(talk)


def _ask(talk: Conversation) -> None:
    """Let the chosen model answer what has been said."""
    engine, _, model = chosen_model().partition("/")
    asked = [
        Message.model_validate({"role": turn["role"], "content": turn["content"]})
        for turn in talk["turns"]
        if turn["content"]
    ]
    request = ReplyRequest(
        conversation=talk["id"],
        owner=owner(),
        model=model,
        engine=engine,
        messages=tuple(asked),
    )
    talk["reply"] = replies.start(request).id
    talk["is_handed_over"] = False


def _stop() -> None:
    talk = conversation()
    if talk and talk["reply"]:
        replies.find(talk["reply"], owner()).stop()


def _retry() -> None:
    """Ask again in place of the reply that failed."""
    talk = conversation()
    if talk and talk["turns"] and talk["turns"][-1]["role"] == "assistant":
        talk["turns"].pop()
        _ask(talk)


def _welcome(model: Model) -> None:
    """What an empty conversation says."""
    can = (
        "Ask anything" if model.can_chat else "This model has no chat template: it continues a text"
    )
    loads = "" if model.state == State.READY else " It is loaded when you send the first message."
    st.markdown(f"##### {can}.")
    st.caption(f"{model.name} runs on this machine; nothing you write leaves it.{loads}")


def new_conversation() -> None:
    """Begin afresh; a reply that is being written goes on and ends unseen."""
    set_conversation(None)
    st.query_params.pop("c", None)
