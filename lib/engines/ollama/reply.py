"""A reply of Ollama's: NDJSON lines in, deltas out."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from pydantic import BaseModel, Field

from lib.core.errors import BadInput, EngineError
from lib.core.http import Lines, Refused
from lib.engines.base import ChatOptions, Delta, DeltaStream, Message, Usage
from lib.engines.http_reply import HttpReply
from lib.engines.messages import continued, sent, without_echo
from lib.engines.ollama.api import BROKEN_OFF, address, parsed
from lib.engines.ollama.words import ASK_AGAIN, ENDED_EARLY, explained_error
from lib.engines.openai_api import failed_stream


def chat_stream(model: str, messages: Sequence[Message], options: ChatOptions) -> DeltaStream:
    """Answer a conversation; nothing is sent before the first `next`.

    A reply at the end is continued by Ollama of itself.
    """
    turns = [_turn(message) for message in sent(messages)]
    body = {"model": model, "messages": turns, **_sampling(options)}
    return _reply("/api/chat", body, continued(messages))


def complete_stream(model: str, prompt: str, options: ChatOptions) -> DeltaStream:
    """Continue a text as it stands, without the model's template."""
    body = {"model": model, "prompt": prompt, "raw": True, **_sampling(options)}
    return _reply("/api/generate", body)


def deltas(lines: Iterable[str]) -> Iterator[Delta]:
    """The pieces of a reply from its lines; the last one has the reason and usage.

    An error where Ollama says so, sends something unreadable, or ends too early.
    """
    for line in lines:
        piece = parsed(line, _Piece)
        if piece.error is not None:
            raise explained_error(piece.error)
        if piece.done or piece.text or piece.reasoning:
            yield piece.delta
        if piece.done:
            return
    raise EngineError(ENDED_EARLY, ASK_AGAIN)


class _Said(BaseModel):
    content: str = ""
    thinking: str = ""


class _Piece(BaseModel):
    """A line of `/api/chat` or, with `response`, of `/api/generate`; durations are nanoseconds."""

    message: _Said = Field(default_factory=_Said)
    response: str = ""
    thinking: str = ""
    done: bool = False
    done_reason: str = ""
    prompt_eval_count: int = 0
    prompt_eval_duration: int = 0
    eval_count: int = 0
    eval_duration: int = 0
    error: str | None = None

    @property
    def text(self) -> str:
        return self.message.content or self.response

    @property
    def reasoning(self) -> str:
        return self.message.thinking or self.thinking

    @property
    def delta(self) -> Delta:
        said = Delta(text=self.text, reasoning=self.reasoning)
        if not self.done:
            return said
        ended = {"finish_reason": self.done_reason or "stop", "usage": self._usage}
        return said.model_copy(update=ended)

    @property
    def _usage(self) -> Usage:
        """The totals, with a speed only where more than one token makes it mean something."""
        said_enough = self.eval_count > 1 and self.eval_duration > 0
        return Usage(
            prompt_tokens=self.prompt_eval_count,
            completion_tokens=self.eval_count,
            prompt_ms=self.prompt_eval_duration / 1e6 or None,
            tokens_per_second=self.eval_count / self.eval_duration * 1e9 if said_enough else None,
        )


def _turn(message: Message) -> dict[str, Any]:
    """A message; its images are base64 alone, without what they are."""
    images = [image.partition(",")[2] for image in message.images]
    seen = {"images": images} if images else {}
    return {"role": message.role, "content": message.content, **seen}


def _reply(path: str, body: dict[str, Any], beginning: str = "") -> DeltaStream:
    server = f"{path} of {body['model']}"  # what runs it differs by the model
    try:
        lines = Lines(address() + path, body)
        return HttpReply(lines, without_echo(deltas(_until_broken(lines)), beginning, server))
    except BadInput as error:
        return failed_stream(error)


def _sampling(options: ChatOptions) -> dict[str, Any]:
    """The body's common part: what is not chosen is left to the model's own settings.

    Ollama would silently cut what does not fit into the context; here it refuses, as the other
    engines do. A reply that outgrows the context still pushes the beginning out, and its totals
    are then more than the context: `shift` would forbid that, but a request without it, as all to
    `/v1` are, would load the model anew.
    """
    chosen: dict[str, Any] = {
        "temperature": options.temperature,
        "top_p": options.top_p,
        "top_k": options.top_k,
        "min_p": options.min_p,
        "repeat_penalty": options.repeat_penalty,
        "num_predict": options.max_tokens,
        "seed": options.seed,
        "stop": list(options.stop) or None,
    }
    given = {name: value for name, value in chosen.items() if value is not None}
    schema = {} if options.json_schema is None else {"format": options.json_schema}
    return {"options": given, "stream": True, "truncate": False, **schema}


def _until_broken(lines: Iterator[str]) -> Iterator[str]:
    """The lines, with what the HTTP layer raises put into the terms of a reply."""
    try:
        yield from lines
    except Refused as error:
        raise explained_error(error.body, error.http_status) from error
    except EngineError as error:
        if isinstance(error.__cause__, BROKEN_OFF):
            raise EngineError(ENDED_EARLY, ASK_AGAIN) from error
        raise
