"""The log, or its sums, as a file: CSV for spreadsheets, JSON for programs."""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

from lib.core.access import Action, require
from lib.requests import counts, log
from lib.requests.counts import Count
from lib.requests.log import MOST_AT_ONCE, Filter, Row

# A spreadsheet takes what begins so for a formula, the wide forms and a blank before them too.
_FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠", "\t", "\r", "\n")


class Format(StrEnum):
    """Of the file."""

    CSV = "csv"
    JSON = "json"

    @property
    def media_type(self) -> str:
        """As HTTP names it."""
        return "text/csv" if self == Format.CSV else "application/json"


class What(StrEnum):
    """What is in it."""

    LOG = "log"
    COUNTS = "counts"


def pieces(what: What, form: Format, chosen: Filter) -> Iterator[str]:
    """The file, a piece at a time: the newest first. For the owner."""
    require(Action.REQUESTS)
    names = _names(Row if what == What.LOG else Count)
    parts = _log(chosen) if what == What.LOG else iter([_counts(chosen)])
    return _as_csv(names, parts) if form == Format.CSV else _as_json(names, parts)


def file_name(what: What, form: Format, now: datetime) -> str:
    """What it is saved as."""
    return f"berth-requests-{what}-{now:%Y%m%d-%H%M}.{form}"


def cell(value: Any) -> Any:
    """A value that no spreadsheet runs: text that looks like a formula gets a mark before it."""
    if isinstance(value, str) and value.lstrip(" \u00a0").startswith(_FORMULA):
        return f"'{value}"
    return value


def _names(kind: type[Row] | type[Count]) -> tuple[str, ...]:
    return tuple(name for name in kind._fields if name != "number")


def _log(chosen: Filter) -> Iterator[list[Sequence[Any]]]:
    """So many lines at a time: the file is not held while somebody loads slowly."""
    before: int | None = None
    while found := log.page(chosen, before, MOST_AT_ONCE):
        before = found[-1].number
        yield [_line(row) for row in found]


def _line(row: Row) -> Sequence[Any]:
    return row._replace(at=_iso(row.at), outcome=row.outcome.value)[1:]  # type: ignore[arg-type]


def _iso(at: float) -> str:
    """With this machine's offset."""
    return datetime.fromtimestamp(at).astimezone().isoformat(timespec="milliseconds")


def _counts(chosen: Filter) -> list[Sequence[Any]]:
    return list(counts.by_day(chosen))


def _as_csv(names: Sequence[str], parts: Iterator[list[Sequence[Any]]]) -> Iterator[str]:
    yield _csv([names])
    for part in parts:
        yield _csv([[cell(value) for value in line] for line in part])


def _csv(lines: Sequence[Sequence[Any]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(lines)
    return text.getvalue()


def _as_json(names: Sequence[str], parts: Iterator[list[Sequence[Any]]]) -> Iterator[str]:
    """An array, one object a line."""
    before = "[\n"
    for part in parts:
        for line in part:
            told = json.dumps(dict(zip(names, line, strict=True)), ensure_ascii=False)
            yield f"{before}{told}"
            before = ",\n"
    yield "[]\n" if before == "[\n" else "\n]\n"
