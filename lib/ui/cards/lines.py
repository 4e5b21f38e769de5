"""The graphics cards in few words: in the sidebar, and in the line about the machine."""

import re
from collections.abc import Sequence

from lib.machine.cards import Card
from lib.machine.sampler import SAMPLER
from lib.ui import markdown

NAME_LENGTH = 14  # in the sidebar, which holds about thirty characters in a line

_USUAL = re.compile(r"\b(?:NVIDIA|GeForce) ")
_KIND = re.compile(r"[ -](?:\d+GB|PCIe|SXM\d?|HBM\d\w?|Generation|\w+ Edition)\b")


def titles(cards: Sequence[Card]) -> list[str]:
    """What each is called: `RTX 4090`, or `0: RTX 4090` where there are several."""
    names = [_USUAL.sub("", card.name) for card in cards]
    return _numbered(cards, names) if len(cards) > 1 else names


def _numbered(cards: Sequence[Card], names: Sequence[str]) -> list[str]:
    """A card that has never told its name is called by its number already."""
    return [
        name if name == f"GPU {card.index}" else f"{card.index}: {name}"
        for card, name in zip(cards, names, strict=True)
    ]


def sidebar_lines() -> list[str]:
    """One per card, `● RTX 4090 18/24 GiB · 87 %`; or one about a driver in trouble."""
    seen = SAMPLER.cards()
    if seen.problem:
        return ["○ NVIDIA driver: see System"]
    names = [_brief(card) for card in seen.cards]
    if len(set(names)) < len(names):
        names = _numbered(seen.cards, names)
    named = zip(names, seen.cards, strict=True)
    return [markdown.plain(_line(name, card)) for name, card in named]


def _brief(card: Card) -> str:
    """`A100` for NVIDIA A100-SXM4-40GB: its memory stands beside it."""
    name = _KIND.sub("", _USUAL.sub("", card.name))
    return name if len(name) <= NAME_LENGTH else f"{name[: NAME_LENGTH - 1].rstrip()}…"


def _line(name: str, card: Card) -> str:
    if card.problem:
        return f"○ {name} does not answer"
    line = f"● {name}"
    if card.used_bytes is not None and card.total_bytes is not None:
        line += f" {_gib(held(card))}/{_gib(card.total_bytes)} GiB"
    return line if card.utilization_percent is None else f"{line} · {card.utilization_percent} %"


def held(card: Card) -> int:
    """Bytes that nobody else can have: those of programs and those that the driver keeps."""
    return (card.used_bytes or 0) + (card.reserved_bytes or 0)


def _gib(amount: int) -> str:
    """`0.9`, `41`."""
    gib = amount / 2**30
    return f"{gib:.1f}" if gib < 9.95 else f"{gib:.0f}"


def in_a_line() -> str:
    """The cards in the line about the machine: `2 × NVIDIA L4`; empty where there is none."""
    return counted([card.name for card in SAMPLER.cards().cards])


def counted(names: Sequence[str]) -> str:
    """Each name once, with how often where that is more than once."""
    numbers = {name: names.count(name) for name in names}
    return ", ".join(f"{n} × {name}" if n > 1 else name for name, n in numbers.items())
