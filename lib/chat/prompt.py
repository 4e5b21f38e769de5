"""What a model is sent: the turns of a conversation as messages."""

import re
from collections.abc import Iterable, Sequence
from pathlib import PurePath

from lib.chat.conversations import File, Turn
from lib.chat.reply import ReplyState
from lib.engines.base import Message

_FENCE = re.compile(r"`{3,}")


def messages(turns: Sequence[Turn], system: str) -> tuple[Message, ...]:
    """The system prompt, if there is one, and all turns that say something."""
    first = [Message(role="system", content=system)] if system.strip() else []
    return (*first, *(message(turn) for turn in said(turns)))


def said(turns: Iterable[Turn]) -> list[Turn]:
    """The turns that a model is told of: failed replies without a word are not."""
    return [turn for turn in turns if turn["content"] or turn["files"]]


def silence(turn: Turn) -> str:
    """Why a whole answer has no words, and what to do; empty where it has some, or did not end."""
    if turn["content"] or turn["state"] != ReplyState.DONE:
        return ""
    if turn["figures"].get("finish_reason") == "length":
        return (
            "It was cut at the token limit while it was still thinking, and cannot go on from "
            "there. Raise the limit in Settings, then answer again."
        )
    if turn["reasoning"]:
        return "It ended after thinking, without an answer. Answer again, or ask in other words."
    return "It ended without a word. Answer again, or ask in other words."


def message(turn: Turn) -> Message:
    """One turn, its files before its words."""
    texts = [_quoted(file) for file in turn["files"] if file["text"]]
    images = tuple(file["image"] for file in turn["files"] if file["image"])
    content = "\n\n".join([*texts, turn["content"]] if turn["content"] else texts)
    return Message(role=turn["role"], content=content, images=images)


def _quoted(file: File) -> str:
    """A text file in a fence that nothing in it can close."""
    longest = max((len(run) for run in _FENCE.findall(file["text"])), default=2)
    fence = "`" * (longest + 1)
    kind = PurePath(file["name"]).suffix[1:]
    language = kind if kind.isalnum() else ""
    return f"File “{file['name']}”:\n\n{fence}{language}\n{file['text'].rstrip()}\n{fence}"
