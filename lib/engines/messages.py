"""What an engine is asked with: images for those that see, and a reply to go on with."""

import re
from collections.abc import Iterable, Iterator, Sequence

from lib.core.errors import BadInput
from lib.core.names import shown
from lib.engines.base import Delta, Message

MOST_SERVERS = 256  # that are remembered

_TWO_WORDS = re.compile(r"\w\s+\w")


def require_sight(model: str, can_see: bool, messages: Iterable[Message]) -> None:
    """BadInput where there are images and the model understands none."""
    if not can_see and has_images(messages):
        raise BadInput(
            f"“{shown(model)}” cannot see images.",
            "Remove the image, or choose a model that sees, such as Gemma 3 or Qwen2.5-VL.",
        )


def has_images(messages: Iterable[Message]) -> bool:
    """Does any of the messages carry one?"""
    return any(message.images for message in messages)


def sent(messages: Sequence[Message]) -> Sequence[Message]:
    """The messages to send: an empty reply at the end would be continued with nonsense."""
    is_empty = bool(messages) and messages[-1].role == "assistant" and not messages[-1].content
    return messages[:-1] if is_empty else messages


def continued(messages: Sequence[Message]) -> str:
    """The reply that is to be continued; "" where a new one begins."""
    last = messages[-1] if messages else None
    return last.content if last and last.role == "assistant" else ""


def without_echo(deltas: Iterator[Delta], beginning: str, server: str) -> Iterator[Delta]:
    """The pieces of a reply that continues `beginning`, without what some servers say again.

    Those (llama-server of early to mid 2026, and Ollama on top of it) put the whole beginning
    before the first token, in one piece; the others begin with the first token alone, which may
    look the same: after "a" comes "and". A beginning that is longer than a token tells what this
    server does; a shorter one is judged by what was seen of it so far.
    """
    is_first = bool(beginning)
    for delta in deltas:
        if is_first and delta.text:
            is_first = False
            if _is_said_again(delta.text, beginning, server):
                delta = delta.model_copy(update={"text": delta.text.removeprefix(beginning)})
        yield delta


_says_again: dict[str, bool] = {}  # by the server's address


def _is_said_again(first: str, beginning: str, server: str) -> bool:
    starts = first.startswith(beginning)
    if _is_more_than_a_token(beginning):
        if len(_says_again) >= MOST_SERVERS:
            _says_again.clear()
        _says_again[server] = starts
    return starts and _says_again.get(server, True)


def _is_more_than_a_token(text: str) -> bool:
    """No tokenizer has two words in one token, or a long text of many different characters."""
    return _TWO_WORDS.search(text) is not None or (len(text) > 40 and len(set(text)) > 8)
