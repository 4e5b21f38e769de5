"""The open conversation: where it comes from, what is asked in it, and that it is kept.

The browser's storage has what was said, the server's spool has the replies that run or have just
ended. Each may know more than the other; what both know appears once.
"""

import copy
import time
from collections.abc import Sequence
from typing import cast

import streamlit as st

from lib import (
    branches,
    chat_settings,
    compare,
    conversations,
    presets,
    prompt,
    replies,
    rounds,
)
from lib.branches import Tree
from lib.conversations import Document, File, Turn, said, title_of
from lib.errors import BerthError, NotFound
from lib.replies import Reply, ReplyRequest, ReplyState
from lib.ui import history
from lib.ui.session import (
    Conversation,
    chosen_model,
    compared_models,
    conversation,
    is_comparing,
    notices,
    owner,
    set_conversation,
)

HEAD_START_SECONDS = 0.01  # the first token comes 15 ms or more sooner for it


def opened() -> Conversation:
    """The session's conversation; after a reload, the one that the address names."""
    talk = conversation()
    if talk is None:
        talk = _from_address() or _fresh()
        set_conversation(talk)
    if talk["turns"]:
        st.query_params["c"] = talk["id"]
    return talk


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


def add_known(talk: Conversation) -> None:
    """Add what the server knows of it: the newest replies and what they answered."""
    for reply in replies.latest(talk["id"], owner()):
        add(talk, conversations.turns_of(reply))


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
    """Move live replies into the messages once they are over, and save them."""
    over = [turn for reply_id in running(talk) if (turn := _over(talk, reply_id))]
    if not over:
        return
    leaf, waiting = talk["leaf"], (over[0]["parent"], talk["replaced"])
    add(talk, over)
    if leaf and leaf not in waiting and not over[0]["round"]:
        talk["leaf"] = leaf
    if talk["replaced"] and over[0]["state"] != ReplyState.FAILED:
        _mark_deleted(talk, talk["replaced"])
    talk["replaced"] = ""
    save(talk)


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
    talk["revision"] = history.put(
        talk["id"],
        talk["title"],
        change,
        talk["revision"],
        len(talk["turns"]),
        is_answered=talk["id"] in unsaved(),
    )
    talk["changed"] = []


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


def say(text: str, files: Sequence[File] = ()) -> None:
    """A new message; one that is still being answered is stopped, and what came is kept."""
    talk = _ready()
    if not talk:
        return
    turns = path(talk)
    question = said("user", text, parent=turns[-1]["id"] if turns else "")
    question["files"] = list(files)
    add(talk, [question])
    _ask(talk, _asked_models())


def _ready() -> Conversation | None:
    """The conversation, once nothing more is written in it; None while it has not come yet."""
    talk = conversation()
    if not talk or talk["is_awaited"]:
        return None
    notices().clear()
    if is_running(talk):
        stop()
        take_finished(talk)
    return talk


def stop() -> None:
    """End the replies that are being written."""
    talk = conversation()
    replies.stop_all([replies.find(one, owner()) for one in running(talk)] if talk else [])


def retry() -> None:
    """Ask again in place of the last reply, which failed; one without a word leaves no trace."""
    talk = _ready()
    last = path(talk)[-1] if talk else None
    if talk and last and last["role"] == "assistant":
        if not last["content"] and not last["reasoning"]:
            _mark_deleted(talk, last["id"])
        regenerate(last["id"])


def _mark_deleted(talk: Conversation, turn_id: str) -> None:
    for turn in talk["turns"]:
        if turn["id"] == turn_id:
            turn["gone"] = True
            talk["changed"].append(turn_id)


def regenerate(turn_id: str, model: str = "") -> None:
    """Answer the same question again, on a branch of its own; `model` is `engine/name`."""
    talk = _ready()
    turn = _known(talk, turn_id)
    if talk and turn and turn["role"] == "assistant":
        talk["leaf"] = turn["parent"]
        _ask(talk, [model or chosen_model()])


def edit(turn_id: str, text: str) -> None:
    """Ask something else in place of a question, on a branch of its own."""
    talk = _ready()
    turn = _known(talk, turn_id)
    if talk and turn and turn["role"] == "user" and text.strip():
        changed = said("user", text.strip(), parent=turn["parent"])
        changed["files"] = turn["files"]
        add(talk, [changed])
        _ask(talk, _asked_models())


def go_on(turn_id: str) -> None:
    """Have a reply that was cut continued by the model that wrote it."""
    talk = _ready()
    turn = _known(talk, turn_id)
    if talk and turn and turn["role"] == "assistant" and turn["content"]:
        talk["leaf"] = talk["replaced"] = turn_id
        _ask(talk, [_choice_of(turn)])


def retry_beside(turn_id: str) -> None:
    """Have a model answer again in its own column, in place of an answer that failed there."""
    talk = _ready()
    turn = _known(talk, turn_id)
    if talk and turn and turn["lane"]:
        _mark_deleted(talk, turn_id)
        talk["leaf"] = turn["parent"]
        request = _request(talk, _choice_of(turn), turn["lane"], turn["round"])
        _begun(talk, compare.start([request]))


def prefer(turn_id: str) -> None:
    """Vote for an answer; the conversation goes on from it."""
    talk = _ready()
    if talk and _known(talk, turn_id):
        talk["changed"] += rounds.prefer(talk["turns"], turn_id)
        show(turn_id)


def show(turn_id: str) -> None:
    """Go over to the branch of this turn, down to its newest end."""
    talk = _ready()
    if talk and _known(talk, turn_id):
        talk["leaf"] = Tree(talk["turns"]).end(turn_id)
        save(talk)


def delete(turn_id: str) -> None:
    """Delete a question with its answers; `undelete` brings the last such pair back."""
    talk = _ready()
    if not talk:
        return
    before = {turn["id"]: copy.copy(turn) for turn in talk["turns"]}
    gone = branches.delete(talk["turns"], turn_id)
    talk["deleted"] = [before[one] for one in gone]
    talk["changed"] += gone
    talk["leaf"] = Tree(talk["turns"]).nearest_end(talk["leaf"])
    save(talk)


def undelete() -> None:
    """Bring back what was deleted last."""
    talk = _ready()
    if talk:
        back = {turn["id"]: turn for turn in talk["deleted"]}
        talk["turns"] = [back.get(turn["id"], turn) for turn in talk["turns"]]
        talk["changed"] += list(back)
        talk["deleted"] = []
        save(talk)


def unfold(more: int) -> None:
    """Show so many more of the earlier messages."""
    if talk := conversation():
        talk["unfolded"] += more


def _known(talk: Conversation | None, turn_id: str) -> Turn | None:
    """The turn, also a deleted one: its place is still known."""
    return next((t for t in talk["turns"] if t["id"] == turn_id), None) if talk else None


def _asked_models() -> list[str]:
    """Whom a new question goes to."""
    return (compared_models() if is_comparing() else []) or [chosen_model()]


def _choice_of(turn: Turn) -> str:
    """The model that gave this answer, as it is chosen; of an imported one perhaps the chosen."""
    return f"{turn['engine']}/{turn['model']}" if turn["engine"] else chosen_model()


def _ask(talk: Conversation, choices: Sequence[str]) -> None:
    """Let a model answer what has been said, or several side by side, and save the question."""
    if len(choices) == 1:
        _begun(talk, [replies.start(_request(talk, choices[0]))])
        return
    round_id = conversations.new_id()
    lanes = enumerate(choices, start=1)
    requests = [_request(talk, choice, lane, round_id) for lane, choice in lanes]
    _begun(talk, compare.start(requests))


def _begun(talk: Conversation, started: Sequence[Reply]) -> None:
    """Draw the replies live. They get a head start: drawing the question takes both cores."""
    time.sleep(HEAD_START_SECONDS)
    talk["lanes"] = [reply.id for reply in started]
    talk["deleted"] = []
    talk["is_handed_over"] = False
    save(talk)


def _request(talk: Conversation, choice: str, lane: int = 0, round_id: str = "") -> ReplyRequest:
    """What `choice`, an `engine/name`, is asked at the end of the shown branch."""
    engine, _, model = choice.partition("/")
    settings = chat_settings.read(talk["settings"])
    turns = prompt.said(path(talk))
    last = turns[-1]
    return ReplyRequest(
        conversation=talk["id"],
        owner=owner(),
        model=model,
        engine=engine,
        messages=prompt.messages(turns, settings.system),
        options=settings.options(),
        load=settings.load(),
        turns=tuple(turn["id"] for turn in turns),
        parent=last["parent"] if last["role"] == "assistant" else last["id"],
        round=round_id,
        lane=lane,
    )


def new() -> None:
    """Begin afresh; a reply that is being written goes on, and is kept when one comes back."""
    notices().clear()
    set_conversation(None)
    st.query_params.pop("c", None)
