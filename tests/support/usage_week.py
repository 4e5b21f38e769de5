"""A week of a machine that works by day, as a sampler would have kept it."""

import math
import os
from pathlib import Path
from unittest import mock

from lib.core import activity, database
from lib.fleet import served
from lib.machine import history
from lib.machine.sampler import CardUse, Sample

GIB = 2**30
DAY = 86_400


def lay_week(home: Path, until: float, cards: tuple[str, ...] = ()) -> None:
    """Rows of seven days up to this time, what was started, and how fast replies were written."""
    with mock.patch.dict(os.environ, {"BERTH_HOME": str(home)}):
        with history._opened() as rows:
            for span, seconds in ((60, DAY), (900, 7 * DAY)):
                for number in range(1, seconds // span):
                    row = history._row(sample(until - number * span, cards))
                    rows.execute(history._ADD, (span, *row))
        with database.opened(activity.SCHEMA) as rows:
            for hours in (3, 30, 90):
                row = (until - hours * 3_600, "started", "qwen2.5-7b", "", "")
                rows.execute("INSERT INTO activity VALUES (?, ?, ?, ?, ?)", row)
        with database.opened(served.SCHEMA) as rows:
            for hours in range(1, 160, 3):
                at = int(until - hours * 3_600) // 60 * 60
                told = (at, "llamacpp", "qwen2.5-7b", "", 1, 100, 200, 8 + hours % 5)
                rows.execute("INSERT INTO served VALUES (?, ?, ?, ?, ?, ?, ?, ?)", told)


def sample(at: float, cards: tuple[str, ...] = ()) -> Sample:
    """Busy from eight to eighteen, by waves."""
    hour = at / 3_600 % 24
    busy = max(0.0, math.sin((hour - 8) / 10 * math.pi)) if 8 < hour < 18 else 0.0
    wave = (1 + math.sin(at / 700)) / 2
    return Sample(
        at=at,
        cpu_percent=4 + 70 * busy * wave,
        memory_used_bytes=int((3 + 9 * busy) * GIB),
        memory_available_bytes=int((13 - 9 * busy) * GIB),
        disk_free_bytes=int(80e9 + at % (7 * DAY) * 1e4),
        received_bytes_per_second=8e6 * busy * wave,
        sent_bytes_per_second=1e6 * busy,
        read_bytes_per_second=5e7 * busy * wave,
        written_bytes_per_second=9e6 * wave,
        swap_used_bytes=int(busy * GIB / 4),
        cards=tuple(CardUse(key, 90 * busy * wave, int(40 * busy * GIB)) for key in cards),
    )
