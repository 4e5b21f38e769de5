"""The graphics cards in few words: in the sidebar, and in the line about the machine."""

from collections.abc import Sequence

from lib.machine.cards import Card
from lib.machine.sampler import SAMPLER
from lib.ui import markdown


def short_name(card: Card) -> str:
    """Without what every card of its maker is called: `RTX 4090`."""
    return card.name.replace("NVIDIA ", "").replace("GeForce ", "")


def titles(cards: Sequence[Card]) -> list[str]:
    """What each is called among its fellows: with its number where there are several."""
    if len(cards) == 1:
        return [short_name(cards[0])]
    return [f"{card.index}: {short_name(card)}" for card in cards]


def sidebar_lines() -> list[str]:
    """One per card, `● RTX 4090 · 17.8 of 24.0 GiB · 87 %`; or one about a driver in trouble."""
    seen = SAMPLER.cards()
    if seen.problem:
        return ["○ NVIDIA driver: see System"]
    named = zip(titles(seen.cards), seen.cards, strict=True)
    return [markdown.plain(_line(title, card)) for title, card in named]


def _line(title: str, card: Card) -> str:
    if card.problem:
        return f"○ {title} · does not answer"
    percent = None if card.utilization_percent is None else f"{card.utilization_percent} %"
    parts = ("● " + title, full(card), percent)
    return " · ".join(part for part in parts if part)


def full(card: Card) -> str:
    """`17.8 of 24.0 GiB`; empty where it does not tell."""
    if card.used_bytes is None or card.total_bytes is None:
        return ""
    held = card.used_bytes + (card.reserved_bytes or 0)
    return f"{held / 2**30:.1f} of {card.total_bytes / 2**30:.1f} GiB"


def in_a_line() -> str:
    """The cards in the line about the machine: `2 × NVIDIA L4`; empty where there is none."""
    names = [card.name for card in SAMPLER.cards().cards]
    counted = {name: names.count(name) for name in names}
    return ", ".join(f"{n} × {name}" if n > 1 else name for name, n in counted.items())
