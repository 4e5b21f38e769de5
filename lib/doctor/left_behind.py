"""What was left behind among the models: partial downloads, and links that lead nowhere."""

import contextlib
import time
from pathlib import Path
from typing import NamedTuple

from lib.core import links, locks
from lib.core.settings import settings

NOTE = ".part.json"
PARTS = (".part", ".moving")  # of downloads, and of copies to another folder
OLD_SECONDS = 3_600.0  # a download that rests is gone on with, as a rule, within the hour


class Partial(NamedTuple):
    """A download that was broken off and that nobody works on."""

    path: str  # below one of settings().model_roots
    bytes: int
    changed: float  # epoch seconds


def partials(now: float | None = None) -> list[Partial]:
    """Those that have rested for a while, by path."""
    before = (time.time() if now is None else now) - OLD_SECONDS
    found = []
    for path, name in _below_models(*PARTS):
        with contextlib.suppress(OSError):
            stat = path.stat()
            if stat.st_mtime < before and not locks.is_held(path):
                found.append(Partial(name, stat.st_size, stat.st_mtime))
    return found


def dangling() -> list[str]:
    """Links below the models that lead nowhere, by their path there."""
    found = _below_models(".gguf")
    return [name for path, name in found if path.is_symlink() and not path.exists()]


def place(relative: str) -> Path | None:
    """The path below the models; None for what is outside, whatever links lead there."""
    for root in settings().model_roots:
        path = root / relative
        is_inside = links.is_inside(path, root) and ".." not in Path(relative).parts
        if is_inside and (path.exists() or path.is_symlink()):
            return path
    return None


def remove_partial(relative: str) -> int:
    """Delete it and its note; how many bytes came back. 0 where somebody works on it by now."""
    path = place(relative)
    if path is None or path.suffix not in PARTS or path.is_symlink():
        return 0
    size = 0
    with contextlib.suppress(OSError):
        size = path.stat().st_size
        with path.open("rb+") as file:
            if not locks.take(file.fileno(), path):
                return 0
            path.unlink(missing_ok=True)
            path.with_name(f"{path.stem}{NOTE}").unlink(missing_ok=True)
            locks.give_back(file.fileno())
    return size


def remove_dangling(relative: str) -> bool:
    """Delete the link, where it still leads nowhere."""
    path = place(relative)
    if path is None or not path.is_symlink() or path.exists():
        return False
    path.unlink(missing_ok=True)
    return True


def _below_models(*endings: str) -> list[tuple[Path, str]]:
    """Files with such an ending, and their path below the root that they lie in."""
    return sorted(
        (folder / name, str((folder / name).relative_to(root)))
        for root in settings().model_roots
        for folder, names in links.walk(root)
        for name in names
        if name.lower().endswith(endings)
    )
