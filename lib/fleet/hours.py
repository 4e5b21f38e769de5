"""When a model is to be in memory: some days of the week, from one time of the day to another."""

import datetime as dt
from typing import Annotated

from pydantic import Field, StringConstraints

from lib.core.values import Frozen

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
WORKDAYS = (0, 1, 2, 3, 4)
Time = Annotated[str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]


class Hours(Frozen):
    """In this machine's own time. An end that is not after the begin is of the next day."""

    days: tuple[Annotated[int, Field(ge=0, le=6)], ...] = WORKDAYS  # 0 is Monday; of the begin
    begin: Time = "08:00"
    end: Time = "18:00"

    def span(self, now: dt.datetime) -> tuple[dt.datetime, dt.datetime] | None:
        """The one that began last: its begin and its end, which may be past; None for none ever.

        Times are without a zone: on the days when clocks change it is an hour longer or shorter.
        """
        for back in range(8):
            day = now.date() - dt.timedelta(days=back)
            begin = dt.datetime.combine(day, dt.time.fromisoformat(self.begin))
            if day.weekday() in self.days and begin <= now:
                return begin, self._end(begin)
        return None

    def _end(self, begin: dt.datetime) -> dt.datetime:
        end = dt.datetime.combine(begin.date(), dt.time.fromisoformat(self.end))
        return end if end > begin else end + dt.timedelta(days=1)

    @property
    def words(self) -> str:
        """`08:00 to 18:00 on Mon to Fri`."""
        return f"{self.begin} to {self.end} {_days(self.days)}".strip()


def _days(days: tuple[int, ...]) -> str:
    if not days:
        return "on no day"
    found = sorted(set(days))
    if len(found) == len(DAYS):
        return "every day"
    is_in_a_row = len(found) > 2 and found[-1] - found[0] == len(found) - 1
    names = [DAYS[found[0]], DAYS[found[-1]]] if is_in_a_row else [DAYS[day] for day in found]
    return f"on {(' to ' if is_in_a_row else ', ').join(names)}"
