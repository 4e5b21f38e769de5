"""How busy and how full each graphics card has been, as charts."""

from collections.abc import Sequence

import streamlit as st

from lib.core import words
from lib.machine.cards import Card
from lib.machine.sampler import SAMPLER, CardUse, Sample
from lib.ui import charts, markdown
from lib.ui.cards.lines import titles

CHARTED = 2  # cards whose charts fit on a page; of more, one is chosen


def history(samples: Sequence[Sample], *, is_dark: bool) -> None:
    """How busy and how full each card has been, one beside the other."""
    cards = [card for card in SAMPLER.cards().cards if not card.problem]
    for title, card in _charted(cards):
        busy, full = st.columns(2)
        with busy:
            _busy(title, card, samples, is_dark=is_dark)
        with full:
            _filled(title, card, samples, is_dark=is_dark)


def _charted(cards: Sequence[Card]) -> list[tuple[str, Card]]:
    """Those whose charts are drawn, with their titles."""
    named = dict(zip(titles(cards), cards, strict=True))
    if len(named) <= CHARTED:
        return list(named.items())
    chosen = st.segmented_control(
        "Graphics card", list(named), default=next(iter(named)), required=True, key="system_card"
    )
    return [(chosen, named[chosen])] if chosen in named else []


def _busy(title: str, card: Card, samples: Sequence[Sample], *, is_dark: bool) -> None:
    def percent(sample: Sample) -> float | None:
        use = _use(card, sample)
        return use and use.percent

    now = card.utilization_percent
    if now is None:
        st.caption(f"{markdown.plain(title)} does not tell how busy it is.")
        return
    chart = charts.over_time(samples, percent, title=f"{title}, %", top=100, is_dark=is_dark)
    st.altair_chart(chart, alt=f"Use of {title}, now {now} %")


def _filled(title: str, card: Card, samples: Sequence[Sample], *, is_dark: bool) -> None:
    def gib(sample: Sample) -> float | None:
        use = _use(card, sample)
        return None if use is None or use.used_bytes is None else use.used_bytes / 2**30

    if card.is_unified or not card.total_bytes or card.used_bytes is None:
        return  # the chart of the machine's memory shows it, or nobody knows
    top = card.total_bytes / 2**30
    chart = charts.over_time(samples, gib, title=f"{title}, GiB", top=top, is_dark=is_dark)
    st.altair_chart(chart, alt=f"Memory of {title}, now {words.memory(card.used_bytes)} used")


def _use(card: Card, sample: Sample) -> CardUse | None:
    return next((use for use in sample.cards if use.key == card.key), None)
