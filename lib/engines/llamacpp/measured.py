"""What a load took, beside what it was expected to take: kept for each model, and shown with it."""

import contextlib
import re
import time
from functools import lru_cache

from pydantic import TypeAdapter

from lib.core.errors import BerthError
from lib.core.files import write_text
from lib.core.http import get_text
from lib.core.values import Frozen
from lib.engines.base import StartOptions
from lib.engines.llamacpp import drafts, files
from lib.engines.llamacpp.files import ModelFile
from lib.engines.llamacpp.launch import load_of_file
from lib.engines.llamacpp.props import ASK_SECONDS
from lib.engines.llamacpp.records import Record, file_of, key, read
from lib.engines.openai_api import authorization
from lib.fit import gguf
from lib.fit.architecture import geometry
from lib.fit.memory import need
from lib.processes.background import held

MOST_KEPT = 12  # sets of options; the newest stands first
LEAST_TOKENS = 32  # written, before a speed means much
_WRITTEN = re.compile(
    r"^llamacpp:tokens_predicted(_seconds)?_total ([0-9.]+(?:e[+-]?[0-9]+)?)$", re.M
)


class Measured(Frozen):
    """The load with one set of options, in bytes."""

    at: float  # epoch seconds
    options: StartOptions
    expected: int  # with all that it may keep: whole context, prompts, an image
    taken: int  # at that moment
    of_files: int = 0  # of it, pages of the file, which the system takes back where it is short
    tokens_per_second: float | None = None  # that it wrote, on average of its last run that wrote

    @property
    def own(self) -> int:
        """What it took that is not a page of its file."""
        return self.taken - self.of_files


_KEPT = TypeAdapter(list[Measured])


def look(model: str) -> Measured | None:
    """The most that its run takes, or that the last one took; None where nobody has measured it."""
    record = read(model)
    if record and record.pid and record.context is not None:
        note(record)
    return next(iter(_kept(model)), None)


def with_options(model: str, options: StartOptions) -> Measured | None:
    """The same for a load with these options; None where there was none yet."""
    return next((one for one in _kept(model) if one.options == options), None)


def beyond(file: ModelFile) -> int:
    """Bytes by which a load of it took more than is expected today, whatever its options.

    Pages of its file do not count: those that were copied into another layout can go. Less than
    expected says nothing: what a conversation needs is taken when there is one.
    """
    more = [one for one in _kept(file.name) if one.own > one.expected]
    return max((one.own - expected(file, one.options) for one in more), default=0)


def note(record: Record) -> None:
    """Measure a child that is ready, and keep it; comfort, so that no failure stops anybody.

    Less than before in the same run is not kept: one that is dying has given back the most of it.
    """
    with contextlib.suppress(BerthError, OSError, ValueError):
        now = held(record) if record.context is not None else None
        before = with_options(record.model, record.options)
        is_same_run = before is not None and before.at >= record.started_at
        if now is None or (before and is_same_run and before.taken >= now.bytes):
            return
        found = Measured(
            at=time.time(),
            options=record.options,
            expected=expected(files.find(record.model), record.options),
            taken=now.bytes,
            of_files=now.of_files,
            tokens_per_second=before.tokens_per_second if before else None,
        )
        _keep(record.model, found)


def note_speed(record: Record) -> None:
    """Keep how fast its run writes, by its own count; nothing where it does not tell."""
    known = with_options(record.model, record.options)
    with contextlib.suppress(BerthError, OSError, ValueError):
        speed = _speed(record) if known else None
        if known and speed and speed != known.tokens_per_second:
            _keep(record.model, known.model_copy(update={"tokens_per_second": speed}))


def _speed(record: Record) -> float | None:
    told = get_text(f"{record.url}/metrics", authorization(key(record.model)), ASK_SECONDS)
    totals = {kind: float(number) for kind, number in _WRITTEN.findall(told)}
    seconds, tokens = totals.get("_seconds", 0.0), totals.get("", 0.0)
    return round(tokens / seconds, 2) if seconds > 0 and tokens >= LEAST_TOKENS else None


def _kept(model: str) -> list[Measured]:
    """Of every set of options; a file of before has one."""
    with contextlib.suppress(OSError, ValueError):
        text = file_of(model, "memory").read_bytes()
        return _KEPT.validate_json(text if text.lstrip().startswith(b"[") else b"[%b]" % text)
    return []


def _keep(model: str, found: Measured) -> None:
    others = [one for one in _kept(model) if one.options != found.options]
    text = _KEPT.dump_json([found, *others][:MOST_KEPT]).decode()
    write_text(file_of(model, "memory"), text)


@lru_cache(maxsize=64)
def expected(file: ModelFile, options: StartOptions) -> int:
    """Bytes that a load is estimated to need. The header is read once: that can take 0.3 s.

    BrokenFile where it does not tell, NotFound where its draft model is gone.
    """
    shape = geometry(gguf.read_model(file.full_path))
    load, draft = load_of_file(file, options), drafts.draft_of(options)
    beside = drafts.needed_bytes(draft, load) if draft else 0
    return need(shape, load).total + beside
