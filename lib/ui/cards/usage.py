"""How busy and how full each graphics card has been, as charts."""

from collections.abc import Iterator, Sequence

import altair as alt
import streamlit as st

from lib.core import words
from lib.machine.cards import Card
from lib.machine.sampler import SAMPLER, CardUse, Sample
from lib.ui import charts, markdown
from lib.ui.cards.lines import held, titles

CHARTED = 2  # cards whose charts fit on a page; of more, one is chosen


def history(samples: Sequence[Sample], *, is_dark: bool, times: str) -> None:
    """How busy and how full each card has been, one beside the other."""
    cards = SAMPLER.cards().cards
    named = zip(titles(cards), cards, strict=True)
    for title, card in _charted([(title, card) for title, card in named if not card.problem]):
        found = list(_of_card(card, samples, is_dark=is_dark, times=times))
        if found:
            st.caption(f"**{markdown.plain(title)}**")
            for place, (chart, now) in zip(st.columns(len(found)), found, strict=True):
                place.altair_chart(chart, alt=f"{title}: {now}")


def _charted(named: list[tuple[str, Card]]) -> list[tuple[str, Card]]:
    """Those whose charts are drawn; of many the one that is chosen by its number."""
    if len(named) <= CHARTED:
        return named
    numbers = [card.index for _, card in named]
    chosen = st.segmented_control(
        "Graphics card", numbers, default=numbers[0], required=True, key="system_card"
    )
    return [(title, card) for title, card in named if card.index == chosen]


def _of_card(
    card: Card, samples: Sequence[Sample], *, is_dark: bool, times: str
) -> Iterator[tuple[alt.LayerChart, str]]:
    """A chart of each figure that the card tells, and what the figure is now."""
    kept = card.reserved_bytes or 0

    def percent(sample: Sample) -> float | None:
        use = _use(card, sample)
        return use and use.percent

    def gib(sample: Sample) -> float | None:
        use = _use(card, sample)
        return None if use is None or use.used_bytes is None else (use.used_bytes + kept) / 2**30

    if card.utilization_percent is not None:
        chart = charts.over_time(
            samples, percent, title="Use, %", top=100, is_dark=is_dark, times=times
        )
        yield chart, f"use, now {card.utilization_percent} %"
    if card.total_bytes and card.used_bytes is not None and not card.is_unified:
        top = card.total_bytes / 2**30
        chart = charts.over_time(
            samples, gib, title="Memory, GiB", top=top, is_dark=is_dark, times=times
        )
        yield chart, f"memory, now {words.memory(held(card))} used"


def _use(card: Card, sample: Sample) -> CardUse | None:
    return next((use for use in sample.cards if use.key == card.key), None)
