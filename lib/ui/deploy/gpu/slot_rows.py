"""The slots to choose from: each with its cards, how full they are, and what runs there."""

from collections.abc import Iterator, Mapping, Sequence

import streamlit as st

from lib.core import words
from lib.engines import all_models
from lib.fleet.on_cards import model_names
from lib.machine.cards import Card
from lib.slots.overview import Slot, first_choice, is_usable
from lib.ui import markdown, models
from lib.ui.cards.lines import counted, titles
from lib.ui.deploy import memory_bar
from lib.ui.deploy.memory_bar import Part
from lib.ui.session import SlotChoices

SLOT_HELP = (
    "A place for one model on the graphics cards of this machine. Slot 0 uses the first card and "
    "answers at port 8104, slot 1 the second at 8105, and so on."
)
WORTH_NAMING_BYTES = 2**29  # of a program that is not Berth's


def choose(found: Sequence[Slot], chosen: SlotChoices) -> Slot | None:
    """Draw them, and return the one that is chosen; None where there is none at all."""
    picked = next((slot for slot in found if slot.number == chosen.slot), None)
    picked = picked or first_choice(found) or next(iter(found), None)
    if picked is None:
        return None
    st.markdown("**Slot**", help=SLOT_HELP)
    names = model_names([card for slot in found for card in slot.cards], all_models())
    for row in _rows(found):
        places = st.columns(2) if len(found) > 1 else [st.container()]
        for place, slot in zip(places, row, strict=False):
            with place, st.container(border=True, height="stretch", key=f"slot-{slot.number}"):
                _slot(slot, chosen, is_chosen=slot is picked, names=names)
    return picked


def _rows(found: Sequence[Slot]) -> Iterator[Sequence[Slot]]:
    for first in range(0, len(found), 2):
        yield found[first : first + 2]


def _slot(slot: Slot, chosen: SlotChoices, *, is_chosen: bool, names: Mapping[int, str]) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        with st.container(gap=None, width="stretch"):
            st.markdown(f"**Slot {slot.number}**")
            st.caption(markdown.plain(_cards(slot)))
        _choice(slot, chosen, is_chosen=is_chosen)
    if slot.cards and all(card.total_bytes and card.used_bytes is not None for card in slot.cards):
        is_dark = st.context.theme.type == "dark"
        total = sum(card.total_bytes or 0 for card in slot.cards)
        st.html(memory_bar.bar(_parts(slot), total, is_dark))
    with st.container(horizontal=True, vertical_alignment="center"):
        _what_runs(slot)
    for sentence in _remarks(slot, names):
        st.caption(markdown.plain(sentence))


def _choice(slot: Slot, chosen: SlotChoices, *, is_chosen: bool) -> None:
    if is_chosen:
        st.badge("Chosen", icon=":material/check:", color="blue")
        return
    st.button(
        "Choose",
        key=f"choose-slot-{slot.number}",
        disabled=not slot.is_usable,
        on_click=_choose,
        args=(chosen.key("slot"), slot.number),
    )


def _choose(key: str, number: int) -> None:
    st.session_state[key] = number


def _cards(slot: Slot) -> str:
    """`RTX 4090, 24.0 GiB`, `2 × L4, 48.0 GiB`."""
    if not slot.cards:
        return "Its cards are not in this machine."
    told = counted([name for card in slot.cards for name in titles([card])])
    total = sum(card.total_bytes or 0 for card in slot.cards)
    return f"{told}, {words.memory(total)}" if total else told


def _parts(slot: Slot) -> list[Part]:
    """Whose the memory is."""
    used = sum(card.used_bytes or 0 for card in slot.cards)
    total = sum(card.total_bytes or 0 for card in slot.cards)
    reserved = sum(card.reserved_bytes or 0 for card in slot.cards)
    own = min(sum(slot.held.values()), used)
    shown = [
        Part(slot.name, own, memory_bar.WEIGHTS),
        Part("in use", used - own, memory_bar.OTHERS),
        Part("the driver", reserved, memory_bar.FIXED),
        Part("free", max(0, total - used - reserved), memory_bar.FREE),
    ]
    return [part for part in shown if part.bytes]


def _what_runs(slot: Slot) -> None:
    if slot.unit is None:
        st.badge("Empty", color="gray")
        return
    if slot.model is None:
        st.caption(f"{markdown.plain(slot.name)} is set up here.")
        return
    st.badge(str(slot.model.state), color=models.COLOURS[slot.model.state])
    since = slot.model.started_at
    when = f" · started {words.ago(since)}" if since else ""
    st.markdown(f"{markdown.plain(slot.name)} :gray[{when}]", width="content")


def _remarks(slot: Slot, names: Mapping[int, str]) -> Iterator[str]:
    """What else somebody who chooses should know."""
    for card in slot.cards:
        if card.problem:
            yield f"{card.problem} {card.fix}"
        elif card.is_divided:
            yield "It is divided into parts (MIG), and no model is put on those yet."
        elif not is_usable(card):
            yield "It does not tell how full it is, so no model is put here."
        if card.is_unified:
            yield "It shares the machine's memory: a quarter of that is left to the system."
        yield from _strangers(card, names)


def _strangers(card: Card, names: Mapping[int, str]) -> Iterator[str]:
    """Programs that are not Berth's and hold much of it."""
    for process in card.processes:
        held = process.memory_bytes or 0
        if process.pid not in names and held >= WORTH_NAMING_BYTES:
            name = process.name or "A program outside this system"
            yield f"{name} (pid {process.pid}), which is not Berth's, holds {words.memory(held)}."
