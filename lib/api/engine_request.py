"""What a client asks of an engine, read so that the engine can read nothing else in it.

What two parsers may take for different things is refused: a name twice, where one takes the first
and another the last; a name in two spellings, where one (Go's) does not mind case. So is a picture
by its address: an engine would fetch what stands there, files of this machine and other servers
included. Which fields go on, and with what values, lib/api/shield/ says.
"""

from collections.abc import Iterator
from typing import Any

from lib.api.errors import Ambiguous, NotJson, once, parsed
from lib.core.errors import BadInput
from lib.core.names import shown

READ_HERE = ("model", "messages", "input", "prompt")  # by us, so the engine must find no other
WITH_PICTURES = ("messages", "input", "prompt", "query", "documents", "texts", "texts_1", "texts_2")
_ADDRESS = "_url"  # image_url, and what some engines take for sound and films
_DATA = "data:"


class ForeignAddress(BadInput, code="foreign_address", status=400):
    """The engine would have to fetch something."""


def read(body: bytes) -> dict[str, Any]:
    """The body's fields; NotJson, Ambiguous or ForeignAddress where it cannot go to an engine."""
    fields = parsed(body, pairs=once)
    if not isinstance(fields, dict):
        raise NotJson("The body is not a JSON object.", 'Send {"model": …, "messages": …}.')
    _check_spelling(fields)
    for address in _addresses([fields.get(name) for name in WITH_PICTURES]):
        if not address.lower().startswith(_DATA):
            raise ForeignAddress(
                f"“{shown(address)}” is not in the request itself, and engines fetch nothing here.",
                "Send the picture as a data: address, base64-encoded.",
            )
    return fields


def _check_spelling(fields: dict[str, Any]) -> None:
    """Ambiguous where a name differs from another one, or from one that is read here, in case."""
    seen = {name: name for name in READ_HERE}
    for name in fields:
        usual = seen.setdefault(name.casefold(), name)
        if usual != name:
            raise Ambiguous(
                f"The field “{shown(name)}” could be taken for “{shown(usual)}”.",
                f"Write “{shown(usual)}”, once.",
            )


def _addresses(value: Any) -> Iterator[str]:
    """What is to be fetched for this, however deep it stands."""
    rest = [value]
    while rest:
        found = rest.pop()
        if isinstance(found, list):
            rest += found
        elif isinstance(found, dict):
            for name, inner in found.items():
                if name.casefold().endswith(_ADDRESS) or _is_fetched(name, inner):
                    yield from _named(inner)
                else:
                    rest.append(inner)


def _is_fetched(name: str, value: Any) -> bool:
    """Anthropic's form: `{"source": {"type": "url", "url": …}}`."""
    return name == "source" and isinstance(value, dict) and "url" in value


def _named(value: Any) -> Iterator[str]:
    """The address itself, or the one in an object around it."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for inner in value:
            yield from _named(inner)
    elif isinstance(value, dict):
        for name, inner in value.items():
            if name.casefold() == "url" and isinstance(inner, str):
                yield inner
