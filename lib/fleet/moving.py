"""Models moved from the folder where they lay before to the one that holds now.

    python -m lib.fleet.moving [--copy]

What belongs together moves together: it is copied beside its place, read back and compared, then it
gets its name, then the old is deleted. Broken off anywhere, every model is whole in one of the two
folders, where it is found; the same command goes on. On one disk nothing is copied.
"""

import argparse
import errno
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from lib.core import links, locks, model_place, words
from lib.core.access import own_process
from lib.core.errors import BadInput, BerthError, NoSpace
from lib.core.files import free_bytes, make_private, write_json
from lib.core.settings import settings
from lib.download.partial import RESERVE_BYTES
from lib.engines import all_models
from lib.engines.base import State
from lib.fleet import copies
from lib.fleet.copies import ENDING, Copy
from lib.jobs import events, phase
from lib.jobs.report import Report

DEPTH = 3  # organisation/name/commit: a download, with all below it
LOOK_SECONDS = 0.5
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_UNMOVED = (model_place.MARKER, ".DS_Store")


class Unit(NamedTuple):
    """Files that belong together, by their paths below the folder."""

    files: tuple[Path, ...]
    bytes: int


def left(root: Path) -> list[Unit]:
    """What is still there, in the order in which it moves."""
    found: dict[Path, list[Path]] = {}
    for folder, folders, names in os.walk(root):
        here = Path(folder).relative_to(root)
        linked = [name for name in folders if (Path(folder) / name).is_symlink()]
        files = [here / name for name in (*names, *linked) if _moves(Path(folder) / name)]
        if files:
            found.setdefault(Path(*here.parts[:DEPTH]), []).extend(files)
    return [Unit(tuple(sorted(files)), _size(root, files)) for _, files in sorted(found.items())]


def _moves(path: Path) -> bool:
    """Not what a download is at, nor what another copy has left."""
    return path.name not in _UNMOVED and path.suffix != ENDING and not _is_held(path)


def _is_held(path: Path) -> bool:
    return path.suffix == ".part" and locks.is_held(path)


def _size(root: Path, files: Sequence[Path]) -> int:
    return sum((root / path).lstat().st_size for path in files if os.path.lexists(root / path))


def move(report: Report, *, copies_always: bool = False) -> None:
    """All of it. NoSpace where it cannot fit, or the disk becomes full; nothing is lost by that."""
    home = settings().home
    with locks.locked(make_private(home) / ".moving.lock"):
        place = model_place.place(home)
        if place.before is None:
            report.say("All models lie in one folder already.")
            return
        model_place.require_there(home, *place.roots)
        _Move(place.before, place.now, report, copies_always).run()


class _Move:
    """One run from folder to folder."""

    def __init__(self, before: Path, now: Path, report: Report, copies_always: bool) -> None:
        self._before, self._now, self._report = before, now, report
        self._always = copies_always
        self._units = left(before)
        self._total = sum(unit.bytes for unit in self._units)
        self._done = 0

    def run(self) -> None:
        """Unit by unit, and the old folder forgotten at the end."""
        self._report.begin(
            "move", f"Moving {words.disk(self._total)} from {self._before} to {self._now}."
        )
        self._require_space()
        for unit in self._units:
            self._move(unit)
        self._report.progress(self._done, self._total)
        self._finish()

    def _require_space(self) -> None:
        if not self._always and copies.is_one_disk(self._before, self._now):
            return
        free = free_bytes(self._now)
        if self._total + RESERVE_BYTES > free:
            raise NoSpace(
                f"{words.disk(free)} are free in {self._now}, "
                f"{words.disk(self._total + RESERVE_BYTES)} are needed.",
                "Free some space there, or remove models. Nothing was moved.",
            )

    def _move(self, unit: Unit) -> None:
        made: list[Copy] = []
        try:
            for path in unit.files:
                self._copy(path, made)
            for one in made:
                one.take_its_place()
            copies.settle(made)
        except OSError as error:
            raise self._explained(error) from error
        finally:
            for one in made:
                one.discard()
        self._wait_for_loads()
        for one in made:
            one.remove_source(self._before)

    def _copy(self, path: Path, made: list[Copy]) -> None:
        """The copy of a file; none where another file has its place, which is then left."""
        source, target = self._before / path, self._now / path
        if not os.path.lexists(source):
            return
        after = self._done + source.lstat().st_size
        if not os.path.lexists(target):
            make_private(target.parent)
            made.append(Copy(source, target))  # before there is anything of it
            self._fill(made[-1])
        elif copies.makes_needless(target, source):
            made.append(Copy(source, target))
        self._done = after

    def _fill(self, one: Copy) -> None:
        if one.source.is_symlink():
            one.link_to(_target(one.source, self._before, self._now))
        else:
            one.fill(self._told, copies_always=self._always)

    def _told(self, more: int, name: str) -> None:
        self._done += more
        self._report.progress(min(self._done, self._total), self._total, name)

    def _wait_for_loads(self) -> None:
        """A model that is being loaded opens its files one by one."""
        is_told = False
        while loading := [m.name for m in all_models("llamacpp") if m.state == State.STARTING]:
            if not is_told:
                self._report.note(f"Waits until {words.listed(loading)} is loaded.")
                is_told = True
            time.sleep(LOOK_SECONDS)

    def _explained(self, error: OSError) -> BerthError:
        if error.errno in _FULL:
            return NoSpace(
                f"The disk became full: {words.disk(free_bytes(self._now))} free in {self._now}.",
                "Free some space there, then move again. What was not moved is where it was, and "
                "can be used.",
            )
        return BadInput(
            f"{error.filename or self._now} cannot be moved: {error.strerror}.",
            "Look at the disk and its permissions, then move again. Nothing is lost.",
        )

    def _finish(self) -> None:
        copies.remove_empty(self._before)
        stays = left(self._before)
        if not stays:
            forget_before()
            self._report.end(f"All models lie in {self._now} now.")
            return
        count = words.count(sum(len(unit.files) for unit in stays), "file")
        self._report.end(
            f"{count} in {self._before} stayed: a download is at them, or {self._now} has others "
            "of the same name."
        )


def _target(link: Path, before: Path, now: Path) -> Path:
    """What a link leads to, where it lies when all has moved."""
    target = [*links.hops(link)][1]
    return now / target.relative_to(before) if target.is_relative_to(before) else target


def forget_before() -> None:
    """Look for models in one folder only."""
    home = settings().home
    keep(model_place.place(home).now, None)


def keep(now: Path, before: Path | None) -> None:
    """Both folders, in one step."""
    home = settings().home
    own = home / model_place.USUAL
    texts = ["" if folder == own else folder and str(folder) for folder in (now, before)]
    write_json(home / model_place.NAME, dict(zip(("now", "before"), texts, strict=True)))


def main(arguments: Sequence[str] | None = None) -> int:
    """Move and return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m lib.fleet.moving",
        description="Move models that still lie in the folder of before.",
    )
    parser.add_argument("--copy", action="store_true", help="copy on the same disk too")
    given = parser.parse_args(arguments)
    code = phase.run(
        lambda report: move(report, copies_always=given.copy),
        "Cancelled. Every model is whole where it is, and can be used.",
    )
    events.record_exit(code)
    return code


if __name__ == "__main__":
    own_process()
    sys.exit(main())
