"""How long Berth is shared, and what of that outlives its end: a restart goes on with it."""

import time
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path

from pydantic import ValidationError

from lib.core.errors import Conflict
from lib.core.files import read_json, write_json
from lib.core.settings import settings
from lib.core.values import Frozen

LONGEST_SECONDS = 31 * 86_400.0
SOON_SECONDS = 3_600.0


class Lasting(StrEnum):
    """What can be chosen."""

    HOUR = "1h"
    WORKDAY = "8h"
    TODAY = "today"
    ALWAYS = "always"  # until the owner stops it


class Open(Frozen):
    """Berth is shared, there and until then (epoch seconds; 0: until the owner stops it)."""

    address: str
    until: float = 0.0

    def is_over(self, now: float) -> bool:
        """Has its time come? A clock that was set far back ends it too."""
        return bool(self.until) and not now < self.until <= now + LONGEST_SECONDS


def until(lasting: Lasting, now: float) -> float:
    """The moment when that ends, in epoch seconds; 0 for never. Today ends at midnight here."""
    if lasting == Lasting.TODAY:
        day = datetime.fromtimestamp(now).date() + timedelta(days=1)
        return datetime.combine(day, datetime.min.time()).timestamp()
    hours = {Lasting.HOUR: 1, Lasting.WORKDAY: 8}
    return now + hours[lasting] * 3_600 if lasting in hours else 0.0


def left(moment: float, now: float | None = None) -> str:
    """`ends in 7 h 59 min`, `ends in 3 min`, `ends in less than a minute`."""
    if not moment:
        return "until you stop it"
    minutes = int(max(moment - (time.time() if now is None else now), 0) // 60)
    hours, rest = divmod(minutes, 60)
    told = [f"{hours} h"] if hours else []
    told += [f"{rest} min"] if rest else []
    return f"ends in {' '.join(told) or 'less than a minute'}"


def keep(now: Open) -> None:
    """It goes on after a restart."""
    try:
        write_json(_path(), now.model_dump())
    except OSError as error:
        raise Conflict(
            f"{_path()} cannot be written: {error.strerror}.",
            "Free some space, or look at the folder's permissions.",
        ) from error


def kept() -> Open | None:
    """What was shared when Berth ended; None where nothing was, or its time is over."""
    try:
        found = Open.model_validate(read_json(_path()))
    except ValidationError:
        return None
    return None if found.is_over(time.time()) else found


def forget() -> None:
    """It is over."""
    try:
        _path().unlink(missing_ok=True)
    except OSError as error:
        raise Conflict(f"{_path()} cannot be removed: {error.strerror}.", "Remove it.") from error


def _path() -> Path:
    return settings().home / "sharing.json"
