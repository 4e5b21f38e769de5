"""Streamlit's page as Berth sends it: with what its first screen needs, and nothing it does not.

It gets links to the scripts that the page's elements will ask for, so that the browser need not
find out one wave after the other. Their names carry hashes; what is not found is left out. And it
gets `early.js`, which asks the server for the page's content while all these scripts still load.
"""

import re
from collections.abc import Iterable
from pathlib import Path

# The elements of the sidebar and of each first screen, by the names of their scripts.
ALWAYS = ("BidiComponent", "Html", "Progress")
OF_PAGE = {
    "/": ("Button", "Metric", "PageLink"),
    "/Deploy": ("TextInput",),
    "/Models": ("Button",),
    "/Chat": ("Button", "ChatInput", "Selectbox"),
    "/System": ("ArrowVegaLiteChart", "Button", "ButtonGroup"),
}
EARLY = Path(__file__).with_name("early.js")

_URL = "./static/js/"
_IMPORT = re.compile(r"""(?:from|import)\s*["']\./([^"']+\.js)["']""")
# The theme has fonts of the system, and this one is 170 KB.
_FONT = re.compile(rb"""<link\s+rel="preload"\s+href="[^"]*SourceSans[^"]*"[^>]*>""")


def made(page: bytes, scripts: Path, path: str, *, is_early: bool) -> bytes:
    """The page of this path; `is_early`: with the script that opens the WebSocket at once."""
    wanted = _with_imports(_found((*ALWAYS, *OF_PAGE.get(path, ())), scripts))
    missing = [one.name for one in wanted if one.name.encode() not in page]
    plain = _FONT.sub(b"", page)
    if is_early:
        script = EARLY.read_text(encoding="utf-8")
        tag = f'<script data-scripts="{" ".join(missing)}">{script}</script>'
        return plain.replace(b"<head>", f"<head>{tag}".encode(), 1)
    links = [f'<link rel="modulepreload" crossorigin href="{_URL}{name}">' for name in missing]
    return plain.replace(b"</head>", "".join(links).encode() + b"</head>", 1)


def _found(names: Iterable[str], scripts: Path) -> list[Path]:
    return [path for name in names for path in scripts.glob(f"{name}.*.js")]


def _with_imports(paths: Iterable[Path]) -> list[Path]:
    """The scripts and all that they import, directly or not; what is absent is left out."""
    found: dict[Path, None] = {}
    waiting = list(paths)
    while waiting:
        path = waiting.pop()
        if path not in found and path.is_file():
            found[path] = None
            imported = _IMPORT.findall(path.read_text(encoding="utf-8"))
            waiting += [path.with_name(name) for name in imported]
    return list(found)
