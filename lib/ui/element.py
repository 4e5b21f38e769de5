"""Elements of our own on the page: a script and a style sheet of one name."""

import hashlib
from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st

HERE = Path(__file__).parent
STUB = """const module = await import(`${{location.origin}}/api/ui/{name}.js?v={version}`);
export default module.default;"""


@cache
def element(name: str) -> Any:
    """The component; what it gets instead of its script is the address of it."""
    version = hashlib.sha256((HERE / f"{name}.js").read_bytes()).hexdigest()[:12]
    return st.components.v2.component(
        f"berth_{name}",
        js=STUB.format(name=name, version=version),
        css=(HERE / f"{name}.css").read_text(encoding="utf-8"),
        isolate_styles=False,
    )
