"""Where a model's files come from: three tiers, each for exactly the model asked for."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from lib import hub
from lib.core.errors import BadInput, BerthError, NotFound
from lib.deploy import library
from lib.deploy.library import Stored
from lib.deploy.shapes import PlannedFile, Tier
from lib.engines.llamacpp.projector import usable_projector
from lib.fit import gguf
from lib.fit.gguf import Header
from lib.fit.quantizations import Variant, quantization_of
from lib.hub import Card

MOST_CANDIDATES = 5
READ_FIRST = "Q4_K_M"  # whose header is read where any would do
_QUANTIZED = "base_model:quantized:"


class Source(NamedTuple):
    """What there is of a model, and where; the header is that of any one of the variants."""

    tier: Tier
    sentence: str
    variants: list[Variant]  # one for each quantization, best first
    header: Header
    card: Card | None = None
    library: Stored | None = None

    def projector(self, variant: Variant) -> PlannedFile | None:
        """The file that lets this variant see; None where there is none."""
        if self.card:
            found = self.card.projector(variant)
            return PlannedFile(**found.model_dump()) if found else None
        if self.library:
            return None
        path = usable_projector(Path(variant.paths[0]))
        return PlannedFile(path=str(path), bytes=path.stat().st_size) if path else None

    def files(self, variant: Variant) -> tuple[PlannedFile, ...]:
        """The files of one of the variants."""
        if self.card is None:
            return (PlannedFile(path=variant.paths[0], bytes=variant.bytes),)
        found = (self.card.file(path) for path in variant.paths)
        return tuple(PlannedFile(path=f.path, bytes=f.bytes, sha256=f.sha256) for f in found)


def of_file(path: Path) -> Source:
    """A file of this machine; of a divided model, all its parts. BrokenFile where it is no model.

    `paths` of its variant are absolute.
    """
    header = gguf.read_model(path)
    parts = gguf.shard_paths(path)
    variant = Variant(
        quantization=header.quantization or quantization_of(path.name),
        paths=tuple(str(part) for part in parts),
        bytes=sum(part.stat().st_size for part in parts),
    )
    return Source(Tier.FILE, f"{path} is on this machine.", [variant], header)


def of_repository(repository: str, quantization: str = "", *, has_ollama: bool = False) -> Source:
    """The first tier that has the model, in this quantization where one was asked for.

    NotFound where none has it, BadInput where it is there but not so; otherwise what the Hub says.
    """
    card = hub.look_up(repository)
    if _has(card, quantization):
        return _on_hub(Tier.OWN, card, f"{card.id} has its own GGUF files.", quantization)
    for other in _candidates(card):
        if _has(other, quantization):
            said = f"{other.id} is the most used repository that has such files of {card.id}."
            return _on_hub(Tier.QUANTIZED, other, said, quantization)
    stored = library.find(card.id, quantization) if has_ollama and not card.variants else None
    if stored:
        return _in_library(card, stored)
    raise _absent(card, quantization)


def _on_hub(tier: Tier, card: Card, sentence: str, quantization: str) -> Source:
    variants = _distinct(card.variants)
    wished = [v for v in variants if v.quantization == (quantization or READ_FIRST)]
    header = hub.header(card, (wished or variants)[0])
    return Source(tier, sentence, variants, header, card)


def _in_library(card: Card, stored: Stored) -> Source:
    variant = Variant(
        quantization=stored.quantization, paths=(stored.name,), bytes=stored.size_bytes
    )
    said = f"Ollama's library has {card.id} as {stored.name}."
    return Source(Tier.LIBRARY, said, [variant], library.header(stored), library=stored)


def _distinct(variants: tuple[Variant, ...]) -> list[Variant]:
    """One for each quantization: one file rather than a divided model."""
    found: dict[str, Variant] = {}
    for variant in sorted(variants, key=lambda variant: variant.is_divided):
        found.setdefault(variant.quantization, variant)
    return [variant for variant in variants if found[variant.quantization] is variant]


def _has(card: Card, quantization: str) -> bool:
    found = {variant.quantization for variant in card.variants}
    return quantization in found if quantization else bool(found)


def _candidates(card: Card) -> Iterator[Card]:
    """The open GGUF repositories that declare the same model, most used first."""
    for base in _bases(card):
        others = [found for found in hub.gguf_repositories(base) if not found.gated]
        for found in others[:MOST_CANDIDATES]:
            if found.id != card.id:
                with contextlib.suppress(NotFound):
                    yield hub.look_up(found.id)


def _bases(card: Card) -> list[str]:
    """The model itself, or of a repository of quantizations the model they are of."""
    declared = [tag.removeprefix(_QUANTIZED) for tag in card.tags if tag.startswith(_QUANTIZED)]
    return declared[:1] if card.variants else [card.id]


def _absent(card: Card, quantization: str) -> BerthError:
    offered = ", ".join(dict.fromkeys(variant.quantization for variant in card.variants))
    if quantization and offered:
        return BadInput(
            f"{card.id} has no {quantization}, and no other repository of this model has it.",
            f"Choose one of {offered}.",
        )
    wanted = f"no {quantization} GGUF files" if quantization else "no GGUF files"
    return NotFound(
        f"{card.id} has {wanted}, and no repository on the Hub declares to have them of it.",
        "Search for the model's name with GGUF, or choose a model that has such files.",
    )
