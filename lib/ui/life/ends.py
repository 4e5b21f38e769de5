"""How often a model has ended by itself, and what each run printed before."""

import contextlib
import time

import streamlit as st

from lib.core import words
from lib.core.files import tail
from lib.core.preferences import preferences
from lib.engines import llamacpp
from lib.engines.base import Model, State
from lib.fleet import tries
from lib.fleet.tries import PAUSES
from lib.ui import markdown

SHOWN_BYTES = 4_000


def fact(model: Model) -> str:
    """As Markdown, `starts again in 25 s (try 2 of 3)`; "" where nothing is to be said."""
    if model.engine != llamacpp.NAME or model.state != State.FAILED:
        return ""
    known = tries.of(model.name)
    if known is None or known.gave_up or not preferences().restarts_crashed:
        return markdown.plain(known.gave_up.rstrip(".")) if known else ""
    number = min(known.count + 1, len(PAUSES))
    wait = known.wait_seconds
    when = f"in {words.duration(wait)}" if wait >= 1 else "now"
    return f"starts again {when} (try {number} of {len(PAUSES)})"


def section(model: Model, key: str) -> None:
    """The logs of its last ends, folded."""
    for number, path in enumerate(tries.logs(model), 1):
        with contextlib.suppress(OSError):  # each moves on by one when the model ends again
            age = words.ago(min(path.stat().st_mtime, time.time()))
            with st.expander(f"It ended {age}: its log", key=f"end-{number}-{key}"):
                st.text(tail(path, SHOWN_BYTES) or "It printed nothing.")
