"""How full a model's context is: the tokens of a conversation beside those it was loaded with."""

from collections.abc import Sequence
from typing import NamedTuple

from lib.chat.conversations import Turn
from lib.chat.reply import Figures

CLOSE = 0.8  # of the context; a warning from here on
LEAST_ROOM = 128  # tokens for a short question and the beginning of its answer
CHARACTERS_PER_TOKEN = 3.6  # of English prose and code; an estimate until the engine has counted
TOKENS_AROUND = 5  # what a chat template writes around one message, about


class ContextUse(NamedTuple):
    """Tokens `used` of those that `context` has room for."""

    used: int
    context: int
    is_counted: bool = True  # by the engine, for this model; otherwise it is an estimate

    @property
    def share(self) -> float:
        """0 is empty, 1 is full; never more."""
        return min(self.used / self.context, 1.0)

    @property
    def is_close(self) -> bool:
        """Will it be full before long?"""
        return self.used >= CLOSE * self.context

    @property
    def is_full(self) -> bool:
        """Is there no room for another question and the beginning of its answer?"""
        return self.context - self.used < min(LEAST_ROOM, self.context // 10)


def context_use(turns: Sequence[Turn], model: str, context: int | None) -> ContextUse | None:
    """How full it is after these turns of one branch; None where the engine has counted nothing.

    An answer's figures tell what came before it too, so the last that has them is enough. What
    follows it is estimated.
    """
    for at in range(len(turns) - 1, -1, -1):
        counted = _counted(turns[at])
        if counted is not None and context:
            rest = [_estimated(turn) for turn in turns[at + 1 :]]
            is_counted = turns[at]["model"] == model and not any(rest)
            return ContextUse(counted + sum(rest), context, is_counted)
    return None


def _counted(turn: Turn) -> int | None:
    """Tokens of the whole conversation up to the end of this answer."""
    figures = Figures.model_validate(turn["figures"])
    if figures.prompt_tokens is None or figures.completion_tokens is None:
        return None
    return figures.prompt_tokens + figures.completion_tokens


def _estimated(turn: Turn) -> int:
    """Tokens of a message that nobody has counted; none where it says nothing."""
    spoken = len(turn["content"]) / CHARACTERS_PER_TOKEN
    attached = sum(file["tokens"] for file in turn["files"])
    return round(spoken) + attached + TOKENS_AROUND if spoken or attached else 0
