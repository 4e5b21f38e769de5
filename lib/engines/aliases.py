"""Other names that a model goes by, as its own engine takes them.

Ollama does not mind case, and `latest` may be left out; slots that serve one name together are
listed as `name@slot-1`, and asked by the name too.
"""

from collections.abc import Iterable

from lib.engines import ollama, vllm
from lib.engines.base import Model, State
from lib.engines.ollama.engine import full_name

_OF_A_SLOT = "@slot-"


def named(name: str, models: Iterable[Model]) -> Model | None:
    """The model that is listed by this name, else one that goes by it: a running one first."""
    found = [model for model in models if model.name == name or _goes_by(model, name)]
    return min(found, key=lambda model: _rank(model, name)) if found else None


def _rank(model: Model, name: str) -> tuple[bool, bool]:
    return model.name != name, model.state != State.READY


def _goes_by(model: Model, name: str) -> bool:
    if model.engine == ollama.ENGINE.name:
        return full_name(model.name) == full_name(name)
    if model.engine == vllm.ENGINE.name:
        return model.name.rpartition(_OF_A_SLOT)[0] == name
    return False
