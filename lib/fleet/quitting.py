"""Berth ends because its owner says so: with its models, or without them.

Models, downloads and what else runs in processes of its own go on without it; replies that it is
writing do not, and guests and programs do not reach it until it is started again.
"""

from lib.core import lifecycle
from lib.core.access import Action, require
from lib.engines import running_models
from lib.fleet import actions

ANSWER_SECONDS = 1.5  # so long what asked for it may take to be told, or drawn


def stop_models() -> list[str]:
    """Stop each model that runs here; their names. The first error is raised."""
    require(Action.CONFIGURE)
    found = running_models()
    for model in found:
        actions.stop(model)
    return [model.name for model in found]


def leave() -> None:
    """End the server in a moment; what runs beside it goes on."""
    require(Action.CONFIGURE)
    lifecycle.end_soon(ANSWER_SECONDS)
