"""How a conversation is answered: what the person set for it, kept with it."""

import json
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lib.engines.base import ChatOptions, StartOptions

LONGEST_PROMPT = 100_000


class ChatSettings(BaseModel):
    """One conversation's settings. None and empty mean: what the model's own settings say."""

    model_config = ConfigDict(frozen=True)

    system: str = Field(default="", max_length=LONGEST_PROMPT)
    temperature: float | None = Field(default=None, ge=0, le=2)
    top_p: float | None = Field(default=None, gt=0, le=1)
    max_tokens: int | None = Field(default=None, ge=1, le=1_000_000)
    seed: int | None = Field(default=None, ge=0, le=2**31 - 1)
    stop: list[Annotated[str, Field(min_length=1, max_length=200)]] = Field(
        default_factory=list, max_length=4
    )
    json_schema: str = Field(default="", max_length=LONGEST_PROMPT)  # JSON text
    context: int | None = Field(default=None, ge=256, le=10_485_760)  # tokens to load it with

    def options(self) -> ChatOptions:
        """The sampling of one reply."""
        return ChatOptions(
            temperature=self.temperature,
            top_p=self.top_p,
            max_tokens=self.max_tokens,
            seed=self.seed,
            stop=tuple(self.stop),
            json_schema=self._schema(),
        )

    def load(self) -> StartOptions:
        """How a model is loaded for this conversation, if it does not run yet."""
        return StartOptions(context=self.context)

    def stored(self) -> dict[str, Any]:
        """What differs from the defaults, as plain data."""
        return self.model_dump(exclude_defaults=True)

    def _schema(self) -> dict[str, Any] | None:
        try:
            schema = json.loads(self.json_schema)
        except (ValueError, RecursionError):
            return None
        return schema if isinstance(schema, dict) else None


def read(stored: dict[str, Any]) -> ChatSettings:
    """Settings from a document; what cannot be used is left out."""
    try:
        return ChatSettings.model_validate(stored)
    except ValidationError as error:
        wrong = {each["loc"][0] for each in error.errors() if each["loc"]}
        kept = {key: value for key, value in stored.items() if key not in wrong}
        return ChatSettings.model_validate(kept)
