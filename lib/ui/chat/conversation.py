"""The open conversation: where it comes from, what is asked in it, and that it is kept.

The browser's storage has what was said, the server's spool has the replies that run or have just
ended. Each may know more than the other; what both know appears once.
"""

from collections.abc import Sequence
from typing import NamedTuple, cast

import streamlit as st

from lib.chat import branches, conversations, lately, presets, replies, rounds, standing
from lib.chat.branches import Tree
from lib.chat.conversations import (
    Document,
    Turn,
    said,
    title_of,
)
from lib.chat.reply import Reply, ReplyState
from lib.core.errors import BerthError, NotFound
from lib.engines.base import Model
from lib.ui.elements import history
from lib.ui.elements.kept_reply import drawn_blocks
from lib.ui.session import (
    Conversation,
    chat_token,
    conversation,
    is_comparing,
    notices,
    owner,
    set_conversation,
)


def opened() -> Conversation:
    """The session's conversation; after a reload, the one that the address names."""
    talk = conversation()
    if talk is None:
        talk = _from_address() or _fresh()
        set_conversation(talk)
    if take_asked(talk):
        save(talk)
    if talk["turns"]:
        st.query_params["c"] = talk["id"]
    return talk


def take_asked(talk: Conversation) -> bool:
    """Take up what was asked over the page's own socket; was there anything? To be saved then."""
    if talk["is_awaited"]:
        return False
    found = standing.take(chat_token(), talk["id"])
    for asked in found:
        collect(talk)
        add(talk, [asked.question])
        talk["lanes"], talk["replaced"], talk["deleted"] = [asked.reply.id], "", []
        talk["is_handed_over"] = False
        talk["changed"].append(talk["leaf"])
    return bool(found)


class Offer(NamedTuple):
    """How a page takes the next question: by its token, which is empty where Streamlit does."""

    token: str
    is_ready: bool  # or in a moment: a reply is being written, or the conversation has not come


def offer(talk: Conversation, model: Model | None) -> Offer:
    """Let the next question be asked without a run of the page, where it is an ordinary one."""
    is_ready = not (talk["is_awaited"] or is_running(talk))
    if model is None or is_comparing() or not owner():
        standing.withdraw(chat_token())
        return Offer("", False)
    if is_ready:
        stand = standing.of(talk["id"], owner(), model, talk["settings"], path(talk))
        standing.offer(chat_token(), stand)
    else:
        standing.withdraw(chat_token())
    return Offer(chat_token(), is_ready)


def _fresh() -> Conversation:
    """A new conversation, with the settings that new ones are to begin with."""
    talk = blank(conversations.new_id())
    talk["settings"] = presets.defaults().stored()
    return talk


def blank(talk_id: str) -> Conversation:
    """A conversation in which nothing has been said."""
    return Conversation(
        id=talk_id,
        title="",
        turns=[],
        leaf="",
        lanes=[],
        replaced="",
        settings={},
        is_handed_over=True,
        is_awaited=False,
        revision="",
        changed=[],
        deleted=[],
        unfolded=0,
    )


def _from_address() -> Conversation | None:
    """The conversation that the address names, to be filled once the browser has answered.

    A reply that is being written goes on at once; the server alone could not tell what has been
    deleted since.
    """
    wanted = st.query_params.get("c", "")
    if not conversations.is_id(wanted):
        return None
    talk = blank(wanted)
    talk["is_awaited"] = True
    history.get(wanted)
    for reply in replies.latest(wanted, owner()):
        follow(talk, reply)
    return talk


def catch_up(talk: Conversation) -> None:
    """Change the stored copy as the page did that ended before the browser had stored it."""
    if changes := lately.missed(talk["id"], owner(), talk["revision"]):
        talk["turns"] = lately.caught_up(talk["turns"], changes)
        talk["leaf"] = changes[-1].leaf
        talk["changed"] += [turn["id"] for change in changes for turn in change.turns]


def add_known(talk: Conversation) -> None:
    """Add what the server knows of it: the last replies and what they answered.

    A page may have ended before the browser stored its question, while another one asked.
    """
    for reply in replies.kept(talk["id"], owner()):
        asked = standing.question_of(reply.id)
        known = {asked["id"]: asked} if asked else {}
        found = _known_before(talk, reply) + conversations.turns_of(reply)
        add(talk, [known.get(turn["id"], turn) for turn in found])


def _known_before(talk: Conversation, reply: Reply) -> list[Turn]:
    """What was said before that, as far as it is kept and the conversation has it not."""
    known = {turn["id"] for turn in talk["turns"]}
    found: list[Turn] = []
    while (before := reply.request.before) and before not in known:
        known.add(before)
        try:
            reply = replies.find(before, owner())
        except NotFound:
            break
        found = conversations.turns_of(reply) + found
    return found


def add(talk: Conversation, turns: Sequence[Turn]) -> None:
    """Put turns into it that it may have already; the last one is shown."""
    known = {turn["id"] for turn in talk["turns"]}
    fresh = [turn for turn in turns if turn["id"] not in known]
    talk["turns"] += fresh
    talk["changed"] += [turn["id"] for turn in fresh]
    if fresh:
        beside = rounds.answers(talk["turns"], fresh[-1]["round"])
        talk["leaf"] = (rounds.going_on(beside) if beside else fresh[-1])["id"]


def follow(talk: Conversation, reply: Reply) -> None:
    """Draw the reply live while it is written, in place of what it goes on from."""
    if not reply.is_over:
        talk["lanes"].append(reply.id)
        talk["is_handed_over"] = False
        talk["replaced"] = reply.request.turns[-1] if reply.request.beginning else ""


def path(talk: Conversation) -> list[Turn]:
    """The turns of the branch that is shown."""
    return Tree(talk["turns"]).path(talk["leaf"])


def running(talk: Conversation) -> list[str]:
    """The ids of the replies that are being written and are not among the messages yet."""
    known = {turn["id"] for turn in talk["turns"]}
    return [reply_id for reply_id in talk["lanes"] if reply_id not in known]


def is_running(talk: Conversation) -> bool:
    """Is a reply being written that is not among the messages yet?"""
    return bool(running(talk))


def take_finished(talk: Conversation) -> None:
    """Move live replies into the messages once they are over, and save them.

    Saved is also what a run has left that was ended before its own save.
    """
    if collect(talk) or talk["changed"]:
        save(talk)


def collect(talk: Conversation) -> bool:
    """Move live replies that are over into the messages; were there any?"""
    over = [turn for reply_id in running(talk) if (turn := _over(talk, reply_id))]
    if not over:
        return False
    leaf, waiting = talk["leaf"], (over[0]["parent"], talk["replaced"])
    add(talk, over)
    if leaf and leaf not in waiting and not over[0]["round"]:
        talk["leaf"] = leaf
    if talk["replaced"] and over[0]["state"] != ReplyState.FAILED:
        mark_deleted(talk, talk["replaced"])
    talk["replaced"] = ""
    return True


def _over(talk: Conversation, reply_id: str) -> Turn | None:
    """A reply as a turn, once it is over; also where nobody knows it any more."""
    try:
        reply = replies.find(reply_id, owner())
    except NotFound as error:
        return _lost(reply_id, talk["leaf"], error)
    return conversations.answer(reply) if reply.is_over else None


def _lost(reply_id: str, parent: str, error: BerthError) -> Turn:
    lost = said("assistant", "", reply_id, parent)
    lost["state"] = str(ReplyState.FAILED)
    lost["problem"] = {"message": error.message, "fix": error.fix}
    return lost


def document(talk: Conversation) -> Document:
    """The conversation as it is stored."""
    return Document.model_construct(
        turns=talk["turns"],
        leaf=talk["leaf"],
        replies=running(talk),
        settings=talk["settings"],
    )


def save(talk: Conversation) -> None:
    """Put what changed into the browser's storage; what is awaited, once it is whole."""
    if talk["is_awaited"] or not talk["turns"]:
        return
    talk["title"] = talk["title"] or _first_words(talk)
    whole, changed = document(talk), set(talk["changed"])
    change = whole.model_copy(
        update={"turns": [turn for turn in talk["turns"] if turn["id"] in changed]}
    )
    before = talk["revision"]
    talk["revision"] = history.put(
        talk["id"],
        talk["title"],
        change,
        talk["revision"],
        len(talk["turns"]),
        is_answered=talk["id"] in unsaved(),
        drawn=[turn["id"] for turn in change.turns if _is_drawn(turn)],
    )
    lately.note(talk["id"], owner(), before, talk["revision"], change.turns, talk["leaf"])
    talk["changed"] = []


def _is_drawn(turn: Turn) -> bool:
    """Has this page's window all its words? One that follows a schema was drawn as code."""
    return turn["id"] in drawn_blocks() and not turn["gone"] and not turn["check"]


def _first_words(talk: Conversation) -> str:
    first = (path(talk) or talk["turns"])[0]
    files = first["files"]
    return title_of(first["content"] or (files[0]["name"] if files else ""))


def unsaved() -> dict[str, dict[str, str]]:
    """Conversations that the browser refused, by id: title, document and why."""
    kept = st.session_state.setdefault("chat_unsaved", {})
    return cast("dict[str, dict[str, str]]", kept)


def save_again(talk_id: str) -> None:
    """Another attempt with what was refused."""
    talk, kept = conversation(), unsaved()[talk_id]
    if talk and talk["id"] == talk_id:
        talk["changed"] = [turn["id"] for turn in talk["turns"]]
        talk["revision"] = kept["rev"]
        save(talk)
    else:
        whole = conversations.read_document(kept["document"])
        history.put(talk_id, kept["title"], whole, kept["rev"], len(whole.turns), is_answered=True)


def mark_deleted(talk: Conversation, turn_id: str) -> None:
    """Leave an empty place where a turn was."""
    for turn in talk["turns"]:
        if turn["id"] == turn_id:
            branches.empty(turn)
            talk["changed"].append(turn_id)


def unfold(more: int) -> None:
    """Show so many more of the earlier messages."""
    if talk := conversation():
        talk["unfolded"] += more


def new() -> None:
    """Begin afresh; a reply that is being written goes on, and is kept when one comes back."""
    notices().clear()
    if (talk := conversation()) and take_asked(talk):
        save(talk)
    set_conversation(None)
    st.query_params.pop("c", None)
