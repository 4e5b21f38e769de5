"""The open conversation: where it comes from, what is asked in it, and that it is kept.

The browser's storage has what was said, the server's spool has the reply that runs or has just
ended. Each may know more than the other; what both know appears once.
"""

from typing import cast

import streamlit as st

from lib import conversations, replies
from lib.conversations import Document, Turn, said, title_of
from lib.engines.base import Message
from lib.errors import BerthError, NotFound
from lib.replies import Reply, ReplyRequest, ReplyState
from lib.ui import history
from lib.ui.session import (
    Conversation,
    chosen_model,
    conversation,
    notices,
    owner,
    set_conversation,
)


def opened() -> Conversation:
    """The session's conversation; after a reload, the one that the address names."""
    talk = conversation()
    if talk is None:
        talk = _from_address() or blank(conversations.new_id())
        set_conversation(talk)
    if talk["turns"]:
        st.query_params["c"] = talk["id"]
    return talk


def blank(talk_id: str) -> Conversation:
    """A conversation in which nothing has been said."""
    return Conversation(
        id=talk_id,
        title="",
        turns=[],
        reply="",
        settings={},
        is_handed_over=True,
        is_awaited=False,
        revisions=[],
    )


def _from_address() -> Conversation | None:
    """What the server knows of it, at once; the browser is asked for the rest."""
    wanted = st.query_params.get("c", "")
    if not conversations.is_id(wanted):
        return None
    talk = blank(wanted)
    talk["is_awaited"] = True
    history.get(wanted)
    if reply := replies.latest(wanted, owner()):
        talk["turns"] = conversations.turns_of(reply)
        follow(talk, reply)
    return talk


def follow(talk: Conversation, reply: Reply) -> None:
    """Draw the reply live while it is written."""
    if not reply.is_over:
        talk["reply"], talk["is_handed_over"] = reply.id, False


def is_running(talk: Conversation) -> bool:
    """Is a reply being written that is not among the messages yet?"""
    last = talk["turns"][-1]["reply"] if talk["turns"] else ""
    return bool(talk["reply"]) and last != talk["reply"]


def take_finished(talk: Conversation) -> None:
    """Move the live reply into the messages once it is over, and save them."""
    if not is_running(talk):
        return
    try:
        reply = replies.find(talk["reply"], owner())
    except NotFound as error:
        talk["turns"].append(_lost(talk["reply"], error))
        save(talk)
        return
    if reply.is_over:
        talk["turns"].append(conversations.answer(reply))
        save(talk)


def _lost(reply_id: str, error: BerthError) -> Turn:
    lost = said("assistant", "", reply_id)
    lost["state"] = str(ReplyState.FAILED)
    lost["problem"] = {"message": error.message, "fix": error.fix}
    return lost


def save(talk: Conversation) -> None:
    """Put it into the browser's storage with this run; an awaited one is saved when it is whole."""
    if talk["is_awaited"] or not talk["turns"]:
        return
    talk["title"] = talk["title"] or title_of(talk["turns"][0]["content"])
    running = talk["reply"] if is_running(talk) else ""
    document = Document.model_construct(
        turns=talk["turns"], reply=running, settings=talk["settings"]
    )
    is_unsure = talk["id"] in unsaved()
    history.put(talk["id"], talk["title"], document, talk["revisions"], is_answered=is_unsure)


def unsaved() -> dict[str, dict[str, str]]:
    """Conversations that the browser refused, by id: title, document and why."""
    kept = st.session_state.setdefault("chat_unsaved", {})
    return cast("dict[str, dict[str, str]]", kept)


def save_again(talk_id: str) -> None:
    """Another attempt with what was refused."""
    talk, kept = conversation(), unsaved()[talk_id]
    if talk and talk["id"] == talk_id:
        save(talk)
    else:
        document = conversations.read_document(kept["document"])
        history.put(talk_id, kept["title"], document, [kept["rev"]], is_answered=True)


def say(text: str) -> None:
    """A new message; one that is still being answered is stopped, and what came is kept."""
    talk = conversation()
    if not talk or talk["is_awaited"]:
        return
    notices().clear()
    if is_running(talk):
        stop()
        take_finished(talk)
    talk["turns"].append(said("user", text))
    _ask(talk)


def stop() -> None:
    """End the reply that is being written."""
    talk = conversation()
    if talk and talk["reply"]:
        replies.find(talk["reply"], owner()).stop()


def retry() -> None:
    """Ask again in place of the reply that failed."""
    talk = conversation()
    if talk and talk["turns"] and talk["turns"][-1]["role"] == "assistant":
        talk["turns"].pop()
        _ask(talk)


def _ask(talk: Conversation) -> None:
    """Let the chosen model answer what has been said, and save the question."""
    engine, _, model = chosen_model().partition("/")
    asked = [
        Message(role=turn["role"], content=turn["content"])
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
    save(talk)


def new() -> None:
    """Begin afresh; a reply that is being written goes on, and is kept when one comes back."""
    notices().clear()
    set_conversation(None)
    st.query_params.pop("c", None)
