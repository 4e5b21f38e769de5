"""What POST /api/chat takes and gives."""

import json
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from lib.chat import schema_check
from lib.chat.conversations import LONGEST_TEXT, MOST_FILES, MOST_TURNS
from lib.chat.reply import ReplyRequest, ReplyState
from lib.chat.settings import LONGEST_STOP, MOST_STOPS
from lib.core.names import ModelName
from lib.core.values import Frozen
from lib.engines.base import ChatOptions, Image, Message, StartOptions

Stop = Annotated[str, Field(min_length=1, max_length=LONGEST_STOP)]
MostTokens = Annotated[int, Field(ge=1, le=1_000_000)]


class Strict(BaseModel):
    """What is taken as it is written: a number in quotes is a text."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Said(Strict):
    """One message, as on the chat page. An assistant's that comes last is gone on from."""

    role: Literal["system", "user", "assistant"]
    content: str = Field(max_length=LONGEST_TEXT)
    images: list[Image] = Field(
        default=[],
        max_length=MOST_FILES,
        description="As data: addresses, base64-encoded; for models that see.",
    )


class Options(Strict):
    """How the reply is drawn. What is left out, the model's own settings say."""

    temperature: float | None = Field(default=None, ge=0, le=2)
    top_p: float | None = Field(default=None, gt=0, le=1)
    top_k: int | None = Field(default=None, ge=0, le=1_000, description="0: all.")
    min_p: float | None = Field(default=None, ge=0, le=1)
    repeat_penalty: float | None = Field(default=None, ge=0.5, le=2, description="1: none.")
    max_tokens: MostTokens | None = Field(default=None, description="Of the reply.")
    seed: int | None = Field(default=None, ge=0, le=2**31 - 1)
    stop: list[Stop] = Field(default=[], max_length=MOST_STOPS, description="Texts that end it.")
    context: int | None = Field(
        default=None,
        ge=256,
        le=10_485_760,
        description="Tokens to load the model with, where it does not run yet.",
    )


class Chat(Strict):
    """A question to a model."""

    model: ModelName = Field(min_length=1, max_length=200, description="As /api/models names it.")
    engine: str = Field(
        default="", max_length=64, description="Where two engines have a model of that name."
    )
    messages: list[Said] = Field(min_length=1, max_length=MOST_TURNS)
    options: Options = Options()
    json_schema: dict[str, Any] | None = Field(
        default=None,
        alias="schema",
        description="A JSON schema that the reply has to keep to.",
    )
    stream: bool = Field(default=True, description="false: one JSON answer when it is complete.")
    when_left: Literal["stop", "go_on"] = Field(
        default="stop",
        description="When the client leaves: the engine's work ends, or it goes on and is kept.",
    )

    @model_validator(mode="after")
    def _has_a_usable_schema(self) -> Self:
        if self.json_schema is not None:
            schema_check.parsed(json.dumps(self.json_schema))
        return self

    def request(self, conversation: str, owner: str) -> ReplyRequest:
        """The same for lib/chat."""
        given = self.options
        return ReplyRequest(
            conversation=conversation,
            owner=owner,
            model=self.model,
            engine=self.engine,
            messages=tuple(_message(said) for said in self.messages),
            options=ChatOptions(
                temperature=given.temperature,
                top_p=given.top_p,
                top_k=given.top_k,
                min_p=given.min_p,
                repeat_penalty=given.repeat_penalty,
                max_tokens=given.max_tokens,
                seed=given.seed,
                stop=tuple(given.stop),
                json_schema=self.json_schema,
            ),
            load=StartOptions(context=given.context),
        )


def _message(said: Said) -> Message:
    return Message(role=said.role, content=said.content, images=tuple(said.images))


class Counted(Frozen):
    """Tokens, as the engine counts them; null where it does not."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class Timings(Frozen):
    """What was measured; null where it was not."""

    first_token_seconds: float | None = None
    reasoning_seconds: float | None = None
    seconds: float | None = None
    tokens_per_second: float | None = None


class Begun(Frozen):
    """The event `start`, which comes first."""

    id: str = Field(description="To stop the reply by, and to come back to it.")
    model: str
    engine: str


class NowIn(Frozen):
    """The event `state`: what is waited for until the first piece comes."""

    state: ReplyState


class Piece(Frozen):
    """The events `text` and `reasoning`: what was written since the last one of its kind."""

    text: str


class Ended(Frozen):
    """The event `end`, the last of a stream that is whole."""

    id: str
    model: str
    engine: str
    state: ReplyState
    finish_reason: str = Field(description="stop, length, or what else the engine says.")
    usage: Counted
    timings: Timings
    schema_problem: str | None = Field(
        description="Where a schema was given: a sentence on what is not as it asks, or null."
    )


class Written(Frozen):
    """What the model has written."""

    role: Literal["assistant"] = "assistant"
    content: str
    reasoning: str


class Whole(Ended):
    """The answer where no stream was asked for."""

    message: Written
