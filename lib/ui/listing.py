"""The models as they were seen a moment ago: one look serves all parts of a page that name them."""

import threading
import time
from pathlib import Path

from lib.core.settings import settings
from lib.engines import all_models
from lib.engines.base import Model

FRESH_SECONDS = 2.0

_lock = threading.Lock()
_seen: tuple[Path, float, list[Model]] | None = None


def models() -> list[Model]:
    """Those of all engines; looked at again where the last look is older than a page takes."""
    global _seen
    home = settings().home
    with _lock:
        if _seen is None or _seen[0] != home or time.monotonic() - _seen[1] > FRESH_SECONDS:
            found = all_models()
            _seen = (home, time.monotonic(), found)
        return _seen[2]
