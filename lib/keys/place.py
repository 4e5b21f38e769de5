"""Where the keys stand: berth.db of this BERTH_HOME, asked for several times in every request."""

import os
from functools import lru_cache
from pathlib import Path

from lib.core import database


def file() -> Path:
    """The file, without a look at all settings."""
    return _file(os.environ.get("BERTH_HOME", ""))


@lru_cache(maxsize=8)
def _file(_home: str) -> Path:
    return database.path()
