"""Which models of this machine have a newer revision on the Hub: asked in the background, daily.

Asked are models whose path tells the repository and the commit: Berth's own downloads, and links
into the cache of the Hub's tool. What was found is kept below BERTH_HOME, and pages read that.
"""

import contextlib
import logging
import re
import time
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from lib.core import links
from lib.core.access import Action, require
from lib.core.errors import BadInput, BerthError, BrokenFile, NetworkError
from lib.core.files import write_text
from lib.core.names import repo_name
from lib.core.preferences import change, preferences
from lib.core.settings import settings
from lib.core.values import Frozen
from lib.engines.llamacpp import files
from lib.engines.llamacpp.files import ModelFile
from lib.fit import gguf
from lib.fleet.watch import Watch
from lib.hub import revisions
from lib.hub.revisions import Held, Newer

DAY_SECONDS, HOUR_SECONDS = 86_400.0, 3_600.0  # between two rounds, and after one that failed
ROUND_SECONDS = 600.0
MOST_ASKED = 200  # repositories in a round
_COMMIT = re.compile(r"[0-9a-f]{40}")
_SHA256 = re.compile(r"[0-9a-f]{64}")

_log = logging.getLogger(__name__)


class Origin(NamedTuple):
    """Where a model came from: paths in the repository, with what is held of each."""

    repository: str
    commit: str
    files: Mapping[str, Held]

    @property
    def first(self) -> str:
        """The path of its only or first file."""
        return min(self.files)

    @property
    def key(self) -> str:
        """What is known of it is kept by this."""
        return f"{self.repository}@{self.commit}/{self.first}"


class Known(Frozen):
    """What the last round has found."""

    at: float = 0.0  # epoch seconds: when the last whole round began
    tried: float = 0.0  # when the last one began at all
    newer: Mapping[str, Newer] = {}  # by Origin.key


def set_checking(wanted: bool) -> None:
    """Ask the Hub for newer revisions from now on, or do not."""
    require(Action.CONFIGURE)
    change(checks_for_updates=wanted)


def by_name() -> dict[str, Newer]:
    """The newer revisions by the names of the built-in engine's models; one read for all of them.

    The models are those that whoever listed them last has seen. Where the newer one is on this
    machine too, there is nothing to say.
    """
    known = _known().newer if preferences().checks_for_updates else {}
    state = files.signature() or time.monotonic()
    return _by_name(_file(), state, tuple(known.items())) if known else {}


@lru_cache(maxsize=1)
def _by_name(_path: Path, _state: object, found: tuple[tuple[str, Newer], ...]) -> dict[str, Newer]:
    """Compared anew only where the models, or what is known, have changed."""
    known = dict(found)
    origins = {file.name: origin for file in files.all_files() if (origin := origin_of(file))}
    here = {(one.repository, one.commit, one.first) for one in origins.values()}
    return {
        name: newer
        for name, origin in origins.items()
        if (newer := known.get(origin.key))
        and (newer.repository, newer.commit, origin.first) not in here
    }


class Revisions(Watch):
    """Asks the Hub once a day, as far as that can be reached and is wanted."""

    name, seconds = "revisions", 60.0

    def look(self) -> list[str]:
        """A round, where it is time for one."""
        known, now = _known(), time.time()
        is_wanted = preferences().checks_for_updates and not settings().is_offline
        is_time = not 0 <= now - known.at < DAY_SECONDS
        is_soon_again = 0 <= now - known.tried < HOUR_SECONDS
        return check() if is_wanted and is_time and not is_soon_again else []


def check() -> list[str]:
    """Ask about every model now, and keep what comes; the names of those with a newer revision.

    Where the Hub does not answer, the round ends, and what was known stays.
    """
    began = time.time()
    found: dict[str, Newer] = {}
    names: list[str] = []
    asked: set[str] = set()
    try:
        for file in files.all_files():
            origin = origin_of(file)
            if origin is None or time.time() - began > ROUND_SECONDS:
                continue
            asked.add(origin.repository)
            if len(asked) <= MOST_ASKED and (newer := _asked(origin)):
                found[origin.key] = newer
                names.append(file.name)
    except NetworkError as error:
        _log.info("The Hub was not asked for newer revisions: %s", error.message)
        _keep(_known().model_copy(update={"tried": began}))
        return []
    _keep(Known(at=began, tried=began, newer=found))
    return names


def _asked(origin: Origin) -> Newer | None:
    """Nothing for a repository that is gone, or not for this visitor."""
    try:
        return revisions.newer(origin.repository, origin.commit, origin.files)
    except NetworkError:
        raise
    except BerthError:
        return None


def origin_of(file: ModelFile) -> Origin | None:
    """The repository, the commit and the files, where the path tells them."""
    return None if file.problem else _origin(file, file.full_path)


@lru_cache(maxsize=1_024)
def _origin(_file: ModelFile, path: Path) -> Origin | None:
    for place in links.hops(path):
        with contextlib.suppress(BadInput, BrokenFile, OSError):
            repository, commit, path = _told(place)
            parts = gguf.shard_paths(place)
            folder = path.parent
            held = {(folder / part.name).as_posix(): _held(part) for part in parts}
            return Origin(repo_name(repository), commit, held)
    return None


def _told(place: Path) -> tuple[str, str, Path]:
    """Repository, commit and path in it; BadInput where the place tells none."""
    parts = place.parts
    root = next((one for one in settings().model_roots if place.is_relative_to(one)), None)
    if root:
        inside = place.relative_to(root).parts
        if len(inside) > 3 and _COMMIT.fullmatch(inside[2]):
            return "/".join(inside[:2]), inside[2], Path(*inside[3:])
    elif "snapshots" in parts[1:-2]:
        at = parts.index("snapshots", 1)
        kind, *owner = parts[at - 1].split("--", 2)
        if kind == "models" and len(owner) == 2 and _COMMIT.fullmatch(parts[at + 1]):
            return "/".join(owner), parts[at + 1], Path(*parts[at + 2 :])
    raise BadInput(f"{place} does not tell where it came from.")


def _held(part: Path) -> Held:
    """Of the cache's files the name is the checksum."""
    name = part.resolve().name
    return Held(part.stat().st_size, name if _SHA256.fullmatch(name) else "")


def _file() -> Path:
    return settings().home / "cache" / "revisions.json"


def _known() -> Known:
    """What was kept; read again only where it has changed."""
    with contextlib.suppress(OSError, ValidationError):
        return _read(_file(), _file().stat().st_mtime_ns)
    return Known()


@lru_cache(maxsize=1)
def _read(path: Path, _changed: int) -> Known:
    return Known.model_validate_json(path.read_bytes())


def _keep(known: Known) -> None:
    with contextlib.suppress(OSError):  # a full disk: it is asked again
        write_text(_file(), known.model_dump_json())
