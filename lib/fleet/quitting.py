"""Berth ends because its owner says so: with its models, or without them.

Models, downloads and what else runs in processes of its own go on without it; replies that it is
writing do not, and guests and programs do not reach it until it is started again.
"""

from lib.core import lifecycle
from lib.core.access import Action, require
from lib.engines import running_models
from lib.fleet import actions

ANSWER_SECONDS = 0.5  # so long what asked for it may take to be told


def leave(*, stops_models: bool = False) -> list[str]:
    """End the server in a moment; the models that were stopped before that.

    Where one cannot be stopped its error is raised, and Berth goes on.
    """
    require(Action.CONFIGURE)
    stopped = running_models() if stops_models else []
    for model in stopped:
        actions.stop(model)
    lifecycle.end_soon(ANSWER_SECONDS)
    return [model.name for model in stopped]
