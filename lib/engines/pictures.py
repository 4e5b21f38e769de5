"""What a model looks at of a picture, where its engine's files tell."""

import contextlib
from pathlib import Path

from lib.core.errors import BerthError
from lib.engines.base import Model
from lib.engines.llamacpp import NAME, files
from lib.fit import gguf, picture
from lib.fit.picture import Picture


def seen(model: Model) -> Picture | None:
    """Of one picture; None for a model that cannot see, or where nobody can tell."""
    if not model.can_see or model.engine != NAME:
        return None
    with contextlib.suppress(BerthError, OSError):
        projector = files.find(model.name).projector
        return picture.seen(gguf.read_file(Path(projector))) if projector else None
    return None
