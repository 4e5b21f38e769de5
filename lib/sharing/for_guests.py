"""What is wrong with models and engines, as guests are told it: nothing of the owner's disk.

Such sentences quote engines, logs and the system, so that a path or an address may stand in any.
"""

import re

from lib.core.access import Role, role
from lib.core.errors import BerthError
from lib.engines.base import Health, Model

OTHERWISE = "Something is wrong with it; the owner of this machine sees what."
_PRIVATE = re.compile(
    r"""(?:^|[\s"'`“”‘’«»(<\[{=,:;|])(?:~\w*|\.{1,2})?/[^\s/]"""  # a path, wherever it begins
    r"""|\b[A-Za-z]:\\|://"""
)


def told(text: str, otherwise: str = "") -> str:
    """The text; for a guest `otherwise`, where a path or an address stands in it."""
    return otherwise if role() != Role.OWNER and _PRIVATE.search(text) else text


def of_model(model: Model) -> Model:
    """The same model, with what is said of it as whoever acts now may read it."""
    problem, note = told(model.problem, OTHERWISE), told(model.note)
    if (problem, note) == (model.problem, model.note):
        return model
    return model.model_copy(update={"problem": problem, "note": note})


def of_health(health: Health) -> Health:
    """The same for an engine, whose version may name the owner's own program."""
    said = {
        "version": told(health.version),
        "problem": told(health.problem, OTHERWISE),
        "fix": told(health.fix),
    }
    return health.model_copy(update=said)


def of_error(error: BerthError) -> str:
    """The message alone: what is to be done about a model is not for a guest to do."""
    return told(error.message, OTHERWISE)
