"""The `/v1` dialect that llama-server, vLLM and most others speak: requests out, deltas in."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import httpx
from pydantic import BaseModel, Field, SecretStr, ValidationError

from lib.core.errors import BerthError, EngineError, TooLong
from lib.core.http import Lines, Refused
from lib.core.names import shown
from lib.engines import template_words
from lib.engines.base import ChatOptions, Delta, DeltaStream, Message, Usage
from lib.engines.http_reply import HttpReply
from lib.engines.messages import continued, sent, without_echo

_TOO_LONG = re.compile(
    r"maximum context length is (\d+) tokens.*?(at least )?(\d+)( characters)?", re.DOTALL
)
_REPLY_TOO_LONG = re.compile(r"max_tokens=(\d+) cannot be greater than max_model_len=(\d+)")
_UNREADABLE_IMAGE = re.compile(r"[Ff]ailed to (?:load|decode) image|cannot identify image")
_BLIND = re.compile(r"is not a multimodal model|[Aa]t most 0 image")
_DIED = re.compile(r"EngineCore encountered an issue|EngineDeadError")
_NO_MODEL = re.compile(r"model `?([^`\s]+)`? (?:does not exist|was not found|not found)")
_BROKEN_OFF = (httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError)
_START_AGAIN = "Open Models to see why, then start it again."


def chat_stream(
    base_url: str,
    model: str,
    messages: Sequence[Message],
    options: ChatOptions,
    key: SecretStr | None = None,
    extra: Mapping[str, Any] | None = None,
    may_echo: bool = False,
) -> DeltaStream:
    """Answer a conversation at `base_url` (…/v1); nothing is sent before the first `next`.

    A reply at the end is continued by llama-server of itself (its `--prefill-assistant`); what
    other servers want for it, and what only they know, is `extra`. Where such a server `may_echo`
    what it goes on from, that is taken off.
    """
    turns = [_turn(message) for message in sent(messages)]
    body = {"model": model, "messages": turns, **_sampling(options), **(extra or {})}
    beginning = continued(messages) if may_echo else ""
    return _reply(f"{base_url}/chat/completions", body, key, beginning)


def complete_stream(
    base_url: str,
    model: str,
    prompt: str,
    options: ChatOptions,
    key: SecretStr | None = None,
    extra: Mapping[str, Any] | None = None,
) -> DeltaStream:
    """Continue a text at `base_url` (…/v1); nothing is sent before the first `next`."""
    body = {"model": model, "prompt": prompt, **_sampling(options), **(extra or {})}
    return _reply(f"{base_url}/completions", body, key)


def beyond_openai(options: ChatOptions, names: Mapping[str, str]) -> dict[str, Any]:
    """What was chosen that OpenAI's dialect has no word for, under the `names` of an engine."""
    chosen = {field: getattr(options, name) for name, field in names.items()}
    return {field: value for field, value in chosen.items() if value is not None}


def failed_stream(error: BerthError) -> DeltaStream:
    """A reply that cannot begin: the first `next` raises `error`."""
    return _Failed(error)


def authorization(key: SecretStr | None) -> dict[str, str]:
    """The header that shows the key; none where there is no key."""
    return {"Authorization": f"Bearer {key.get_secret_value()}"} if key else {}


def deltas(lines: Iterable[str]) -> Iterator[Delta]:
    """The pieces of a reply from the lines of its event stream; the last has reason and usage.

    EngineError where the engine says so, sends something unreadable, or ends too early.
    """
    finish_reason, usage = "", None
    for data in _events(lines):
        if data == "[DONE]":
            break
        chunk = _parsed(data)
        for choice in chunk.choices[:1]:
            if choice.piece.text or choice.piece.reasoning:
                yield choice.piece
            finish_reason = choice.finish_reason or finish_reason
        usage = chunk.counted or usage
    else:
        if not finish_reason:
            raise _ended_too_early()
    yield Delta(finish_reason=finish_reason or "stop", usage=usage)


def explained(refused: Refused) -> EngineError:
    """An engine's error answer, in words for the user."""
    if refused.http_status in (401, 403):
        return EngineError(
            "The engine does not take the key that Berth has for it.",
            "Enter it anew where the address stands, on System; for a slot, deploy it again.",
        )
    try:
        said = json.loads(refused.body)
    except ValueError:
        said = refused.body
    return _in_words(said.get("error", said) if isinstance(said, dict) else said)


def _reply(url: str, body: Any, key: SecretStr | None, beginning: str = "") -> DeltaStream:
    lines = Lines(url, body, authorization(key))
    return HttpReply(lines, without_echo(deltas(_until_broken(lines)), beginning, url))


def _turn(message: Message) -> dict[str, Any]:
    """A message; one with images consists of parts."""
    if not message.images:
        return {"role": message.role, "content": message.content}
    said = [{"type": "text", "text": message.content}] if message.content else []
    seen = [{"type": "image_url", "image_url": {"url": image}} for image in message.images]
    return {"role": message.role, "content": [*said, *seen]}


class _Failed(Iterator[Delta]):
    """Raises its error once, as a real stream does."""

    def __init__(self, error: BerthError) -> None:
        self._error: BerthError | None = error

    def __next__(self) -> Delta:
        error, self._error = self._error, None
        raise error or StopIteration

    def close(self) -> None:
        self._error = None


class _Part(BaseModel):
    content: str | None = None
    reasoning_content: str | None = None  # llama-server's name for it
    reasoning: Any = None  # vLLM's; of others it may be anything

    @property
    def thought(self) -> str:
        return self.reasoning if isinstance(self.reasoning, str) else ""


class _Choice(BaseModel):
    delta: _Part = Field(default_factory=_Part)
    text: str | None = None  # a completion's, which has no delta
    finish_reason: str | None = None

    @property
    def piece(self) -> Delta:
        part = self.delta
        return Delta(
            text=part.content or self.text or "",
            reasoning=part.reasoning_content or part.thought,
        )


class _Counts(BaseModel):
    prompt_tokens: int = 0
    completion_tokens: int = 0


class _Timings(BaseModel):
    prompt_ms: float | None = None
    predicted_per_second: float | None = None


class _Chunk(BaseModel):
    choices: list[_Choice] = Field(default_factory=list)
    usage: _Counts | None = None
    timings: _Timings = Field(default_factory=_Timings)
    error: Any = None
    object: Any = None

    @property
    def counted(self) -> Usage | None:
        """The totals, with a speed only where more than one token makes it mean something."""
        if self.usage is None:
            return None
        said_enough = self.usage.completion_tokens > 1
        return Usage(
            prompt_tokens=self.usage.prompt_tokens,
            completion_tokens=self.usage.completion_tokens,
            prompt_ms=self.timings.prompt_ms,
            tokens_per_second=self.timings.predicted_per_second if said_enough else None,
        )


def _sampling(options: ChatOptions) -> dict[str, Any]:
    """The body's common part: what is not chosen is left to the model's own settings."""
    chosen: dict[str, Any] = {
        "temperature": options.temperature,
        "top_p": options.top_p,
        "max_tokens": options.max_tokens,
        "seed": options.seed,
        "stop": list(options.stop) or None,
        "response_format": _response_format(options.json_schema),
    }
    given = {name: value for name, value in chosen.items() if value is not None}
    return {**given, "stream": True, "stream_options": {"include_usage": True}}


def _response_format(schema: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if schema is None:
        return None
    named = {"name": "reply", "strict": True, "schema": schema}
    return {"type": "json_schema", "json_schema": named}


def _events(lines: Iterable[str]) -> Iterator[str]:
    """The data of each event; comments (pings), event names and blank lines are passed over."""
    for line in lines:
        field, _, value = line.partition(":")
        if field == "data":
            yield value.strip()
        elif field == "error":  # llama-server's spelling for one that comes in mid-stream
            yield json.dumps({"error": _loaded(value)})


def _loaded(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _parsed(data: str) -> _Chunk:
    try:
        chunk = _Chunk.model_validate_json(data)
    except ValidationError as error:
        raise EngineError(
            f"The engine sent something unreadable: {data[:200]}", _START_AGAIN
        ) from error
    if chunk.error is not None or chunk.object == "error":
        raise _in_words(chunk.error or _loaded(data))
    return chunk


def _until_broken(lines: Iterator[str]) -> Iterator[str]:
    """The lines, with what the HTTP layer raises put into the terms of a reply."""
    try:
        yield from lines
    except Refused as error:
        raise explained(error) from error
    except EngineError as error:
        if isinstance(error.__cause__, _BROKEN_OFF):
            raise _ended_too_early() from error
        raise


def _ended_too_early() -> EngineError:
    return EngineError("The engine ended in the middle of its reply.", _START_AGAIN)


def _in_words(said: Any) -> EngineError:
    """An error object of any engine, or whatever came in its place."""
    fields = said if isinstance(said, dict) else {"message": said}
    message = shown(str(fields.get("message") or said), 500).rstrip(".")
    if too_long := _too_long(fields, message):
        return too_long
    if of_template := template_words.plain(message):
        return EngineError(*of_template)
    for pattern, what, fix in _KNOWN:
        if match := pattern.search(message):
            return EngineError(what.format(*(shown(group, 100) for group in match.groups())), fix)
    if fields.get("code") == 503:
        return EngineError("The model is still loading.", "Try again in a moment.")
    return EngineError(f"The engine refused: {message}.", "Change the request, then try again.")


_KNOWN = (
    (_UNREADABLE_IMAGE, "The engine cannot read this image.", "Use a PNG or JPEG file."),
    (_BLIND, "This model cannot see images.", "Remove the image, or choose a model that sees."),
    (_DIED, "The engine died in the middle of its reply.", "It starts again by itself; ask then."),
    (
        _REPLY_TOO_LONG,
        "A reply of {0} tokens is more than the model's whole context of {1}.",
        "Lower the length of the reply in the chat's settings.",
    ),
    (_NO_MODEL, "The engine has no model “{0}”.", "Open Models to see which it has."),
)


def _too_long(fields: Mapping[str, Any], message: str) -> TooLong | None:
    """Where a conversation is longer than the context, told as exactly as the engine does."""
    asked, context = fields.get("n_prompt_tokens"), fields.get("n_ctx")
    if isinstance(asked, int) and isinstance(context, int):
        return _longer(f"{asked:,} tokens", context)
    match = _TOO_LONG.search(message)
    if match is None:
        return None
    # vLLM stops to count where it is clear that it is too much, or judges by the characters.
    unit = "characters, too many for its tokens" if match[4] else "tokens"
    return _longer(f"{match[2] or ''}{int(match[3]):,} {unit}", int(match[1]))


def _longer(has: str, context: int) -> TooLong:
    return TooLong(
        f"The conversation has {has}, and this model was started with a context of {context:,}.",
        "Shorten it or begin a new one, or start the model with a larger context.",
    )
