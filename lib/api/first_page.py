"""Streamlit's page as Berth sends it: with what its first screen needs, and nothing it does not.

It gets links to the scripts that the page's elements will ask for, so that the browser need not
find out one wave after the other. Their names carry hashes; what is not found is left out. And it
gets `early.js`, which asks the server for the page's content while all these scripts still load.
"""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

# The elements of the sidebar and of each first screen, by the names of their scripts.
ALWAYS = ("Html", "Progress")
_FIELDS = ("Button", "Checkbox", "Selectbox", "TextInput")
_MORE_FIELDS = ("ButtonGroup", "Multiselect", "NumberInput")
OF_PAGE = {
    "/": ("BidiComponent", "Button", "Metric", "PageLink"),
    "/Deploy": ("Button", "TextInput"),
    "/Models": ("Button",),
    "/Chat": ("BidiComponent", "Button", "ChatInput", "Selectbox"),
    "/System": (
        *("ArrowVegaLiteChart", "BidiComponent", "Radio", "embed", "vega-interpreter"),
        *(*_FIELDS, *_MORE_FIELDS),
    ),
    "/Settings": _FIELDS,
    "/Connect": (*_FIELDS, *_MORE_FIELDS, "DateInput", "TextArea"),
    "/Requests": ("Button",),
}
# Our own elements, by the names of theirs.
OURS_OF_PAGE = {"/Chat": ("asked.js", "attach.js", "history.js", "live_reply.js")}
# What colours the code in an answer: 1.5 MB.
LATER_OF_PAGE = {"/Chat": ("StreamlitSyntaxHighlighter",)}
EARLY = "early.js"

_URL = "./static/js/"
_IMPORT = re.compile(r"""(?:from|import)\s*["']\./([^"']+\.js)["']""")
# The theme has fonts of the system, and this one is 170 KB.
_FONT = re.compile(rb"""<link\s+rel="preload"\s+href="[^"]*SourceSans[^"]*"[^>]*>""")


class Ours(NamedTuple):
    """Where the scripts of our own elements are, and the version in their addresses."""

    folder: Path
    version: str

    def addresses(self, names: Iterable[str]) -> list[str]:
        """Of these, and of all that they import."""
        scripts = _with_imports(self.folder / name for name in names)
        inner = [one.relative_to(self.folder).as_posix() for one in scripts]
        return [f"/api/ui/{self.version}/{one}" for one in inner]


def made(page: bytes, scripts: Path, ours: Ours, path: str, *, is_early: bool) -> bytes:
    """The page of this path; `is_early`: with the script that opens the WebSocket at once."""
    wanted = _addresses((*ALWAYS, *OF_PAGE.get(path, ())), scripts)
    soon = [one for one in wanted if one.encode() not in page]
    soon += ours.addresses(OURS_OF_PAGE.get(path, ()))
    later = _addresses(LATER_OF_PAGE.get(path, ()), scripts)
    plain = _FONT.sub(b"", page)
    if is_early:
        data = f'data-soon="{" ".join(soon)}" data-later="{" ".join(later)}"'
        script = (ours.folder / EARLY).read_text(encoding="utf-8")
        tag = f"<script {data}>{script}</script>"
        return plain.replace(b"<head>", f"<head>{tag}".encode(), 1)
    links = "".join(f'<link rel="modulepreload" crossorigin href="{one}">' for one in soon)
    return plain.replace(b"</head>", links.encode() + b"</head>", 1)


def _addresses(names: Iterable[str], scripts: Path) -> list[str]:
    """Of Streamlit's scripts of these names, and of all that they import."""
    found = [path for name in names for path in scripts.glob(f"{name}.*.js")]
    return [f"{_URL}{one.name}" for one in _with_imports(found)]


def _with_imports(paths: Iterable[Path]) -> list[Path]:
    """The scripts and all that they import, directly or not; what is absent is left out."""
    found: dict[Path, None] = {}
    waiting = list(paths)
    while waiting:
        path = waiting.pop()
        if path not in found and path.is_file():
            found[path] = None
            imported = _IMPORT.findall(path.read_text(encoding="utf-8"))
            waiting += [path.parent / name for name in imported]
    return list(found)
