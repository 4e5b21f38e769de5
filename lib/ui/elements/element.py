"""Elements of our own on the page: a script and a style sheet of one name."""

import hashlib
from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st

HERE = Path(__file__).parent
STUB = """const module = await import(`${{location.origin}}/api/ui/{version}/{name}.js`);
export default module.default;"""


@cache
def element(name: str, is_repeated: bool = False) -> Any:
    """The component; what it gets instead of its script is the address of it.

    Every element carries its style sheet: one that `is_repeated` on a page has none, and needs
    `styled` once.
    """
    return st.components.v2.component(
        f"berth_{name}",
        js=STUB.format(name=name, version=version()),
        css=None if is_repeated else (HERE / f"{name}.css").read_text(encoding="utf-8"),
        isolate_styles=False,
    )


def styled(name: str) -> None:
    """Give the page a style sheet: one of its own, or a repeated element's."""
    st.html(HERE / f"{name}.css")


def version() -> str:
    """Of all scripts; another one whenever any of them changes: they import each other."""
    every = b"".join(path.read_bytes() for path in sorted(HERE.rglob("*.js")))
    return hashlib.sha256(every).hexdigest()[:12]
