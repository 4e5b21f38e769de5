"""The wheel that brings the engine along."""

import importlib.metadata
from functools import cache


def version() -> str:
    """Empty where it is not installed; what is not installed yet may be later."""
    try:
        return _installed()
    except importlib.metadata.PackageNotFoundError:
        return ""


@cache
def _installed() -> str:
    """Read once, as that takes a millisecond; PackageNotFoundError, which is not kept."""
    return importlib.metadata.version("xllamacpp")
