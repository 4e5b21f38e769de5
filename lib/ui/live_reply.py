"""Replies while they stream: one element that reads them from a socket of its own."""

import re
from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st

HERE = Path(__file__).parent
MODEL_AVATAR = ":material/sailing:"
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


def live_reply(conversation: str, reply: str) -> None:
    """The place where the conversation's replies appear as they come.

    `reply` is the one this page knows of; the page runs again when one is over.
    """
    st.html("<style>.st-key-live-message:not(:has(.berth-live)) { display: none }</style>")
    with st.container(key="live-message"), st.chat_message("assistant", avatar=MODEL_AVATAR):
        _element()(
            key="live",
            data={"conversation": conversation, "reply": reply},
            on_over_change=lambda: None,
        )
