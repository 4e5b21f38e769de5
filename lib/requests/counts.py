"""How much was asked, by key, model and day: sums over the log, which nobody keeps a second time.

They go back as far as the log does: 30 days, or its MOST_ROWS newest requests.
"""

from typing import NamedTuple

from lib.core.access import Action, require
from lib.requests.log import Filter, Outcome, safely

MOST = 5_000
_QUERY = """
SELECT date(at, 'unixepoch', 'localtime') AS day, key, who, model, count(*),
    sum(outcome != ?), sum(prompt), sum(reply)
FROM requests WHERE {} GROUP BY day, key, who, model ORDER BY day DESC, count(*) DESC, who, model
LIMIT ?
"""


class Count(NamedTuple):
    """One key and model on one day here."""

    day: str  # 2026-11-28
    key: str
    who: str
    model: str
    requests: int
    unfinished: int  # of them: failed, left, stopped
    prompt: int  # tokens
    reply: int


def by_day(chosen: Filter) -> list[Count]:
    """The newest day first, the busiest first within it. For the owner."""
    require(Action.REQUESTS)
    condition, values = chosen.where()
    found = safely(_QUERY.format(condition), (Outcome.DONE.value, *values, MOST))
    return [Count(*row) for row in found]
