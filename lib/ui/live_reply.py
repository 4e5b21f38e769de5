"""A reply while it streams: one element that reads the reply's own route."""

import re
from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st

HERE = Path(__file__).parent
PARSER = HERE / "vendor" / "streaming-markdown-0.2.15.min.js"


def script() -> str:
    """The element's module: the Markdown parser as an object `smd`, then our own code."""
    code, _, names = PARSER.read_text(encoding="utf-8").rpartition("export{")
    pairs = re.findall(r"([\w$]+) as (\w+)", names)
    exports = ", ".join(f"{public}: {private}" for private, public in pairs)
    own = (HERE / "live_reply.js").read_text(encoding="utf-8")
    return f"const smd = (() => {{ {code}; return {{ {exports} }}; }})();\n{own}"


@cache
def _element() -> Any:
    css = (HERE / "live_reply.css").read_text(encoding="utf-8")
    return st.components.v2.component(
        "berth_live_reply", js=script(), css=css, isolate_styles=False
    )


def live_reply(reply_id: str) -> None:
    """Draw the reply as it comes; the page runs again when it is over."""
    _element()(
        key=f"live-{reply_id}",
        data={"id": reply_id, "url": f"/api/replies/{reply_id}/stream"},
        on_over_change=lambda: None,
    )
