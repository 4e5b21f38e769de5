"""The model files of the built-in engine: GGUF files under settings().model_roots, by name.

What their headers say is kept in one cache file, so that a look at 200 models reads none of them.
A name stays with its path for as long as the file is there.
"""

import contextlib
import hashlib
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from pydantic import TypeAdapter

from lib.core import links, model_place
from lib.core.errors import (
    BadInput,
    BrokenFile,
    Conflict,
    NotFound,
)
from lib.core.files import make_private, write_text
from lib.core.locks import locked
from lib.core.names import ModelName, shown, slug
from lib.core.settings import settings
from lib.core.values import Frozen
from lib.engines.llamacpp import templates
from lib.engines.llamacpp.projector import Looked, can_see, kind_at, projector_of, real_roots
from lib.engines.llamacpp.speed import token_bytes
from lib.engines.llamacpp.templates import template_of
from lib.fit import gguf, kinds, titles
from lib.fit.kinds import Kind, Task

_PART = re.compile(r"-\d{5}-of-(\d{5})$")
FACTS = 7  # of what is kept about a file: with another number all headers are read anew
LONGEST_BASE = 150  # of a name that needs a suffix
LONGEST_SUFFIX = 40
LONGEST_SHOWN = 200


class ModelFile(Frozen):
    """One model on disk; `problem` and `fix` say why it cannot be used, where it cannot."""

    kind: Kind = Kind.MODEL  # what goes beside a model is kept in the cache, and no model
    name: ModelName
    path: str  # under its root; of a divided model, its first part
    root: str = ""  # one of settings().model_roots; "" is the folder in BERTH_HOME
    title: str = ""  # what its header and repository call it, where that is not its name
    size_bytes: int  # with its projector, which other quantizations of it may share
    changed: str  # another text when any of its files has changed
    projector: str = ""  # the whole path of the file that lets it see images
    quantization: str = ""
    context_trained: int | None = None
    can_chat: bool = True
    calls_tools: bool = False  # its template has words for tools
    thinks: bool = False  # its template has words for thoughts
    template: str = ""  # the whole path of the one beside it, which goes before its own
    task: Task = Task.WRITING
    reads_at_once: bool = False  # all of a text, see lib/fit/kinds.py
    architecture: str = ""
    unknown_types: tuple[str, ...] = ()
    token_bytes: int = 0  # that are read for every token of a usual context; 0: nobody can tell
    problem: str = ""
    fix: str = ""

    @property
    def full_path(self) -> Path:
        """Where it is."""
        return self.folder / self.path

    @property
    def folder(self) -> Path:
        """The folder of models that it lies in."""
        return Path(self.root) if self.root else settings().home / model_place.USUAL

    @property
    def stays_at(self) -> str:
        """Where the file lies, if what is here is only a link to it or to its folder; else ""."""
        root = self.folder
        here = root / self.path
        if here.is_symlink():
            return str([*links.hops(here)][1])
        is_ours = here.parent == root or links.is_inside(here, root)
        return "" if is_ours else str(here.resolve())

    @property
    def source(self) -> str:
        """The repository it came from, where the folders tell it, else its path."""
        return _source(self.path)


class _Seen(NamedTuple):
    """What a look at the folder tells about a model."""

    size_bytes: int
    changed: str
    projector: str
    template: str
    root: str


class _Look(NamedTuple):
    """What is the same for all models of one look."""

    usual: Path
    roots: list[Path]
    folders: Looked


def _source(path: str) -> str:
    parts = Path(path).parts
    return "/".join(parts[:2]) if len(parts) > 2 else path


_CACHE = TypeAdapter(dict[str, ModelFile])


def all_files() -> list[ModelFile]:
    """Every model under settings().model_roots, broken ones too, by name; never raises.

    Those on a disk that is not connected keep their names, and say so.
    """
    seen, known = _seen(), _read_cache()
    is_true = (seen.keys() | _away(known)) == known.keys() and all(
        _is_same(known[path], now) for path, now in seen.items()
    )
    files = known if is_true else _refreshed(seen)
    models = [file for file in files.values() if file.kind == Kind.MODEL]
    if away := _away(files) - seen.keys():
        models = [_told_away(file) if file.path in away else file for file in models]
    return sorted(models, key=lambda file: file.name)


def _is_same(known: ModelFile, now: _Seen) -> bool:
    return (known.changed, known.root) == (now.changed, now.root)


def _away(known: Mapping[str, ModelFile]) -> set[str]:
    """Those whose disk is not connected."""
    gone = {*settings().gone_roots}
    return {path for path, file in known.items() if file.folder in gone} if gone else set()


def _told_away(file: ModelFile) -> ModelFile:
    told = {
        "problem": f"Its folder is not there: {shown(str(file.folder), LONGEST_SHOWN)}.",
        "fix": "Connect its disk. Nothing of it was removed.",
    }
    return file.model_copy(update=told)


def signature() -> tuple[object, ...] | None:
    """Another value after `all_files` has found any change; None where it cannot keep anything."""
    path = _cache_file()
    with contextlib.suppress(OSError):
        stat = path.stat()
        return path, stat.st_mtime_ns, stat.st_ino, settings().gone_roots
    return None


def find(name: str) -> ModelFile:
    """The model of this name, or NotFound."""
    for file in all_files():
        if file.name == name:
            return file
    raise NotFound(f"There is no model “{shown(name)}”.", "Open Models to see which there are.")


def remove(file: ModelFile) -> None:
    """Delete the model's files, and the folders left empty; nothing outside Berth's folders.

    Of a link the link itself goes, never what it points to; what lies in a linked folder is not
    ours to delete. The projector goes with the last model that uses it.
    """
    root = file.folder.resolve()
    first = file.full_path
    if file.folder in settings().gone_roots:
        raise Conflict(file.problem, file.fix)
    if not links.is_inside(first, root):
        raise BadInput(
            f"“{shown(file.path)}” lies outside Berth's models, in a folder that is linked there.",
            f"Delete it there, or remove the link below {file.folder}.",
        )
    try:
        for part in [p for p in first.parent.iterdir() if _first_part(p) == first]:
            part.unlink(missing_ok=True)
        _remove_projector(file, root)
    except OSError as error:
        raise Conflict(
            f"“{shown(first.name)}” cannot be deleted: {error.strerror}.",
            f"Look at the permissions of {first.parent}.",
        ) from error
    _remove_empty(first.parent, root)


def _remove_projector(file: ModelFile, root: Path) -> None:
    """Where it is ours, and no other model's too."""
    used = {other.projector for other in all_files()}
    projector = Path(file.projector)
    is_ours = bool(file.projector) and links.is_inside(projector, root)
    if is_ours and file.projector not in used:
        projector.unlink(missing_ok=True)
        _remove_empty(projector.parent, root)


def _remove_empty(folder: Path, root: Path) -> None:
    """This folder and those around it, as far as they are empty and inside the root."""
    with contextlib.suppress(OSError):
        while folder.resolve() != root:
            folder.rmdir()
            folder = folder.parent


def _seen() -> dict[str, _Seen]:
    """The GGUF files that are there, by path; what lies twice is taken where more of it lies."""
    look = _Look(settings().home / model_place.USUAL, real_roots(), {})
    found: dict[str, _Seen] = {}
    count: dict[str, int] = {}
    for root in settings().model_roots:
        for path, stats in _below(root).items():
            if len(stats) > count.get(path, 0):
                count[path] = len(stats)
                found[path] = _summed(root, path, stats, look)
    return found


def _below(root: Path) -> dict[str, list[os.stat_result]]:
    """Of every model, its parts."""
    parts: dict[str, list[os.stat_result]] = {}
    for folder, names in links.walk(root):
        for path in (folder / name for name in names if _is_whole(name)):
            with contextlib.suppress(OSError, UnicodeEncodeError):
                first = str(_first_part(path).relative_to(root))
                first.encode()  # what is no text cannot be shown or asked for
                parts[first] = [*parts.get(first, []), _stat(path)]
    return parts


def _stat(path: Path) -> os.stat_result:
    """Of what a link leads to; of the link itself where that has gone, so that it is told."""
    try:
        return path.stat()
    except OSError:
        if path.is_symlink():
            return path.lstat()
        raise


def _summed(root: Path, path: str, stats: list[os.stat_result], look: _Look) -> _Seen:
    projector = projector_of(root / path, look.folders, look.roots)
    template = template_of(root / path)
    try:
        stats = [*stats, projector.stat()] if projector else stats
    except OSError:  # it has just gone
        projector = None
    size = sum(stat.st_size for stat in stats)
    newest = max(stat.st_mtime_ns for stat in stats)
    changed = f"{newest:020} {size} {len(stats)} {FACTS} {template or ''}".strip()
    text = "" if root == look.usual else str(root)  # true of a BERTH_HOME that was moved, too
    return _Seen(size, changed, str(projector or ""), str(template or ""), text)


def _is_whole(name: str) -> bool:
    """By its name: partial downloads end differently or begin with a dot."""
    return name.lower().endswith(".gguf") and not name.startswith(".")


def _first_part(path: Path) -> Path:
    """The file itself, or the first part of the divided model that it belongs to."""
    return path.with_name(_PART.sub(r"-00001-of-\1", path.stem) + path.suffix)


def _cache_file() -> Path:
    return settings().engines / "headers.cache"


def _read_cache() -> dict[str, ModelFile]:
    with contextlib.suppress(OSError, ValueError):
        return _CACHE.validate_json(_cache_file().read_bytes())
    return {}


def _refreshed(seen: Mapping[str, _Seen]) -> dict[str, ModelFile]:
    """The cache made true and written; one process at a time, so that none reads in vain."""
    with contextlib.suppress(OSError):
        make_private(settings().engines)
        with locked(_cache_file().with_suffix(".lock")):
            files = _described(seen, _read_cache())
            write_text(_cache_file(), _CACHE.dump_json(files).decode())
            return files
    return _described(seen, _read_cache())  # a disk that is full or read-only


def _described(seen: Mapping[str, _Seen], known: Mapping[str, ModelFile]) -> dict[str, ModelFile]:
    """All models, reading the headers of those that are new or have changed, the oldest first."""
    files = {path: file for path, file in known.items() if path in seen.keys() | _away(known)}
    taken = _names(files.values())
    for path, now in sorted(seen.items(), key=lambda item: (item[1].changed, item[0])):
        if path not in files or not _is_same(files[path], now):
            is_old = path in files and files[path].kind == Kind.MODEL
            name = files[path].name if is_old else _new_name(path, taken)
            files[path] = _read(name, path, now)
            if is_old:
                taken.discard(name.casefold())
            taken |= _names([files[path]])
    return files


def _names(files: Iterable[ModelFile]) -> set[str]:
    """What models are called, without case; what goes beside them takes no name away."""
    return {file.name.casefold() for file in files if file.kind == Kind.MODEL}


def _read(name: str, path: str, now: _Seen) -> ModelFile:
    common = {"name": name, "path": path, "size_bytes": now.size_bytes, "changed": now.changed}
    common["root"] = now.root
    whole = Path(now.root or settings().home / model_place.USUAL) / path
    if gone := _gone(whole):
        return ModelFile(**{**common, **gone, "kind": kind_at(whole), "size_bytes": 0})
    try:
        header = gguf.read_model(whole)
    except BrokenFile as error:
        return ModelFile(**common, kind=kind_at(whole), problem=error.message, fix=error.fix)
    template = templates.text_of(now.template, header.chat_template)
    return ModelFile(
        **common,
        kind=kinds.kind_of(header),
        projector=now.projector if now.projector and can_see(Path(now.projector)) else "",
        title=titles.of_file(header.values, path, _source(path)),
        quantization=header.quantization,
        context_trained=header.context_length,
        can_chat=header.chat_template is not None or bool(now.template),
        calls_tools="tools" in template,
        thinks=templates.thinks(template),
        template=now.template,
        task=kinds.task_of(header),
        reads_at_once=kinds.reads_at_once(header),
        architecture=header.architecture,
        unknown_types=header.unknown_types,
        token_bytes=token_bytes(header),
    )


def _gone(path: Path) -> dict[str, str]:
    """What to say of a link that leads nowhere; nothing of any other file."""
    if not path.is_symlink() or path.exists():
        return {}
    return {  # without the path: guests read this, and `stays_at` tells it to the owner
        "problem": "Its file has gone: what its link leads to is not there.",
        "fix": "Put it back where Files says that it lay, or connect its disk again. Or remove the"
        " link: nothing else goes.",
    }


def plain_name(path: Path) -> str:
    """What a model in this file is called, unless another has that name already."""
    return slug(_PART.sub("", path.stem))


def _new_name(path: str, taken: set[str]) -> str:
    """The file's name; where another model has it, with its owner, revision or a digest."""
    base = plain_name(Path(path))
    folders = Path(path).parent.parts
    digest = hashlib.sha256(path.encode()).hexdigest()[:8]
    marks = [*folders[:1], *(folder[:8] for folder in folders[-1:]), digest]
    wanted = [base, *(f"{base[:LONGEST_BASE]}@{slug(mark)[:LONGEST_SUFFIX]}" for mark in marks)]
    return next(name for name in wanted if name.casefold() not in taken)
