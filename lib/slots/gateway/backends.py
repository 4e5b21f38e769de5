"""The servers that LiteLLM can ask, and the names under which clients know them."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated

from pydantic import AfterValidator

from lib.core.errors import BadInput
from lib.core.names import ModelName, shown
from lib.core.values import Frozen
from lib.engines.vllm.units import Unit

_ADDRESS = re.compile(r"https?://[A-Za-z0-9._:\[\]-]{1,253}(/[A-Za-z0-9._~-]+)*/?")
_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]{0,63}")


def base_url(text: str) -> str:
    """An address that ends in /v1, whatever was written; BadInput for what is none."""
    if not _ADDRESS.fullmatch(text):
        raise BadInput(
            f"“{shown(text)}” is not the address of a server.",
            "Write it as http://10.0.0.2:8000/v1.",
        )
    return f"{text.rstrip('/').removesuffix('/v1')}/v1"


def variable(text: str) -> str:
    """The name of an environment variable, "" for a server without key, or BadInput."""
    if text and not _VARIABLE.fullmatch(text):
        raise BadInput(
            f"“{shown(text)}” is not the name of a variable.",
            "Use capital letters, digits and _; the key itself belongs into litellm.env.",
        )
    return text


class Backend(Frozen):
    """One server for one model."""

    model: ModelName  # what the server calls it
    address: Annotated[str, AfterValidator(base_url)]  # ends in /v1
    key_variable: Annotated[str, AfterValidator(variable)] = ""  # where LiteLLM finds its key
    name: ModelName | None = None  # what clients call it; None: `alias` of its model


class Named(Frozen):
    """A backend with the name that clients ask for, which never has a `/`."""

    name: str
    backend: Backend
    is_balanced: bool  # is it one of several?


def slot_variable(slot: int) -> str:
    """Where LiteLLM finds the key of this slot's engine."""
    return f"BERTH_SLOT_{slot}_KEY"


def of_slots(units: Iterable[Unit]) -> list[Backend]:
    """Those of this machine."""
    return [
        Backend(
            model=unit.served_name, address=unit.base_url, key_variable=slot_variable(unit.slot)
        )
        for unit in units
    ]


def named(backends: Sequence[Backend]) -> list[Named]:
    """Each with its name; equal names are one model on several servers.

    `GET /v1/models/a/b` is 404 in LiteLLM, so names have no `/`: the organisation is left away, and
    where two organisations have a model of one name, both keep theirs.
    """
    wished = [backend.name or backend.model for backend in backends]
    short = _short(set(wished))
    names = [short[name] for name in wished]
    return [
        Named(name=name, backend=backend, is_balanced=names.count(name) > 1)
        for name, backend in zip(names, backends, strict=True)
    ]


def _short(wished: set[str]) -> Mapping[str, str]:
    lasts = [name.rpartition("/")[2] for name in wished]
    return {
        name: last if lasts.count(last) == 1 else name.replace("/", "--")
        for name, last in ((name, name.rpartition("/")[2]) for name in wished)
    }
