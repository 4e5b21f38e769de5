"""Whether the Hub can be reached: as far as was heard, and a short question where nothing was."""

import contextlib
import time

from lib.core.errors import BerthError
from lib.hub import api, heard
from lib.hub.errors import Asked

QUESTION_SECONDS = 4.0
FRESH_SECONDS = 600.0  # so long what was heard says enough
AGAIN_SECONDS = 60.0  # after no answer


def is_old(standing: heard.Standing, now: float) -> bool:
    """Is it time to ask?"""
    return now - standing.asked > (AGAIN_SECONDS if standing.problem else FRESH_SECONDS)


def look() -> heard.Standing:
    """How the Hub stands, after a question where it was not heard for a while."""
    if is_old(heard.standing(), time.time()):
        with contextlib.suppress(BerthError):  # any answer says that it is there
            api.ask("/api/models?limit=1", Asked(), seconds=QUESTION_SECONDS, limit_bytes=4_096)
    return heard.standing()
