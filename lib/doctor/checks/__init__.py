"""The checks: every module of this folder that ends in `CHECK = …` is one."""

import importlib
import pkgutil
from functools import cache

from lib.doctor.finding import Check


@cache
def all_checks() -> tuple[Check, ...]:
    """Every check, in the order of the file names."""
    names = [found.name for found in pkgutil.iter_modules(__path__)]
    return tuple(importlib.import_module(f"{__name__}.{name}").CHECK for name in names)
