"""Children that run in this home and that no record knows, found by their command line.

A record is written before its child starts, so there should be none; but files get deleted, and a
home is restored from a copy. Where the child's options are still there it is taken in again: it is
shown, asked and stopped like any other. Of the rest the engine's note says how to end them.
"""

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
from pydantic import ValidationError

from lib.core.errors import BerthError
from lib.core.files import read_json
from lib.core.locks import is_held
from lib.core.settings import settings
from lib.engines.base import StartOptions
from lib.engines.llamacpp import child as engine_child
from lib.engines.llamacpp import files, fresh_links, records
from lib.engines.llamacpp.launch import Launch
from lib.engines.llamacpp.records import Record, file_of
from lib.processes import background as process
from lib.processes import keeper

LOOK_SECONDS = 10.0
ENDINGS = (".options", ".key")  # what an engine is started with; others read logs and records
NOTE = "It was running and Berth did not know it: its record is gone. Stop ends it as any other."

_looked_at = 0.0
_lost: dict[int, str] = {}  # those that cannot be asked: pid and model


def take_in() -> None:
    """Look for them, once in a while; a record is written for each that can be known again."""
    global _looked_at, _lost
    now = time.monotonic()
    if _looked_at and now - _looked_at < LOOK_SECONDS:
        return
    _looked_at = now
    fresh_links.sweep()
    lost = {}
    for name, pid in _unknown():
        try:
            records.save(_record(name, pid))
        except (BerthError, ValidationError, OSError):
            lost[pid] = name
    _lost = lost


def note() -> str:
    """What is to be done about those that cannot be asked; "" where there are none."""
    lost = _lost
    if not lost:
        return ""
    told = ", ".join(f"{name} (process {pid})" for pid, name in lost.items())
    pids = " ".join(map(str, lost))
    return f"Models run that Berth lost track of: {told}. To end them: kill {pids}"


def _unknown() -> Iterator[tuple[str, int]]:
    """Model and pid of each child of this home that has no record."""
    home = str(settings().engines) + "/"
    for one in psutil.process_iter(["cmdline"]):
        words = one.info["cmdline"] or []
        mine = [Path(word) for word in words if word.startswith(home) and word.endswith(ENDINGS)]
        is_engine = len(words) > 2 and ("--alias" in words or engine_child.__file__ in words)
        if mine and is_engine and keeper.__file__ not in words and not _is_known(mine[0].stem):
            yield mine[0].stem, one.pid


def _is_known(model: str) -> bool:
    return records.read(model) is not None or is_held(file_of(model, "lock"))


def _record(name: str, pid: int) -> Record:
    """What the child's options say of it; an error where they are gone, or another child's."""
    told = Launch.model_validate(read_json(file_of(name, "options")))
    file = None
    with contextlib.suppress(BerthError):
        file = files.find(name)
    child = process.known(pid)
    return Record(
        **child.model_dump(),
        model=name,
        path=file.path if file else told.path,
        size_bytes=file.size_bytes if file else Path(told.path).stat().st_size,
        can_chat=file.can_chat if file else True,
        task=told.task,
        projector=told.projector,
        template=told.template,
        options=StartOptions(
            context=told.context // told.slots,
            slots=told.slots,
            threads=told.threads,
            prompt_cache_mib=told.prompt_cache_mib,
            kv_type=told.kv_type,
        ),
        port=told.port,
        started_at=child.created_at,
        note=NOTE,
    )
