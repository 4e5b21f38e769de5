"""Chat templates that a person puts beside a model: `NAME.jinja` for `NAME.gguf`.

They go before what the file itself has, so that a model without one, or with a wrong one, can chat.
"""

import contextlib
import re
from pathlib import Path

from lib.core import links

ENDING = ".jinja"
MOST_BYTES = 2**20  # the longest that are published have some tens of thousands
_THOUGHTS = re.compile(r"<think>|enable_thinking|reasoning_effort|reasoning_content|analysis<\|")
_PART = re.compile(r"-\d{5}-of-\d{5}$")


def template_name(model: str) -> str:
    """What the template of a model's file is called; parts of a divided model share it."""
    return _PART.sub("", Path(model).stem) + ENDING


def template_of(model: Path) -> Path | None:
    """The template beside the model, or beside what a link leads to."""
    for place in links.hops(model):
        path = place.with_name(template_name(place.name))
        with contextlib.suppress(OSError):
            if path.is_file() and 0 < path.stat().st_size <= MOST_BYTES:
                return path
    return None


def text_of(beside: str, own: str | None) -> str:
    """The template that counts: the one beside the model, else its own; "" where there is none."""
    if beside:
        with contextlib.suppress(OSError):
            return Path(beside).read_text("utf-8", "replace")
    return own or ""


def thinks(template: str) -> bool:
    """Does a model with this template write its thoughts before it answers, or can it?"""
    return bool(_THOUGHTS.search(template))
