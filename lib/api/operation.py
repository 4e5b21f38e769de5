"""What a route takes and gives, said where the route is.

    @operation(answers=Started, body=StartOptions, errors=ENGINES)
    async def start(request: Request) -> Response:
        \"\"\"Load the model; answers when it answers.\"\"\"

/api/openapi.json and /api/docs are made from this, from the docstring and from the route itself;
what any route may refuse, docs.py adds. A route that says nothing fails a test.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple, TypeVar, get_type_hints

from pydantic import BaseModel, create_model

from lib.core.errors import (
    BerthError,
    Conflict,
    DoesNotFit,
    EngineDown,
    EngineError,
    NetworkError,
    NoSpace,
)

_Endpoint = TypeVar("_Endpoint", bound=Callable[..., Any])
Errors = tuple[type[BerthError], ...]

ENGINES: Errors = (EngineError, EngineDown, Conflict, DoesNotFit)  # where an engine is asked
HUB: Errors = (NetworkError, NoSpace)  # where the Hub is
JSON = "application/json"
EVENTS = "text/event-stream"


class Operation(NamedTuple):
    """One method of one path."""

    summary: str
    details: str = ""
    answers: Mapping[int, Any] = {}  # by status: what TypeAdapter takes
    body: Any = None
    query: Any = None  # a pydantic model, a field for each parameter
    headers: Any = None  # likewise; `last_event_id` is Last-Event-ID
    events: Mapping[str, Any] = {}  # of a stream, by name
    errors: Errors = ()
    takes: str = JSON  # the body's media type
    media_type: str = JSON  # of a whole answer
    also: Mapping[str, Any] = {}  # other media types of it, with what they hold
    example: Any = None  # of the body
    gives: Any = None  # an example of the first answer


_SAID: dict[Any, Operation] = {}


def operation(
    answers: Any = None, *, status: int = 200, more: Mapping[int, Any] | None = None, **said: Any
) -> Callable[[_Endpoint], _Endpoint]:
    """Describe the decorated endpoint. `answers` is what it gives with `status`, `more` others.

    The other names are those of Operation.
    """

    def describe(endpoint: _Endpoint) -> _Endpoint:
        summary, details = _words(endpoint.__doc__ or "")
        every = {status: answers, **(more or {})}
        _SAID[endpoint] = Operation(summary, details, every, **said)
        return endpoint

    return describe


def said_of(endpoint: Any) -> Operation | None:
    """What the route's endpoint says of itself; None where it says nothing."""
    while isinstance(endpoint, partial):
        endpoint = endpoint.func
    return _SAID.get(endpoint)


def as_object(row: type[Any]) -> type[BaseModel]:
    """The shape of a NamedTuple that is sent as its `_asdict`."""
    fields: dict[str, Any] = {name: (kind, ...) for name, kind in get_type_hints(row).items()}
    return create_model(row.__name__, __doc__=row.__doc__, **fields)


def _words(text: str) -> tuple[str, str]:
    """A docstring's first line, and what stands below it."""
    first, _, rest = text.strip().partition("\n")
    lines = [line.strip() for line in rest.strip().split("\n")]
    return first, " ".join(line or "\n\n" for line in lines).strip()
