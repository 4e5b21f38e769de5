"""The same models on other machines: servers from the owner's settings that have a slot's model.

Only models that run on a slot here too are taken: what else those servers have stands in Berth
itself. A server that does not answer now is left out until the next deployment.
"""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple

from pydantic import SecretStr, ValidationError

from lib.core.errors import BerthError
from lib.core.http import request_json
from lib.engines.openai_api import authorization
from lib.engines.vllm import addresses
from lib.engines.vllm.addresses import Address
from lib.slots.gateway.backends import Backend

ASK_SECONDS = 5.0
# What means nothing to systemd in an environment file.
_PLAIN_KEY = re.compile(r"[A-Za-z0-9_.:+/=-]{1,4096}")


class Elsewhere(NamedTuple):
    """What was found."""

    backends: tuple[Backend, ...] = ()
    keys: Mapping[str, str] = {}  # by the variable in which LiteLLM finds it
    left_out: tuple[str, ...] = ()  # in sentences


@cache
def look(names: frozenset[str]) -> Elsewhere:
    """Servers that have a model of one of these names; asked once for each run of a program."""
    backends, keys, left_out = list[Backend](), dict[str, str](), list[str]()
    for address in addresses.all_addresses() if names else []:
        key = addresses.key_of(address.name)
        if problem := _unfit(address, key):
            left_out.append(problem)
            continue
        try:
            found = list(_of(address, key, names))
        except BerthError as error:
            left_out.append(f"“{address.name}” is left out: {error.message}")
            continue
        backends += found
        if found and key:
            keys[found[0].key_variable] = key.get_secret_value()
    return Elsewhere(tuple(backends), keys, tuple(left_out))


def _of(address: Address, key: SecretStr | None, names: frozenset[str]) -> Iterator[Backend]:
    variable = f"BERTH_{address.name.upper().replace('-', '_')}_KEY" if key else ""
    told = request_json(
        "GET", f"{address.url}/models", None, authorization(key), seconds=ASK_SECONDS
    )
    for model in _ids(told):
        name = model.rpartition("/")[2]
        if name in names:
            yield Backend(model=model, address=address.url, key_variable=variable, name=name)


def _ids(told: Any) -> Iterator[str]:
    """The models that a server lists, less those whose names cannot be used."""
    rows = told.get("data", []) if isinstance(told, dict) else []
    for row in rows if isinstance(rows, list) else []:
        model = row.get("id") if isinstance(row, dict) else None
        try:
            yield Backend(model=model, address="http://a").model
        except (BerthError, ValidationError):
            continue


def _unfit(address: Address, key: SecretStr | None) -> str:
    if not address.url.endswith("/v1"):
        return f"“{address.name}” is left out: LiteLLM asks only addresses that end in /v1."
    if key and not _PLAIN_KEY.fullmatch(key.get_secret_value()):
        return f"“{address.name}” is left out: its key has characters that a service cannot keep."
    return ""
