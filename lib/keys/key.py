"""What an API key is, and what it may do. Pure."""

import time
import unicodedata
from typing import Annotated, Any, NamedTuple

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from lib.core.names import LONGEST

LONGEST_KEY_NAME = 64
MOST_MODELS = 200
LATEST = 7_258_118_400.0  # the year 2200, in epoch seconds
# What the activity, the figures and the log call others by: a key cannot pass for one of them.
RESERVED = frozenset(
    {"berth", "berth's own tests", "guest", "a guest", "guests", "owner", "you"}
    | {"a program", "programs", "everybody", "others"}
)
A_GUESTS = "guest "  # so does the name of one who has given theirs begin


class Key(NamedTuple):
    """One API key; the moments are in epoch seconds, None stands for no limit."""

    id: str
    name: str
    hint: str  # how its secret begins
    created_at: float
    expires_at: float | None = None
    is_disabled: bool = False
    models: tuple[str, ...] | None = None  # by their names in /v1/models; None: all
    per_minute: int | None = None  # requests
    tokens_a_day: int | None = None  # read and written, from midnight to midnight of this machine

    def is_expired(self, now: float | None = None) -> bool:
        """Is its time over?"""
        moment = time.time() if now is None else now
        return self.expires_at is not None and moment >= self.expires_at

    def holds(self, now: float | None = None) -> bool:
        """May it be used at all?"""
        return not self.is_disabled and not self.is_expired(now)


def may_use(key: Key | None, model: str) -> bool:
    """Is this model for this key? Everything is for whoever needs none."""
    return key is None or key.models is None or model in key.models


def _name(text: str) -> str:
    """One line that nobody takes for something else; a header or a log cannot be broken by it."""
    plain = " ".join(text.split(" ")).strip()
    if not plain:
        raise ValueError("a key needs a name")
    if any(unicodedata.category(one)[0] == "C" or one in "\u2028\u2029" for one in text):
        raise ValueError("a name is one line without control characters")
    if plain.casefold() in RESERVED or plain.casefold().startswith(A_GUESTS):
        raise ValueError("this name is taken by Berth itself")
    return plain


def _model(text: str) -> str:
    if not text.strip() or not text.isprintable():
        raise ValueError("this is not the name of a model")
    return text


def _each_once(names: tuple[str, ...] | None) -> tuple[str, ...] | None:
    return None if names is None else tuple(dict.fromkeys(names))


Name = Annotated[str, Field(max_length=LONGEST_KEY_NAME), AfterValidator(_name)]
_Model = Annotated[str, Field(max_length=LONGEST), AfterValidator(_model)]
Models = Annotated[
    tuple[_Model, ...] | None,
    Field(min_length=1, max_length=MOST_MODELS, description="null: all models"),
    AfterValidator(_each_once),
]
Until = Annotated[
    float | None,
    Field(gt=0, le=LATEST, allow_inf_nan=False, description="epoch seconds; null: never"),
]
PerMinute = Annotated[
    int | None, Field(ge=1, le=100_000, strict=True, description="null: no limit")
]
TokensADay = Annotated[
    int | None, Field(ge=1, le=10**12, strict=True, description="null: no limit")
]


class NewKey(BaseModel):
    """What a key is made with."""

    model_config = ConfigDict(extra="forbid")

    name: Name
    expires_at: Until = None
    models: Models = None
    per_minute: PerMinute = None
    tokens_a_day: TokensADay = None


class KeyChange(BaseModel):
    """What of a key is changed: the fields that are sent, and no other."""

    model_config = ConfigDict(extra="forbid")

    name: Name | None = None
    expires_at: Until = None
    is_disabled: bool | None = Field(default=None, strict=True)
    models: Models = None
    per_minute: PerMinute = None
    tokens_a_day: TokensADay = None

    def changes(self) -> dict[str, Any]:
        """By the names of Key's fields; a name or a state of nothing is none."""
        sent = self.model_dump(include=self.model_fields_set)
        nothing = {name for name in ("name", "is_disabled") if sent.get(name, "") is None}
        return {name: value for name, value in sent.items() if name not in nothing}
