"""How a conversation is answered: what the person set for it, kept with it."""

import json
import re
from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from lib.chat import schema_check
from lib.core import words
from lib.core.errors import BadInput
from lib.engines.base import ChatOptions, StartOptions

LONGEST_PROMPT = 100_000
MOST_STOPS = 4
LONGEST_STOP = 200
_ESCAPES = {"\\\\": "\\", "\\n": "\n", "\\t": "\t", "\\r": "\r"}
_ESCAPE = re.compile(r"\\[\\ntr]")
_WANTED = {
    "system": f"A system prompt has at most {LONGEST_PROMPT:,} characters.",
    "temperature": "Temperature goes from 0 to 2.",
    "top_p": "Top-p is more than 0 and at most 1.",
    "top_k": "Top-k is a whole number from 0 to 1,000; 0 means all.",
    "min_p": "Min-p goes from 0 to 1.",
    "repeat_penalty": "A repetition penalty goes from 0.5 to 2; 1 means none.",
    "max_tokens": "Max tokens goes from 1 to 1,000,000.",
    "seed": "A seed is a whole number from 0 to 2,147,483,647.",
    "stop": f"There can be {MOST_STOPS} stop sequences of at most {LONGEST_STOP} characters each.",
    "context": "A context is 256 to 10,485,760 tokens long.",
}


def _usable_schema(text: str) -> str:
    if text.strip():
        schema_check.parsed(text)
    return text.strip()


class ChatSettings(BaseModel):
    """One conversation's settings. None and empty mean: what the model's own settings say."""

    model_config = ConfigDict(frozen=True)

    system: str = Field(default="", max_length=LONGEST_PROMPT)
    temperature: float | None = Field(default=None, ge=0, le=2)
    top_p: float | None = Field(default=None, gt=0, le=1)
    top_k: int | None = Field(default=None, ge=0, le=1_000)
    min_p: float | None = Field(default=None, ge=0, le=1)
    repeat_penalty: float | None = Field(default=None, ge=0.5, le=2)
    max_tokens: int | None = Field(default=None, ge=1, le=1_000_000)
    seed: int | None = Field(default=None, ge=0, le=2**31 - 1)
    stop: list[Annotated[str, Field(min_length=1, max_length=LONGEST_STOP)]] = Field(
        default_factory=list, max_length=MOST_STOPS
    )
    json_schema: Annotated[str, AfterValidator(_usable_schema)] = ""  # JSON text
    context: int | None = Field(default=None, ge=256, le=10_485_760)  # tokens to load it with

    def options(self) -> ChatOptions:
        """The sampling of one reply."""
        return ChatOptions(
            temperature=self.temperature,
            top_p=self.top_p,
            top_k=self.top_k,
            min_p=self.min_p,
            repeat_penalty=self.repeat_penalty,
            max_tokens=self.max_tokens,
            seed=self.seed,
            stop=tuple(self.stop),
            json_schema=json.loads(self.json_schema) if self.json_schema else None,
        )

    def load(self) -> StartOptions:
        """How a model is loaded for this conversation, if it does not run yet."""
        return StartOptions(context=self.context)

    def stored(self) -> dict[str, Any]:
        """What differs from the defaults, as plain data."""
        return self.model_dump(exclude_defaults=True)

    def summary(self, before: Sequence[str] = ()) -> str:
        """`System prompt · JSON · temperature 0.2`: what was set; empty where nothing was."""
        parts = [
            *before,
            "System prompt" if self.system.strip() else "",
            "JSON" if self.json_schema else "",
            f"temperature {self.temperature:g}" if self.temperature is not None else "",
            f"top-p {self.top_p:g}" if self.top_p is not None else "",
            f"top-k {self.top_k}" if self.top_k is not None else "",
            f"min-p {self.min_p:g}" if self.min_p is not None else "",
            f"repetition penalty {self.repeat_penalty:g}"
            if self.repeat_penalty is not None
            else "",
            f"at most {words.count(self.max_tokens, 'token')}" if self.max_tokens else "",
            f"seed {self.seed}" if self.seed is not None else "",
            words.count(len(self.stop), "stop sequence") if self.stop else "",
            f"context {self.context:,}" if self.context else "",
        ]
        line = " · ".join(part for part in parts if part)
        return line[:1].upper() + line[1:]


def read(stored: Any) -> ChatSettings:
    """Settings from a document; what cannot be used is left out."""
    if not isinstance(stored, dict):
        return ChatSettings()
    known = {name: stored[name] for name in ChatSettings.model_fields if name in stored}
    try:
        return ChatSettings.model_validate(known)
    except (ValidationError, BadInput):
        usable = {name: value for name, value in known.items() if _is_usable(name, value)}
        return ChatSettings.model_validate(usable)


def _is_usable(name: str, value: Any) -> bool:
    try:
        ChatSettings.model_validate({name: value})
    except (ValidationError, BadInput):
        return False
    return True


def changed(settings: ChatSettings, name: str, typed: Any) -> ChatSettings:
    """The settings with what was typed into one field; BadInput says what is wrong with it."""
    value = stop_sequences(typed) if name == "stop" else typed
    try:
        return ChatSettings.model_validate({**settings.stored(), name: value})
    except ValidationError:
        raise BadInput(_WANTED[name]) from None


def stop_sequences(text: str) -> list[str]:
    r"""One stop sequence a line; `\n` in it means a line break, `\t` a tab, `\\` a backslash."""
    lines = text.replace("\r\n", "\n").split("\n")
    return [_ESCAPE.sub(lambda found: _ESCAPES[found[0]], line) for line in lines if line]


def stop_text(stops: list[str]) -> str:
    """The same as it is typed."""
    back = {meant: typed for typed, meant in _ESCAPES.items()}
    return "\n".join("".join(back.get(c, c) for c in stop) for stop in stops)
