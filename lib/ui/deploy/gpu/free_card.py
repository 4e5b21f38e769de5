"""Freeing a card: the models of Berth's on it, each with its button; the rest is named."""

from collections.abc import Sequence

import streamlit as st

from lib.core import words
from lib.engines import all_models
from lib.engines.base import Model
from lib.fleet import actions
from lib.fleet.on_cards import model_names
from lib.machine.cards import Card
from lib.ui import markdown
from lib.ui.shell import shown_errors


def buttons(cards: Sequence[Card], key: str) -> None:
    """A button for each model that holds memory there; where there is none, the System page."""
    models = {model.name: model for model in all_models()}
    held: dict[str, int] = {}
    names = model_names(cards, list(models.values()))
    for card in cards:
        for process in card.processes:
            name = names.get(process.pid, "")
            held[name] = held.get(name, 0) + (process.memory_bytes or 0)
    for name, amount in held.items():
        if name in models:
            label = f"Stop {markdown.plain(name)} (frees {words.memory(amount)})"
            st.button(label, key=f"{key} {name}", on_click=_stop, args=(models[name],))
    if not any(name in models for name in held) and st.button("See what holds it", key=key):
        st.switch_page("pages/4_System.py")


def _stop(model: Model) -> None:
    with shown_errors():
        actions.stop(model)
