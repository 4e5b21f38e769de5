"""What a model is that lies somewhere on this machine: read from its files, which stay as they are.

Headers alone are read, and a few pieces of the weights, by which two copies are known for the same:
a file of 40 GB costs no more than one of 40 MB.
"""

import contextlib
import hashlib
import os
import re
import stat as stat_module
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from lib.core.errors import BrokenFile
from lib.core.values import Frozen
from lib.engines.base import StartOptions
from lib.engines.llamacpp import files
from lib.engines.llamacpp.launch import load_of
from lib.engines.llamacpp.projector import Looked, can_see, in_memory, kind_at, projector_of
from lib.engines.llamacpp.stores import Stored
from lib.fit import gguf, kinds
from lib.fit.architecture import Geometry, geometry, weights_alone
from lib.fit.gguf import Header
from lib.fit.image_work import Projector
from lib.fit.kinds import Kind, Task
from lib.fit.memory import Room, Verdict, verdict

PIECE_BYTES = 16 * 2**10  # of the weights, at a few places
LONGEST_REST_SECONDS = 0.1  # after a header, as long as that took: pages wait for the same lock
PLACES = (0.0, 0.25, 0.5, 0.75, 1.0)
_LATER_PART = re.compile(r"-(?!00001)\d{5}-of-\d{5}\.gguf$")


class Found(Frozen):
    """One model, as far as its files were looked into."""

    tool: str
    path: str  # of its first part, as its tool names it
    real_path: str  # where that leads, all links followed
    name: str  # what Berth would call it
    size_bytes: int
    changed: str  # another text when any of its files has changed
    mark: tuple[int, int]  # device and number of the first file
    content: str = ""  # the same for copies of one file; "" where it cannot be read
    is_read: bool = False  # was its header read? There was no time for it yet, else
    shape: str = ""  # by which its geometry is kept
    quantization: str = ""
    context_trained: int | None = None
    architecture: str = ""
    unknown_types: tuple[str, ...] = ()
    task: Task = Task.WRITING
    reads_at_once: bool = False
    seen_by: Projector | None = None
    problem: str = ""  # why it cannot be used
    fix: str = ""


class Reading:
    """One look at many files: what was known before, and for how long headers may be read."""

    def __init__(
        self, known: Mapping[str, Found], shapes: Mapping[str, Geometry], seconds: float
    ) -> None:
        self._known = known
        self.shapes = dict(shapes)
        self._until = time.monotonic() + seconds
        self._looked: Looked = {}

    def read(self, tool: str, stored: Stored) -> Found | None:
        """The model; None for what is none by itself, for a later part, and for what has gone."""
        if _LATER_PART.search(stored.path.name):
            return None
        try:
            parts = gguf.shard_paths(stored.path)
            stats = [part.stat() for part in parts]
            str(parts[0]).encode()  # what is no text cannot be shown or asked for
            if not all(stat_module.S_ISREG(stat.st_mode) for stat in stats):
                return None  # a pipe would keep us waiting
        except BrokenFile as error:
            return _incomplete(tool, stored, error)
        except (OSError, UnicodeEncodeError):
            return None
        found = _begun(tool, stored, stats)
        before = self._known.get(found.path)
        if before and self._is_true(before, found):
            now = {"tool": tool, "name": found.name, "real_path": found.real_path}
            return before.model_copy(update=now)
        began = time.monotonic()
        try:
            return self._looked_into(found, stored, parts)
        finally:
            time.sleep(min(time.monotonic() - began, LONGEST_REST_SECONDS))

    def _is_true(self, before: Found, now: Found) -> bool:
        """Is what was read before still so, and all of it there?"""
        has_shape = not before.shape or before.shape in self.shapes
        return before.is_read and before.changed == now.changed and has_shape

    def _looked_into(self, found: Found, stored: Stored, parts: Sequence[Path]) -> Found | None:
        """With what its header tells, where there is time; as far as that is needed, else."""
        if kind_at(stored.path) != Kind.MODEL:
            return None
        if time.monotonic() > self._until:
            return found
        try:
            header = gguf.read_model(stored.path)
        except BrokenFile as error:
            if not stored.path.exists():
                return None
            told = {"is_read": True, "problem": error.message, "fix": error.fix}
            return found.model_copy(update=told)
        if kinds.kind_of(header) != Kind.MODEL:
            return None
        more = {"content": content_of(parts), "seen_by": self._seen_by(stored)}
        return found.model_copy(update={**self._described(header), **more})

    def _described(self, header: Header) -> dict[str, object]:
        shape = _geometry(header)
        key = hashlib.sha256(shape.model_dump_json().encode()).hexdigest()[:16]
        self.shapes[key] = shape
        return {
            "is_read": True,
            "shape": key,
            "quantization": header.quantization,
            "context_trained": header.context_length,
            "architecture": header.architecture,
            "unknown_types": header.unknown_types,
            "task": kinds.task_of(header),
            "reads_at_once": kinds.reads_at_once(header),
        }

    def _seen_by(self, stored: Stored) -> Projector | None:
        file = stored.projector or projector_of(stored.path, self._looked)
        return in_memory(file) if file and can_see(file) else None


def content_of(parts: Sequence[Path]) -> str:
    """The same text for files of the same sizes and of the same bytes where they are looked at."""
    digest = hashlib.sha256()
    try:
        for part in parts:
            if not part.is_file():
                return ""
            with part.open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                digest.update(f"{size} ".encode())
                for place in PLACES:
                    file.seek(max(0, int(place * size) - (PIECE_BYTES if place else 0)))
                    digest.update(file.read(PIECE_BYTES))
    except OSError:
        return ""
    return digest.hexdigest()[:32]


def fits(found: Found, shape: Geometry, room: Room) -> Verdict:
    """Whether it fits the memory that is free now, as it would be started."""
    load = load_of(
        StartOptions(), found.context_trained, found.seen_by, found.task, found.reads_at_once
    )
    return verdict(shape, load, room)


def _geometry(header: Header) -> Geometry:
    """Of a kind of model that we do not know, the weights alone."""
    with contextlib.suppress(BrokenFile):
        return geometry(header)
    return weights_alone(header)


def _begun(tool: str, stored: Stored, stats: Sequence[os.stat_result]) -> Found:
    """What a look from outside tells."""
    newest, size = max(stat.st_mtime_ns for stat in stats), sum(stat.st_size for stat in stats)
    first = stats[0]
    return Found(
        tool=tool,
        path=str(stored.path),
        real_path=os.path.realpath(stored.path),
        name=stored.name or files.plain_name(stored.path),
        size_bytes=size,
        changed=f"{newest} {size} {len(stats)} {first.st_ino} {stored.projector or ''}".strip(),
        mark=(first.st_dev, first.st_ino),
    )


def _incomplete(tool: str, stored: Stored, error: BrokenFile) -> Found | None:
    """Of a divided model whose parts are not all there, the first part."""
    with contextlib.suppress(OSError, UnicodeEncodeError):
        str(stored.path).encode()
        found = _begun(tool, stored, [stored.path.stat()])
        told = {"is_read": True, "problem": error.message, "fix": error.fix}
        return found.model_copy(update=told)
    return None
