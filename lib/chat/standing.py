"""What the next question of an open page goes on from, so that it can be asked without that page.

A run of the page leaves here, under a token of its session, all that a question lacks but its
words. The words come over the page's own socket, the reply begins at once, and the page's next run
takes up what was asked meanwhile. A question has an id of its asker's: it is asked once, however
often it is sent.
"""

import threading
from collections import OrderedDict
from typing import Annotated, NamedTuple, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from lib.chat import attachments, conversations, prompt, replies, spools
from lib.chat import settings as chat_settings
from lib.chat.conversations import LONGEST_TEXT, Turn
from lib.chat.reply import Reply, ReplyRequest
from lib.core.errors import NotFound
from lib.engines.base import Message, Model

PAGES = 256  # that stand ready; a page that is too many asks as if there was no script
QUESTIONS = 256  # that are remembered
NEWEST = 8  # replies on disk that a question may have had from the server before

_Value = TypeVar("_Value")


class Standing(NamedTuple):
    """All of a question but its words."""

    conversation: str
    owner: str
    model: Model  # as the page has seen it
    settings: chat_settings.ChatSettings
    messages: tuple[Message, ...]  # what has been said, the system prompt first
    turns: tuple[str, ...]  # the ids of those, without the system's
    leaf: str  # the id of the turn that the question follows; empty at the top


class Question(BaseModel):
    """One question, as its page sends it."""

    model_config = ConfigDict(frozen=True)

    id: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
    conversation: str
    owner: str
    text: Annotated[str, Field(min_length=1, max_length=LONGEST_TEXT)]
    is_again: bool = False  # nobody knows whether it has arrived before


class Asked(NamedTuple):
    """A question that its page has not drawn yet, and the reply to it."""

    question: Turn
    reply: Reply


class Unknown(NotFound, code="page_changed"):
    """The page has gone on, or its server has: nothing was asked."""


_lock = threading.RLock()
_standing: OrderedDict[str, Standing] = OrderedDict()
_asked: OrderedDict[str, list[Asked]] = OrderedDict()
_known: OrderedDict[str, Reply] = OrderedDict()  # by the question's id
_questions: OrderedDict[str, Turn] = OrderedDict()  # by reply


def of(conversation: str, owner: str, model: Model, stored: object, turns: list[Turn]) -> Standing:
    """What a question at the end of these turns goes on from; `stored` are the settings."""
    settings, said = chat_settings.read(stored), prompt.said(turns)
    return Standing(
        conversation=conversation,
        owner=owner,
        model=model,
        settings=settings,
        messages=prompt.messages(said, settings.system),
        turns=tuple(turn["id"] for turn in said),
        leaf=turns[-1]["id"] if turns else "",
    )


def offer(token: str, standing: Standing) -> None:
    """The page of this session is ready for a question."""
    with _lock:
        _remember(_standing, token, standing, PAGES)


def withdraw(token: str) -> None:
    """It is not: a reply is being written, or another way of asking was chosen."""
    with _lock:
        _standing.pop(token, None)


def leave(conversation: str, owner: str) -> None:
    """No page of this conversation is open any more."""
    with _lock:
        for token, standing in tuple(_standing.items()):
            if (standing.conversation, standing.owner) == (conversation, owner):
                del _standing[token]


def ask(token: str, question: Question) -> Reply | None:
    """Begin the reply to a question; None where that has been asked before.

    Unknown where the page does not stand like that any more. What is attached goes with it, and
    stays attached where the reply cannot begin.
    """
    with _lock:
        if conversation_of(question):
            return None
        standing = _standing.get(token)
        whose = (question.conversation, question.owner)
        if not standing or (standing.conversation, standing.owner) != whose:
            raise Unknown("The page has changed meanwhile.", "Send the message again.")
        return _ask(token, standing, question)


def conversation_of(question: Question) -> str:
    """Where it was asked already, empty where it was not.

    One that is sent once more may have been asked of the server before this, and in a conversation
    that its page has not learned of.
    """
    if known := _known.get(question.id):
        return known.request.conversation
    if not question.is_again:
        return ""
    newest = spools.newest_of(question.owner)[:NEWEST]
    found = (replies.find(reply_id, question.owner).request for reply_id in newest)
    return next((one.conversation for one in found if question.id in one.turns[-1:]), "")


def _ask(token: str, standing: Standing, asked: Question) -> Reply:
    drafts = attachments.drafts(standing.owner, standing.conversation) if standing.owner else []
    question = conversations.said("user", asked.text, asked.id, standing.leaf)
    question["files"] = attachments.files(standing.owner, standing.conversation, drafts)
    reply = replies.start(_request(standing, question), seen=standing.model)
    attachments.discard(standing.owner, standing.conversation, drafts)
    del _standing[token]
    _remember(_known, asked.id, reply, QUESTIONS)
    _remember(_questions, reply.id, question, PAGES)
    _remember(_asked, token, [*_asked.get(token, ()), Asked(question, reply)], PAGES)
    return reply


def _request(standing: Standing, question: Turn) -> ReplyRequest:
    return ReplyRequest(
        conversation=standing.conversation,
        owner=standing.owner,
        model=standing.model.name,
        engine=standing.model.engine,
        messages=(*standing.messages, prompt.message(question)),
        options=standing.settings.options(),
        load=standing.settings.load(),
        turns=(*standing.turns, question["id"]),
        parent=question["id"],
        leaves_out_images=True,
    )


def take(token: str, conversation: str) -> list[Asked]:
    """What was asked in this conversation and is not among its page's messages yet; once."""
    with _lock:
        found = _asked.pop(token, [])
        others = [one for one in found if one.reply.request.conversation != conversation]
        if others:
            _asked[token] = others
        return [one for one in found if one.reply.request.conversation == conversation]


def question_of(reply_id: str) -> Turn | None:
    """The question as it was asked, with its files; None where only its words are known."""
    with _lock:
        return _questions.get(reply_id)


def _remember(kept: "OrderedDict[str, _Value]", key: str, value: _Value, most: int) -> None:
    kept[key] = value
    kept.move_to_end(key)
    while len(kept) > most:
        kept.popitem(last=False)
