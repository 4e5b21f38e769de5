"""Where a model's files come from: three tiers, each for exactly the model asked for."""

import contextlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from lib import hub
from lib.core.errors import BadInput, BerthError, NotFound
from lib.core.names import shown
from lib.deploy import library
from lib.deploy.library import Stored
from lib.deploy.shapes import Tier
from lib.deploy.source import Source, require_a_model
from lib.deploy.wish import Wish, called, cannot_run_alone, meant, offered
from lib.fit.file_names import Variant
from lib.fit.gguf import Header
from lib.hub import Card, Contents

MAIN = "main"
MOST_CANDIDATES = 5
MOST_SHAPES = 4  # of a repository with more models only the header of what is chosen is read
MOST_BITS = 34  # per weight, of a file whose header is the model's
READ_FIRST = "Q4_K_M"  # whose header is read where any would do
_QUANTIZED = "base_model:quantized:"


def of_repository(repository: str, wish: Wish, *, has_ollama: bool = False) -> Source:
    """The first tier that has the model, as it was wished for.

    NotFound where none has it, BadInput where it is there but not so; otherwise what the Hub says.
    """
    card = hub.look_up(repository, wish.revision)
    contents = hub.contents(card)
    own = meant(wish, card, contents)
    if own:
        return _on_hub(Tier.OWN, card, f"{card.id} has its own GGUF files.", wish, contents, own)
    for other in _candidates(card, contents):
        theirs = hub.contents(other)
        found = called(wish.quantization, theirs.models) if wish.quantization else theirs.models
        if found:
            said = f"{other.id} is the most used repository that has such files of {card.id}."
            return _on_hub(Tier.QUANTIZED, other, said, wish, theirs, found)
    is_bare = has_ollama and not contents.models
    stored = library.find(card.id, wish.quantization) if is_bare else None
    if stored:
        return _in_library(card, stored)
    raise _absent(card, contents, wish.quantization)


def _on_hub(
    tier: Tier,
    card: Card,
    sentence: str,
    wish: Wish,
    contents: Contents,
    found: Sequence[Variant],
) -> Source:
    usual = [variant for variant in found if variant.quantization == READ_FIRST]
    first = (usual or [*found])[0]
    header, shape = hub.header(card, first), contents.shapes[first.first]
    require_a_model(first.first, header)
    others = _other_shapes(card, contents, first)
    is_all = len(found) == len(contents.models)
    source = Source(
        tier,
        sentence,
        [*contents.models],
        header,
        card,
        contents=contents,
        meant=() if is_all else found,
        is_main=tier != Tier.OWN or wish.revision == MAIN,
        headers={contents.shapes[v.first]: found for v, found in others} | {shape: header},
        read=[first.first, *(variant.first for variant, _ in others)],
    )
    measured = {variant: _measured(variant, source) for variant in contents.models}
    return source._replace(
        variants=[*measured.values()],
        meant=[measured[variant] for variant in source.meant],
    )


def _measured(variant: Variant, source: Source) -> Variant:
    """With its bits per weight, where its name tells no quantization that anybody knows."""
    if variant.is_known:
        return variant
    bits = 8 * variant.bytes / max(source.header_of(variant).parameters, 1)
    if not 0 < bits <= MOST_BITS:
        return variant
    return variant.model_copy(update={"bits": round(bits, 2)})


def _other_shapes(card: Card, contents: Contents, first: Variant) -> list[tuple[Variant, Header]]:
    """The headers of models that are built otherwise than the first, where they can be read."""
    others: dict[str, Variant] = {}
    for variant in contents.models:
        if contents.shapes[variant.first] != contents.shapes[first.first]:
            others.setdefault(contents.shapes[variant.first], variant)

    def read(variant: Variant) -> Header | None:
        with contextlib.suppress(BerthError):
            return hub.header(card, variant)
        return None

    asked = [*others.values()] if len(others) < MOST_SHAPES else []
    with ThreadPoolExecutor(max(1, len(asked))) as pool:
        found = zip(asked, pool.map(read, asked), strict=True)
        return [(variant, header) for variant, header in found if header]


def with_header_of(source: Source, variant: Variant) -> Source:
    """The same with the header of this variant's shape, where that can be read and was not yet."""
    if source.card is None or source.contents is None:
        return source
    shape = source.contents.shapes.get(variant.first, "")
    if shape in source.headers:
        return source
    try:
        header = hub.header(source.card, variant)
    except BerthError:
        header = source.header
    headers = {**source.headers, shape: header}
    return source._replace(headers=headers, read=[*source.read, variant.first])


def _in_library(card: Card, stored: Stored) -> Source:
    variant = Variant(
        quantization=stored.quantization, paths=(stored.name,), bytes=stored.size_bytes
    )
    said = f"Ollama's library has {card.id} as {stored.name}."
    return Source(Tier.LIBRARY, said, [variant], library.header(stored), library=stored)


def _candidates(card: Card, contents: Contents) -> Iterator[Card]:
    """The open GGUF repositories that declare the same model, most used first."""
    for base in _bases(card, contents):
        others = [found for found in hub.gguf_repositories(base) if not found.gated]
        for found in others[:MOST_CANDIDATES]:
            if found.id != card.id:
                with contextlib.suppress(NotFound):
                    yield hub.look_up(found.id)


def _bases(card: Card, contents: Contents) -> list[str]:
    """The model itself, or of a repository of quantizations the model they are of."""
    declared = [tag.removeprefix(_QUANTIZED) for tag in card.tags if tag.startswith(_QUANTIZED)]
    return declared[:1] if contents.models else [card.id]


def _absent(card: Card, contents: Contents, quantization: str) -> BerthError:
    if quantization and contents.models:
        return BadInput(
            f"{card.id} has no {shown(quantization)}, "
            "and no other repository of this model has it.",
            f"Choose one of {offered(contents.models)}.",
        )
    for path, kind in contents.beside.items():
        return cannot_run_alone(shown(path), kind)
    wanted = f"no {shown(quantization)} GGUF files" if quantization else "no GGUF files"
    return NotFound(
        f"{card.id} has {wanted}, and no repository on the Hub declares to have them of it.",
        "Search for the model's name with GGUF, or choose a model that has such files.",
    )
