"""What a home has kept of what was served, as the file says it."""

import contextlib
import sqlite3
from pathlib import Path
from typing import NamedTuple


class Served(NamedTuple):
    """The sums of one model and one person."""

    requests: int = 0
    prompt: int = 0
    completion: int = 0


def served_in(home: Path) -> dict[tuple[str, str, str], Served]:
    """By engine, model and who; nothing where nothing is kept yet."""
    file, found = home / "berth.db", dict[tuple[str, str, str], Served]()
    query = """SELECT engine, model, who, sum(requests), sum(prompt), sum(completion)
        FROM served GROUP BY engine, model, who"""
    if not file.exists():
        return found
    with (
        contextlib.closing(sqlite3.connect(file, timeout=5)) as rows,
        contextlib.suppress(sqlite3.OperationalError),  # there is no such table yet
    ):
        for engine, model, who, *sums in rows.execute(query):
            found[engine, model, who] = Served(*sums)
    return found


def speed_in(home: Path, model: str) -> float | None:
    """The last that was told of this model."""
    with contextlib.closing(sqlite3.connect(home / "berth.db", timeout=5)) as rows:
        asked = "SELECT speed FROM served_last WHERE model = ?"
        found = rows.execute(asked, (model,)).fetchone()
    return float(found[0]) if found and found[0] is not None else None


def gained(
    before: dict[tuple[str, str, str], Served], after: dict[tuple[str, str, str], Served]
) -> dict[tuple[str, str, str], Served]:
    """What came in between."""
    changed = {key: now for key, now in after.items() if now != before.get(key)}
    return {
        key: Served(*(a - b for a, b in zip(now, before.get(key, Served()), strict=True)))
        for key, now in changed.items()
    }
