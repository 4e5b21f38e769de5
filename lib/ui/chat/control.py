"""What is done in the open conversation: ask, stop, answer again, edit, change branch, delete."""

import copy
import time
from collections.abc import Callable, Sequence

from lib.chat import branches, compare, conversations, prompt, replies, rounds
from lib.chat import settings as chat_settings
from lib.chat.branches import Tree
from lib.chat.conversations import File, Turn, said
from lib.chat.reply import Reply, ReplyRequest
from lib.ui.chat.conversation import (
    add,
    collect,
    is_running,
    mark_deleted,
    path,
    running,
    save,
    take_asked,
)
from lib.ui.session import (
    Conversation,
    chosen_model,
    compared_models,
    conversation,
    is_comparing,
    notices,
    owner,
)

HEAD_START_SECONDS = 0.03  # the first token comes 15 ms or more sooner for it


def say(text: str, take_files: Callable[[], list[File]] = list) -> None:
    """A new message; one that is still being answered is stopped, and what came is kept.

    Its files are taken only once nothing can come between them and the message.
    """
    choices, talk = _asked_models(), _ready()
    if not talk:
        return
    turns = path(talk)
    question = said("user", text, parent=turns[-1]["id"] if turns else "")
    question["files"] = take_files()
    add(talk, [question])
    _ask(talk, choices)


def _ready() -> Conversation | None:
    """The conversation, once nothing more is written in it; None while it has not come yet.

    Streamlit ends a callback where it touches the session while a new run is due, and a reply that
    is stopped here makes one due: whoever goes on touches it only once the rest is done, to save.
    """
    talk = conversation()
    if not talk or talk["is_awaited"]:
        return None
    notices().clear()
    take_asked(talk)
    if is_running(talk):
        _stop(talk)
        collect(talk)
    return talk


def stop() -> None:
    """End the replies that are being written."""
    if talk := conversation():
        take_asked(talk)
        _stop(talk)


def _stop(talk: Conversation) -> None:
    replies.stop_all([replies.find(one, owner()) for one in running(talk)])


def retry() -> None:
    """Ask again in place of the last reply, which failed; one without a word leaves no trace."""
    choice, talk = chosen_model(), _ready()
    last = path(talk)[-1] if talk else None
    if talk and last and last["role"] == "assistant":
        talk["leaf"] = last["parent"]
        started = replies.start(_request(talk, choice))
        if not last["content"] and not last["reasoning"]:
            mark_deleted(talk, last["id"])
        _begun(talk, [started])


def regenerate(turn_id: str, model: str = "") -> None:
    """Answer the same question again, on a branch of its own; `model` is `engine/name`."""
    choice, talk = model or chosen_model(), _ready()
    turn = _known(talk, turn_id)
    if talk and turn and turn["role"] == "assistant":
        _ask_at(talk, turn["parent"], choice)


def edit(turn_id: str, text: str, kept: Sequence[int], own_id: str) -> None:
    """Ask something else in place of a question, on a branch of its own.

    Of its files those of these numbers go along. Under its own id, 32 hexadecimal digits, it is
    asked once, however often it is sent.
    """
    choices, talk = _asked_models(), _ready()
    turn = _known(talk, turn_id)
    is_new = conversations.is_id(own_id) and not _known(talk, own_id)
    if talk and turn and turn["role"] == "user" and text.strip() and is_new:
        changed = said("user", text.strip(), own_id, turn["parent"])
        changed["files"] = [file for at, file in enumerate(turn["files"]) if at in kept]
        add(talk, [changed])
        _ask(talk, choices)


def go_on(turn_id: str) -> None:
    """Have a reply that was cut continued by the model that wrote it."""
    other, talk = chosen_model(), _ready()
    turn = _known(talk, turn_id)
    if talk and turn and turn["role"] == "assistant" and turn["content"]:
        _ask_at(talk, turn_id, _choice_of(turn, other), replaced=turn_id)


def retry_beside(turn_id: str) -> None:
    """Have a model answer again in its own column, in place of an answer that failed there."""
    other, talk = chosen_model(), _ready()
    turn = _known(talk, turn_id)
    if talk and turn and turn["lane"]:
        talk["leaf"] = turn["parent"]
        request = _request(talk, _choice_of(turn, other), turn["lane"], turn["round"])
        started = compare.start([request])
        mark_deleted(talk, turn_id)
        _begun(talk, started)


def prefer(turn_id: str) -> None:
    """Vote for an answer; the conversation goes on from it."""
    talk = _ready()
    if talk and _known(talk, turn_id):
        talk["changed"] += rounds.prefer(talk["turns"], turn_id)
        _show(talk, turn_id)


def show(turn_id: str) -> None:
    """Go over to the branch of this turn, down to its newest end."""
    talk = _ready()
    if talk and _known(talk, turn_id):
        _show(talk, turn_id)


def _show(talk: Conversation, turn_id: str) -> None:
    talk["leaf"] = Tree(talk["turns"]).end(turn_id)
    _save(talk)


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


def _known(talk: Conversation | None, turn_id: str) -> Turn | None:
    """The turn, also a deleted one: its place is still known."""
    return next((t for t in talk["turns"] if t["id"] == turn_id), None) if talk else None


def _asked_models() -> list[str]:
    """Whom a new question goes to."""
    return (compared_models() if is_comparing() else []) or [chosen_model()]


def _choice_of(turn: Turn, other: str) -> str:
    """The model that gave this answer, as it is chosen; `other` where that was not kept."""
    return f"{turn['engine']}/{turn['model']}" if turn["engine"] else other


def _ask_at(talk: Conversation, leaf: str, choice: str, replaced: str = "") -> None:
    """Let a model answer what has been said up to this turn, or go on from it."""
    talk["leaf"] = leaf
    _begun(talk, [replies.start(_request(talk, choice))], replaced)


def _ask(talk: Conversation, choices: Sequence[str]) -> None:
    """Let a model answer what has been said, or several side by side, and save the question."""
    if len(choices) == 1:
        _ask_at(talk, talk["leaf"], choices[0])
        return
    round_id = conversations.new_id()
    lanes = enumerate(choices, start=1)
    requests = [_request(talk, choice, lane, round_id) for lane, choice in lanes]
    _begun(talk, compare.start(requests))


def _begun(talk: Conversation, started: Sequence[Reply], replaced: str = "") -> None:
    """Draw the replies live. They get a head start: drawing the question takes both cores."""
    talk["lanes"] = [reply.id for reply in started]
    talk["replaced"] = replaced
    talk["deleted"] = []
    talk["is_handed_over"] = False
    time.sleep(HEAD_START_SECONDS)
    _save(talk)


def _save(talk: Conversation) -> None:
    """Save which branch is shown too: should this be cut off, the next run sees that it changed."""
    talk["changed"].append(talk["leaf"])
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
        leaves_out_images=True,
        lane=lane,
    )
