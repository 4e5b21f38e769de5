"""What the GGUF files of a repository are: its models, and what goes beside them.

Names group the files; what a group is, the header of one of its files tells, of which the first
64 KiB are enough. Where there is one group alone nothing is asked: whoever uses a file reads its
header anyway.
"""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import PurePosixPath

from pydantic import ValidationError

from lib.core.errors import BerthError
from lib.core.names import shown
from lib.core.values import Frozen
from lib.fit import file_names, gguf, kinds
from lib.fit.file_names import SMALL, Beside, Variant
from lib.fit.gguf import Glimpse
from lib.fit.kinds import Kind
from lib.hub import cache
from lib.hub.cards import Card, RepoFile
from lib.hub.headers import header
from lib.hub.pieces import Pieces

MOST_GLIMPSES = 24  # of a repository with more models the rest is taken for what its names say
FEW_MODELS, SAMPLE = 8, 3  # of more than a few, so many stand for the rest
AT_ONCE = 6


class Contents(Frozen):
    """The GGUF files of a repository at one commit."""

    models: tuple[Variant, ...]  # complete ones, best first
    beside: Mapping[str, Kind]  # what cannot run alone, by its path
    shapes: Mapping[str, str]  # by a model's first path: one text for all of the same shape

    def projector(self, variant: Variant) -> str:
        """The path of the file that lets this model see: beside it or in a folder above; or ""."""
        model = PurePosixPath(variant.first)
        seeing = [path for path, kind in self.beside.items() if kind == Kind.PROJECTOR]
        for folder in model.parents:
            near = [(path, 0) for path in seeing if PurePosixPath(path).parent == folder]
            if best := file_names.best_projector(model.name, near, lambda path: True):
                return best[0]
        return ""


def contents(card: Card) -> Contents:
    """What there is, as far as the Hub lets it be read; else as far as the names tell."""
    whole = file_names.complete((file.path, file.bytes) for file in card.files)
    beside = file_names.presumed_beside(whole)
    groups = file_names.model_groups(whole, beside)
    seen = _looked_at(card, groups, beside)
    found: dict[str, Kind] = {}
    shapes: dict[str, str] = {}
    told: dict[int, tuple[str, Kind]] = {}  # of a glimpse, which may stand for many groups
    for group, members in groups.items():
        glimpse = seen.get(group)
        if glimpse and id(glimpse) not in told:
            told[id(glimpse)] = kinds.shape_of(glimpse.values), _kind_of(glimpse)
        shape, known = told[id(glimpse)] if glimpse else (group, None)
        for variant in members:
            kind = known or _presumed(variant, beside)
            if kind != Kind.MODEL:
                found.update(dict.fromkeys(variant.paths, kind))
            shapes[variant.first] = shape
    models = file_names.models_of(whole, beside, lambda path: path not in found)
    return Contents(models=tuple(models), beside=found, shapes=shapes)


def _kind_of(seen: Glimpse) -> Kind:
    return kinds.kind(seen.values, seen.tensors, seen.tensor_count)


def _presumed(variant: Variant, beside: Mapping[str, Beside]) -> Kind:
    """What its name says."""
    presumed = beside.get(variant.first)
    return kinds.presumed(presumed.word) if presumed else Kind.MODEL


def _looked_at(
    card: Card, groups: Mapping[str, list[Variant]], beside: Mapping[str, Beside]
) -> dict[str, Glimpse]:
    """The beginning of one file of each group, where that can tell more than the names do."""
    smallest = {group: min(found, key=lambda v: v.bytes) for group, found in groups.items()}
    asked = _open_questions(smallest, beside)
    largest = max((variant.bytes for variant in asked.values()), default=0)
    plain = [
        group
        for group, v in asked.items()
        if v.first not in beside
        and (v.bytes >= SMALL * largest or file_names.is_as_large_as_said(v))
    ]
    sample = _sample(plain, smallest) if len(plain) > FEW_MODELS else plain
    left_out = set(plain) - set(sample)
    looked_at = [group for group in asked if group not in left_out][:MOST_GLIMPSES]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = pool.map(lambda group: _glimpse(card, asked[group], largest), looked_at)
        seen = {group: glimpse for group, glimpse in zip(looked_at, found, strict=True) if glimpse}
    return seen | _alike([seen.get(group) for group in sample], left_out)


def _sample(groups: Sequence[str], smallest: Mapping[str, Variant]) -> list[str]:
    """A few of them, of all sizes."""
    by_size = sorted(groups, key=lambda group: smallest[group].bytes)
    return [by_size[number * (len(by_size) - 1) // (SAMPLE - 1)] for number in range(SAMPLE)]


def _alike(sample: Sequence[Glimpse | None], groups: Iterable[str]) -> dict[str, Glimpse]:
    """What the others are where all of a sample are one model in several files; else nothing."""
    shapes = {kinds.shape_of(seen.values) if seen else None for seen in sample}
    [one, *_] = sample or [None]
    return dict.fromkeys(groups, one) if one and len(shapes) == 1 else {}


def _open_questions(
    smallest: Mapping[str, Variant], beside: Mapping[str, Beside]
) -> dict[str, Variant]:
    """The smallest file of each group whose names leave open what it is."""
    told = {group: beside.get(variant.first) for group, variant in smallest.items()}
    models = [group for group, presumed in told.items() if presumed is None]
    doubtful = [group for group, presumed in told.items() if presumed and not presumed.is_plain]
    asked = [*doubtful, *(models if len(models) > 1 else [])]
    if not models and not doubtful:  # nothing but what goes beside a model, by their names
        asked = list(smallest)
    return {group: smallest[group] for group in asked}


def _glimpse(card: Card, variant: Variant, largest: int) -> Glimpse | None:
    """What its beginning tells; of what may only draft, what all of its header tells."""
    try:
        seen = _beginning(card, card.file(variant.first))
        if (
            seen.tensors is None
            and variant.bytes < SMALL * largest
            and kinds.may_draft(seen.values)
        ):
            names = tuple(tensor.name for tensor in header(card, variant).tensors)
            return seen.model_copy(update={"tensors": names})
    except BerthError:
        return None
    return seen


def _beginning(card: Card, file: RepoFile) -> Glimpse:
    """Kept on disk, because a file of one checksum never changes."""
    question = f"glimpse {file.sha256 or f'{card.id} {card.sha} {file.path}'}"
    kept = cache.read(question)
    if kept:
        try:
            return Glimpse.model_validate_json(kept.text)
        except ValidationError:
            pass  # written by another version, or broken
    data = Pieces(card, file, gguf.GLIMPSE_BYTES).more(gguf.GLIMPSE_BYTES)
    found = gguf.glimpse(data, f"“{shown(file.path)}”")
    cache.write(question, found.model_dump_json())
    return found
