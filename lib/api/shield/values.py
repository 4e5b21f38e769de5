"""The values that fields may have, with bounds that no honest client meets, and what is wrong.

Everything is taken as it is written: a number in quotes is a text, as it is to the engines.
"""

import json
import math
from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict, Field, StringConstraints, ValidationError

from lib.core.errors import BadInput
from lib.core.names import shown

STRICT = ConfigDict(strict=True, extra="ignore")

MOST_MESSAGES = 4_096
MOST_PARTS = 1_024  # of one message
MOST_TOOLS = 256
MOST_CALLS = 256  # of tools, in one message
MOST_STOPS = 16
MOST_BIASES = 1_024
MOST_TOKENS = 10_485_760
MOST_CHOICES = 16  # `n`
MOST_INPUTS = 2_048
MOST_INPUT_TOKENS = 1_048_576
MOST_DOCUMENTS = 4_096
LONGEST_DESCRIPTION = 65_536  # characters
LONGEST_ARGUMENTS = 2**20
DEEPEST = 64  # of what is a tool's own matter
MOST_NODES = 100_000

Name = Annotated[str, StringConstraints(min_length=1, max_length=256)]
ToolName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.:/-]{1,128}$")]
Description = Annotated[str, StringConstraints(max_length=LONGEST_DESCRIPTION)]
Id = Annotated[str, StringConstraints(max_length=256)]
MaxTokens = Annotated[int, Field(ge=1, le=MOST_TOKENS)]
Choices = Annotated[int, Field(ge=1, le=MOST_CHOICES)]
Seed = Annotated[int, Field(ge=-(2**63), lt=2**63)]
Temperature = Annotated[float, Field(ge=0, le=5)]
Share = Annotated[float, Field(ge=0, le=1)]
Penalty = Annotated[float, Field(ge=-2, le=2)]
Factor = Annotated[float, Field(gt=0, le=10)]
TopK = Annotated[int, Field(ge=-1, le=2**31 - 1)]
TopLogprobs = Annotated[int, Field(ge=0, le=100)]
TokenId = Annotated[int, Field(ge=0, lt=2**31)]
TokenIds = Annotated[list[TokenId], Field(max_length=MOST_INPUT_TOKENS)]
StopText = Annotated[str, StringConstraints(max_length=512)]
Stops = Annotated[
    list[StopText],
    Field(max_length=MOST_STOPS),
    BeforeValidator(lambda value: [value] if isinstance(value, str) else value),
]
BiasToken = Annotated[str, StringConstraints(pattern=r"^\d{1,10}$")]
Biases = Annotated[
    dict[BiasToken, Annotated[float, Field(ge=-100, le=100)]], Field(max_length=MOST_BIASES)
]
Arguments = Annotated[str, StringConstraints(max_length=LONGEST_ARGUMENTS)]
Base64 = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9+/=_-]*$")]


class WrongField(BadInput, code="invalid_value", status=400):
    """A field has a value that no engine should get; `param` names it."""

    def __init__(self, message: str, fix: str = "", param: str | None = None) -> None:
        super().__init__(message, fix)
        self.param = param


class NotPassedOn(WrongField, code="unsupported_field"):
    """A field that no engine gets from outside, and whose lack would change the meaning."""


def wrong_field(error: ValidationError, fields: Any) -> WrongField:
    """What is wrong first, by the place that the client knows."""
    found = error.errors(include_url=False, include_input=False, include_context=False)
    places = [_place(one["loc"], fields) for one in found]
    at = max(range(len(found)), key=lambda number: len(places[number]))
    place = shown(_written(places[at]), 120)
    said = shown(found[at]["msg"], 200).replace("Input should", "should")
    return WrongField(
        f"“{place}” {said}." if said.startswith("should") else f"“{place}”: {said}.",
        "Correct the field and send the request again.",
        place,
    )


def _place(loc: Sequence[int | str], value: Any) -> list[int | str]:
    """The part of a validator's place that exists in the request: it also names kinds of values."""
    place: list[int | str] = []
    for number, part in enumerate(loc):
        if _has(value, part):
            value = value[part]
            place.append(part)
        elif number == len(loc) - 1 and isinstance(value, dict):  # it is missing
            place.append(part)
    return place


def _has(value: Any, part: int | str) -> bool:
    if isinstance(value, list):
        return isinstance(part, int) and part < len(value)
    return isinstance(value, dict) and part in value


def _written(place: Sequence[int | str]) -> str:
    """`messages[0].content`."""
    parts = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in place]
    return "".join(parts).removeprefix(".") or "the body"


def bounded(value: Any, param: str) -> None:
    """WrongField where a free value is deeper or larger than anything sensible."""
    waiting, nodes = [(value, 1)], 0
    while waiting:
        found, depth = waiting.pop()
        nodes += 1
        if isinstance(found, float) and not math.isfinite(found):
            raise WrongField(f"“{param}” has a number that is none.", "Send a number.", param)
        if not isinstance(found, dict | list):
            continue
        if depth > DEEPEST or nodes + len(found) > MOST_NODES:
            said = f"“{param}” is too large, or nested too deeply."
            raise WrongField(said, "Simplify it.", param)
        inner = found.values() if isinstance(found, dict) else found
        waiting += [(one, depth + 1) for one in inner]


def arguments_of(text: str, param: str) -> str:
    """Of a call of a tool; engines read them, and fail where they are no JSON object."""
    try:
        found = json.loads(text or "{}")
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise WrongField(f"“{param}” is no JSON object.", "Send it as it came.", param)
    bounded(found, param)
    return text or "{}"
