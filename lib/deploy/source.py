"""What there is of a model, wherever it comes from."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from lib.core.names import shown
from lib.deploy.library import Stored
from lib.deploy.shapes import PlannedFile, Tier
from lib.deploy.wish import cannot_run_alone
from lib.engines.llamacpp.projector import can_see, usable_projector
from lib.fit import kinds
from lib.fit.file_names import Variant
from lib.fit.gguf import Header
from lib.fit.kinds import Kind
from lib.hub import Card, Contents


class Source(NamedTuple):
    """What there is of a model, and where; `header` is that of the first one that is meant."""

    tier: Tier
    sentence: str
    variants: list[Variant]  # best first, each with a name of its own
    header: Header
    card: Card | None = None
    library: Stored | None = None
    contents: Contents | None = None
    meant: Sequence[Variant] = ()  # those that were asked for; none: any
    headers: Mapping[str, Header] = {}  # by the shape, where there are several models
    seeing: Mapping[str, str] = {}  # of this machine: projectors that a store names, by the model
    is_main: bool = True  # of the Hub: what its main branch has
    read: Sequence[str] = ()  # the first paths of those whose own headers these are

    @property
    def choosable(self) -> list[Variant]:
        """Those that answer what was asked for."""
        return [*self.meant] or self.variants

    def header_of(self, variant: Variant) -> Header:
        """Its own, or that of another file of the same shape."""
        shape = self.contents.shapes.get(variant.first, "") if self.contents else ""
        return self.headers.get(shape, self.header)

    def is_read(self, variant: Variant) -> bool:
        """Is it the file whose header was read?"""
        return variant.first in self.read

    def projector(self, variant: Variant) -> PlannedFile | None:
        """The file that lets this variant see; None where there is none."""
        if self.card and self.contents:
            found = self.contents.projector(variant)
            return PlannedFile(**self.card.file(found).model_dump()) if found else None
        if self.library:
            return None
        named = Path(self.seeing.get(variant.first, ""))
        path = named if named.is_file() and can_see(named) else None
        path = path or usable_projector(Path(variant.first))
        return PlannedFile(path=str(path), bytes=path.stat().st_size) if path else None

    def files(self, variant: Variant) -> tuple[PlannedFile, ...]:
        """The files of one of the variants."""
        if self.card is None:
            return (PlannedFile(path=variant.first, bytes=variant.bytes),)
        found = (self.card.file(path) for path in variant.paths)
        return tuple(PlannedFile(path=f.path, bytes=f.bytes, sha256=f.sha256) for f in found)


def require_a_model(path: str, header: Header) -> None:
    """BadInput for a file that its header tells to be something else."""
    kind = kinds.kind_of(header)
    if kind != Kind.MODEL:
        raise cannot_run_alone(shown(path), kind)
