"""The addresses of a slot's model once it runs, from the outermost to the engine itself."""

import re
from typing import NamedTuple

from lib.engines.vllm.places import port
from lib.slots.request import SlotRequest

ENGINE_KEY = "/etc/berth/slot-{slot}.env"
MASTER_KEY = "/etc/berth/litellm.env"
_READY = re.compile(r"is ready at (https?://[^\s/]+)(/\S*)$")


class Endpoint(NamedTuple):
    """One way to the model."""

    title: str
    url: str  # …/v1
    key_file: str  # root's


def endpoints(request: SlotRequest, last_words: str) -> list[Endpoint]:
    """All of them; `last_words` are the deployment's own, which name the outermost."""
    slot, found = request.slot, _READY.search(last_words)
    own_key = ENGINE_KEY.format(slot=slot)
    engine = Endpoint("The engine", f"http://127.0.0.1:{port(slot)}/v1", own_key)
    if found is None:
        return [engine]
    ways = []
    if request.with_gateway:
        through = "LiteLLM, through nginx" if request.with_nginx else "LiteLLM"
        ways.append(Endpoint(through, f"{found[1]}{found[2]}", MASTER_KEY))
    if request.with_nginx:
        ways.append(Endpoint("The engine, through nginx", f"{found[1]}/slot-{slot}/v1", own_key))
    return [*ways, engine]
