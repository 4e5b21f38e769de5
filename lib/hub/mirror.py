"""Another address that is asked in place of the Hub, where the owner chose one."""

import os
from urllib.parse import urlsplit

from lib.core import preferences
from lib.core.errors import BadInput

VARIABLE = "HF_ENDPOINT"


def is_fixed() -> bool:
    """Does the environment say it, whatever is chosen?"""
    return bool(os.environ.get(VARIABLE))


def chosen() -> str:
    """What was chosen; "" for the Hub itself."""
    return preferences.preferences().hub_mirror


def choose(address: str) -> None:
    """From now on this is asked; "" goes back to the Hub. BadInput where it is no web address."""
    wanted = address.strip().rstrip("/")
    if wanted and not _is_web_address(wanted):
        raise BadInput("This is no web address.", "It begins with https:// or http://.")
    preferences.change(hub_mirror=wanted)


def _is_web_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and not parts.username
    except ValueError:
        return False
