"""What was left behind among the models: partial downloads, and links that lead nowhere."""

import contextlib
import time
from pathlib import Path
from typing import NamedTuple

from lib.core import links, locks
from lib.core.settings import settings

PART, NOTE = ".part", ".part.json"
OLD_SECONDS = 3_600.0  # a download that rests is gone on with, as a rule, within the hour


class Partial(NamedTuple):
    """A download that was broken off and that nobody works on."""

    path: str  # below settings().models
    bytes: int
    changed: float  # epoch seconds


def partials(now: float | None = None) -> list[Partial]:
    """Those that have rested for a while, by path."""
    before = (time.time() if now is None else now) - OLD_SECONDS
    found = []
    for path in _below_models(PART):
        with contextlib.suppress(OSError):
            stat = path.stat()
            if stat.st_mtime < before and not locks.is_held(path):
                name = str(path.relative_to(settings().models))
                found.append(Partial(name, stat.st_size, stat.st_mtime))
    return found


def dangling() -> list[str]:
    """Links below the models that lead nowhere, by their path there."""
    root = settings().models
    return [
        str(path.relative_to(root))
        for path in _below_models(".gguf")
        if path.is_symlink() and not path.exists()
    ]


def place(relative: str) -> Path | None:
    """The path below the models; None for what is outside, whatever links lead there."""
    root = settings().models
    path = root / relative
    return path if links.is_inside(path, root) and ".." not in Path(relative).parts else None


def remove_partial(relative: str) -> int:
    """Delete it and its note; how many bytes came back. 0 where somebody works on it by now."""
    path = place(relative)
    if path is None or path.suffix != PART or path.is_symlink():
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


def _below_models(ending: str) -> list[Path]:
    root = settings().models
    found = [folder / name for folder, names in links.walk(root) for name in names]
    return sorted(path for path in found if path.name.lower().endswith(ending))
