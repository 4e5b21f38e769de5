"""Rows keep their place while somebody looks: one that is stopped does not jump to the end."""

import time
from collections.abc import Sequence

import streamlit as st

from lib.fleet.figures import Figures

PLACES = "models_places"
LEFT_SECONDS = 8.0  # beyond the page's own rhythm: whoever comes back finds them sorted anew


def kept(found: Sequence[Figures], is_reversed: bool, rhythm: float) -> list[Figures]:
    """Those that were there before as they stood, and what is new where it belongs now."""
    now, before = time.monotonic(), st.session_state.get(PLACES) or {}
    is_fresh = now - before.get("at", 0.0) < rhythm + LEFT_SECONDS
    known = before["keys"] if is_fresh and before["is_reversed"] == is_reversed else []
    keys = [one.key for one in ordered(found, known)]
    if not set(known) <= set(keys):  # those that a search hides now keep their places too
        keys = [*known, *(key for key in keys if key not in set(known))]
    st.session_state[PLACES] = {"at": now, "is_reversed": is_reversed, "keys": keys}
    return ordered(found, known)


def ordered(found: Sequence[Figures], known: Sequence[str]) -> list[Figures]:
    """By the places that are known; a new one stands behind the one that it follows now. Pure."""
    at = {key: number for number, key in enumerate(known)}
    placed, last = [], -1.0
    for one in found:
        last = float(at.get(one.key, last + 0.5))
        placed.append((last, one))
    return [one for _, one in sorted(placed, key=lambda pair: pair[0])]
