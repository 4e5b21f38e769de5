"""What became of a model that was removed, told when it has gone."""

from collections.abc import Sequence

import streamlit as st

from lib.core import words
from lib.core.access import Action, may
from lib.fleet.figures import Figures
from lib.ui import markdown

GOING = "models_going"


def tell(every: Sequence[Figures]) -> None:
    """To whoever removes: `Removed, 491 MB freed`, or where the file of a link stays."""
    if not may(Action.REMOVE):
        return
    there = {one.key for one in every}
    before = st.session_state.get(GOING) or {}
    for key, said in before.items():
        if key not in there:
            st.toast(said, icon=":material/delete:")
    st.session_state[GOING] = {one.key: sentence(one) for one in every if one.removal}


def sentence(one: Figures) -> str:
    """What is told of it, as Markdown."""
    name, model = markdown.plain(one.model.name), one.model
    if model.stays_at:
        return f"**{name}** is off the list. The file stays at {markdown.plain(model.stays_at)}."
    freed = one.removal.frees_bytes if one.removal else 0
    return f"**{name}** is removed" + (f", {words.disk(freed)} freed." if freed else ".")
