"""How busy and how full each graphics card has been, as charts."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import streamlit as st

from lib.core import words
from lib.machine.cards import Card
from lib.machine.sampler import SAMPLER, CardUse, Sample
from lib.ui import charts, markdown, panels
from lib.ui.cards.lines import held, titles
from lib.ui.charts import Bin, Frame, Line, Scale

CHARTED = 2  # cards whose charts fit on a page; of more, one is chosen


class _Panel(NamedTuple):
    """One chart of a card."""

    title: str
    now: str
    drawn: dict[str, Any]


def history(bins: Sequence[Bin], frame: Frame) -> None:
    """How busy and how full each card has been, one beside the other."""
    cards = SAMPLER.cards().cards
    named = zip(titles(cards), cards, strict=True)
    for title, card in _charted([(title, card) for title, card in named if not card.problem]):
        for place, found in zip(st.columns(2), _of_card(card, bins, frame), strict=False):
            with place:
                heading = f"{markdown.plain(title)} {found.title}"
                panels.panel(
                    heading, panels.value(found.now), found.drawn, f"{title}: {found.title}"
                )


def _charted(named: list[tuple[str, Card]]) -> list[tuple[str, Card]]:
    """Those whose charts are drawn; of many the one that is chosen by its number."""
    if len(named) <= CHARTED:
        return named
    numbers = [card.index for _, card in named]
    chosen = st.segmented_control(
        "Graphics card", numbers, default=numbers[0], required=True, key="system_card"
    )
    return [(title, card) for title, card in named if card.index == chosen]


def _of_card(card: Card, bins: Sequence[Bin], frame: Frame) -> Iterator[_Panel]:
    """A chart of each figure that the card tells, and what the figure is now."""
    kept = card.reserved_bytes or 0

    def percent(sample: Sample) -> float | None:
        use = _use(card, sample)
        return use and use.percent

    def gib(sample: Sample) -> float | None:
        use = _use(card, sample)
        return None if use is None or use.used_bytes is None else (use.used_bytes + kept) / 2**30

    if card.utilization_percent is not None:
        drawn = charts.over_time(bins, [Line("Busy", percent)], charts.PERCENT, frame)
        yield _Panel("use", f"{card.utilization_percent} %", drawn)
    if card.total_bytes and card.used_bytes is not None and not card.is_unified:
        scale = Scale("GiB", top=card.total_bytes / 2**30)
        now = f"{words.memory(held(card))} of {words.memory(card.total_bytes)}"
        drawn = charts.over_time(bins, [Line("Used", gib)], scale, frame)
        yield _Panel("memory", now, drawn)


def _use(card: Card, sample: Sample) -> CardUse | None:
    return next((use for use in sample.cards if use.key == card.key), None)
