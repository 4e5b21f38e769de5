"""Files of a repository on the Hub, fetched to where the built-in engine finds them.

    python -m lib.download.hub_files REPOSITORY REVISION FILE…

They go to models/<organisation>/<name>/<commit>/<file>. What has arrived is kept when it is broken
off, and the same command goes on from there; only verified files get their name.
"""

import argparse
import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from lib import hub
from lib.core import model_place, words
from lib.core.errors import BadInput, NetworkError, NoSpace
from lib.core.files import free_bytes
from lib.core.settings import settings
from lib.download.one_file import Patience, Source, download
from lib.download.partial import RESERVE_BYTES, is_whole, kept_bytes
from lib.hub import Card, RepoFile
from lib.hub.api import file_address
from lib.jobs import phase
from lib.jobs.events import PhaseState
from lib.jobs.report import Report


class Origin(NamedTuple):
    """A repository at a commit."""

    repository: str
    revision: str


def folder_of(repository: str, revision: str) -> Path:
    """Where the files of a repository at a commit are kept: where the others of it lie already."""
    folders = [root / repository / revision for root in settings().model_roots]
    return next((folder for folder in folders if _has_files(folder)), folders[0])


def _has_files(folder: Path) -> bool:
    """Not a copy that was broken off, see lib/fleet/moving.py."""
    found = (names for _, _, names in os.walk(folder))
    return any(not name.endswith(".moving") for names in found for name in names)


def there_bytes(files: Iterable[tuple[str, int]], folder: Path) -> int:
    """How much of these files (path and bytes each) an earlier try has brought into the folder."""
    return sum(_there(folder / path, size) for path, size in files)


def _there(target: Path, size: int) -> int:
    return size if is_whole(target, size) else min(kept_bytes(target), size)


def fetch(card: Card, paths: Sequence[str], report: Report, patience: Patience) -> list[Path]:
    """The files, complete and verified, in this order.

    NoSpace before the first byte where they would not fit, Conflict where the disk is not
    connected, NotFound where the Hub lets nobody in,
    NetworkError where it does not answer, BrokenFile where what comes is not what it named.
    """
    model_place.require_there(settings().home)
    files = [card.file(path) for path in paths]
    return fetch_into(
        folder_of(card.id, card.sha), Origin(card.id, card.sha), files, report, patience
    )


def fetch_into(
    folder: Path, origin: Origin, files: Sequence[RepoFile], report: Report, patience: Patience
) -> list[Path]:
    """The same into a folder of the caller's, of files that are known already."""
    total = sum(file.bytes for file in files)
    if all(is_whole(folder / file.path, file.bytes) for file in files):
        count = words.count(len(files), "file")
        report.begin("download", f"{count} of {origin.repository} there already.")
        report.end("Nothing to download.", PhaseState.SKIPPED)
        return [folder / file.path for file in files]
    report.begin("download", f"Downloading {words.disk(total)} from {origin.repository}.")
    _require_space(files, folder)
    done = 0
    for file in files:
        _fetch(origin, file, folder / file.path, (done, total), report, patience)
        done += file.bytes
    report.progress(total, total)
    report.end(f"Complete and verified: {words.count(len(files), 'file')} in {folder}.")
    return [folder / file.path for file in files]


def _require_space(files: Sequence[RepoFile], folder: Path) -> None:
    sizes = [(file.path, file.bytes) for file in files]
    missing = sum(size for _, size in sizes) - there_bytes(sizes, folder)
    free = free_bytes(folder)
    if missing and missing + RESERVE_BYTES > free:
        raise NoSpace(
            f"The disk is too full: {words.disk(free)} free, "
            f"{words.disk(missing + RESERVE_BYTES)} needed.",
            "Remove a model or free some space, then try again: what has arrived is kept.",
        )


def _fetch(
    origin: Origin,
    file: RepoFile,
    target: Path,
    before: tuple[int, int],
    report: Report,
    patience: Patience,
) -> None:
    """One file of several; `before` is what the others brought, and what all will be."""
    done, total = before
    name = Path(file.path).name

    def again(error: NetworkError, pause_seconds: float) -> None:
        report.say(f"{error.message} Trying again in {words.duration(pause_seconds)}.")

    download(
        Source(
            settings().hf_endpoint + file_address(origin.repository, origin.revision, file.path),
            file.bytes,
            file.sha256,
        ),
        target,
        progress=lambda so_far, _: report.progress(done + so_far, total, name),
        patience=patience,
        retrying=again,
    )


def patience_from_environment() -> Patience:
    """`BERTH_STALL_SECONDS` without a byte are a stall; after one, `BERTH_RETRIES` more tries."""
    usual = Patience()
    try:
        return Patience(
            silence_seconds=float(os.environ.get("BERTH_STALL_SECONDS") or usual.silence_seconds),
            retries=int(os.environ.get("BERTH_RETRIES") or usual.retries),
        )
    except ValueError as error:
        raise BadInput(
            "BERTH_STALL_SECONDS or BERTH_RETRIES is no number.", "Correct or unset it."
        ) from error


def main(arguments: Sequence[str] | None = None) -> int:
    """Fetch the files named and return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m lib.download.hub_files",
        description="Fetch files of a repository on the Hub.",
    )
    parser.add_argument("repository")
    parser.add_argument("revision", help="a branch, a tag or a commit")
    parser.add_argument("files", nargs="+", metavar="file")
    given = parser.parse_args(arguments)

    def work(report: Report) -> None:
        card = hub.look_up(given.repository, given.revision)
        fetch(card, given.files, report, patience_from_environment())

    return phase.run(work)


if __name__ == "__main__":
    sys.exit(main())
