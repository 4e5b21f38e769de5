"""Layers of a model that the processor computes although there is a graphics card."""

import re
from typing import NamedTuple

from lib.core import words
from lib.core.errors import BerthError
from lib.core.files import tail
from lib.doctor.finding import Check, Finding, Fix, Severity
from lib.engines.llamacpp import records
from lib.engines.llamacpp.records import Record
from lib.engines.ollama import api
from lib.fleet.on_cards import model_names
from lib.machine.sampler import SAMPLER

NAME = "gpu-layers"
LOG_BYTES = 262_144
# llama.cpp, src/llama-model.cpp: what it says when the weights are loaded.
_OFFLOADED = re.compile(r"offloaded (\d{1,5})/(\d{1,5}) layers to GPU")
_WHY = "What the card does not hold the processor computes, several times slower."


class Loaded(NamedTuple):
    """A model in memory."""

    name: str
    engine: str  # for people
    on_card: float | None  # the part of it, 0 to 1; None where nobody tells
    share: str = ""  # the same, for people
    is_wheel: bool = False  # by the engine that comes with Berth, which has no CUDA


class Facts(NamedTuple):
    """What runs, and the cards that are there."""

    cards: tuple[str, ...] = ()
    loaded: tuple[Loaded, ...] = ()


def gathered() -> Facts:
    """From Ollama's list, and from what each child of the built-in engine has printed."""
    cards = [card for card in SAMPLER.cards().cards if not card.problem]
    names = tuple(card.name for card in cards)
    on_cards = set(model_names(cards, ()).values())
    return Facts(names, (*_of_ollama(), *_own(on_cards)) if names else ())


def _of_ollama() -> list[Loaded]:
    try:
        rows = api.listing("/api/ps", api.Loaded)
    except BerthError:
        return []
    return [_row(row) for row in rows]


def _row(row: api.Loaded) -> Loaded:
    if row.size_vram is None or row.size <= 0:
        return Loaded(row.name, "Ollama", None)
    share = f"{words.memory(row.size_vram)} of {words.memory(row.size)}"
    return Loaded(row.name, "Ollama", min(row.size_vram / row.size, 1.0), share)


def _own(on_cards: set[str]) -> list[Loaded]:
    running = [record for record in records.read_all() if record.is_alive]
    return [_child(record, is_on_card=record.model in on_cards) for record in running]


def _child(record: Record, *, is_on_card: bool) -> Loaded:
    """What has memory of a card is on it; how much of the model that is, a llama-server tells."""
    if record.program:
        return offloaded(record.model, tail(records.file_of(record.model, "log"), LOG_BYTES))
    on_card = None if is_on_card else 0.0
    return Loaded(record.model, "the built-in engine", on_card, is_wheel=True)


def offloaded(model: str, log: str) -> Loaded:
    """What a llama-server says of a model; the last load counts."""
    told = _OFFLOADED.findall(log)
    if not told or not int(told[-1][1]):
        return Loaded(model, "your llama-server", None)
    on_card, of_all = map(int, told[-1])
    share = f"{on_card} of {of_all} layers"
    return Loaded(model, "your llama-server", on_card / of_all, share)


def judged(facts: Facts) -> list[Finding]:
    """One finding per model that is not wholly on a card."""
    if not facts.cards:
        return []
    partly = [one for one in facts.loaded if one.on_card is not None and one.on_card < 0.999]
    return [_wheel(one, facts.cards[0]) if one.is_wheel else _partly(one) for one in partly]


def _partly(model: Loaded) -> Finding:
    part = "nothing" if not model.on_card else model.share or f"{model.on_card:.0%}"
    return Finding(
        id=f"{NAME}:{model.name}",
        severity=Severity.WARNING,
        title=f"{model.name} is not wholly on the graphics card: {part} is there ({model.engine}).",
        wanted="All of it on the card, if it fits.",
        why=_WHY,
        fix=Fix(label="Choose a smaller quantization or context", page="Deploy"),
        facts=(f"{model.on_card or 0:.1f}",),
    )


def _wheel(model: Loaded, card: str) -> Finding:
    return Finding(
        id=f"{NAME}:{model.name}",
        severity=Severity.HINT,
        title=f"{model.name} runs on the processor although there is a graphics card ({card}).",
        wanted="A model on the card: through a GPU slot, or a llama-server built for it.",
        why="The engine that comes with Berth uses no NVIDIA card.",
        fix=Fix(label="Deploy it on the card", page="Deploy"),
        facts=(card,),
    )


CHECK = Check(NAME, gathered, judged)
