"""Models that are on this machine already: a file, or a folder as whatever tool keeps it."""

import contextlib
from collections.abc import Mapping
from pathlib import Path

from lib.core import links
from lib.core.errors import BadInput, BrokenFile, NotFound
from lib.core.names import shown
from lib.deploy.shapes import Tier
from lib.deploy.source import Source, require_a_model
from lib.deploy.wish import called, cannot_run_alone, offered
from lib.engines.llamacpp import stores
from lib.engines.llamacpp.projector import kind_at
from lib.engines.llamacpp.stores import Stored
from lib.fit import file_names, gguf
from lib.fit.file_names import Variant
from lib.fit.gguf import Header
from lib.fit.kinds import Kind, shape_of
from lib.fit.storage_names import GGUF, quantization_of
from lib.hub import Contents

MOST_SHAPES = 40  # models of a folder whose headers are read whole, each of another shape


def of_path(path: Path, quantization: str = "") -> Source:
    """A file or a folder of this machine. BrokenFile, BadInput or NotFound where it has no model.

    `paths` of its variants are absolute.
    """
    return _of_folder(path, quantization) if links.is_folder(path) else _of_file(path)


def _of_file(path: Path) -> Source:
    """Of a divided model, all its parts."""
    stored = stores.named(path)
    header = gguf.read_model(stored.path)
    require_a_model(path.name, header)
    parts = gguf.shard_paths(stored.path)
    variant = Variant(
        quantization=header.quantization or quantization_of(stored.path.name),
        paths=tuple(str(part) for part in parts),
        bytes=sum(part.stat().st_size for part in parts),
        name=stored.name,
    )
    source = Source(Tier.FILE, f"{path} is on this machine.", [variant], header)
    return source._replace(seeing=_seeing({variant.first: stored}), read=[variant.first])


def _of_folder(folder: Path, quantization: str) -> Source:
    """What is in it, each file by the name that it has there."""
    by_name = {_name(stored, folder): stored for stored in stores.models_in(folder)}
    contents = _contents(by_name)
    if not contents.models:
        raise _nothing(folder, by_name, contents)
    found = called(quantization, contents.models) if quantization else [*contents.models]
    if not found:
        raise BadInput(
            f"“{shown(folder.name)}” has no {shown(quantization)}.",
            f"Choose one of {offered(contents.models)}.",
        )
    absolute = {one: _absolute(one, by_name) for one in contents.models}
    headers = _headers(contents, found[0], absolute)
    first = absolute[found[0]]
    return Source(
        Tier.FILE,
        f"{folder} is on this machine.",
        [*absolute.values()],
        headers[contents.shapes[found[0].first]],
        contents=_moved(contents, absolute),
        meant=[absolute[one] for one in found] if quantization else (),
        headers=headers,
        read=[first.first],
        seeing=_seeing({a.first: by_name[one.first] for one, a in absolute.items()}),
    )


def _name(stored: Stored, folder: Path) -> str:
    """The path in the folder, or the name that a store has for it."""
    if stored.name:
        return f"{stored.name}{GGUF}"
    inside = stored.path.is_relative_to(folder)
    path = stored.path.relative_to(folder) if inside else Path(stored.path.name)
    parts = path.parts
    if "snapshots" in parts:  # of the Hub tool's cache: what stands behind the commit
        path = Path(*parts[parts.index("snapshots") + 2 :])
        owner = [part for part in parts if part.startswith("models--")]
        path = Path(*owner, path)
    return path.as_posix()


def _contents(by_name: Mapping[str, Stored]) -> Contents:
    sizes = {name: _size(stored.path) for name, stored in by_name.items()}
    kinds = {name: kind_at(stored.path) for name, stored in by_name.items()}
    models = file_names.variants(sizes.items(), lambda name: kinds[name] == Kind.MODEL)
    beside = {name: kind for name, kind in kinds.items() if kind != Kind.MODEL}
    shapes = {one.first: _shape(by_name[one.first].path) for one in models}
    return Contents(models=tuple(models), beside=beside, shapes=shapes)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _shape(path: Path) -> str:
    try:
        return shape_of(gguf.glimpse_file(path).values)
    except BrokenFile:
        return str(path)


def _absolute(variant: Variant, by_name: Mapping[str, Stored]) -> Variant:
    paths = tuple(str(by_name[name].path) for name in variant.paths)
    return variant.model_copy(update={"paths": paths})


def _headers(
    contents: Contents, first: Variant, absolute: Mapping[Variant, Variant]
) -> dict[str, Header]:
    """By shape: of the one that is meant, and of a few others."""
    found = {contents.shapes[first.first]: gguf.read_model(Path(absolute[first].first))}
    for variant in contents.models:
        shape = contents.shapes[variant.first]
        if shape not in found and len(found) < MOST_SHAPES:
            with contextlib.suppress(BrokenFile):
                found[shape] = gguf.read_model(Path(absolute[variant].first))
    return found


def _moved(contents: Contents, absolute: Mapping[Variant, Variant]) -> Contents:
    """The same by absolute paths."""
    shapes = {absolute[one].first: contents.shapes[one.first] for one in contents.models}
    return contents.model_copy(update={"models": tuple(absolute.values()), "shapes": shapes})


def _seeing(by_path: Mapping[str, Stored]) -> dict[str, str]:
    """The projectors that a store names beside its models."""
    return {path: str(one.projector) for path, one in by_path.items() if one.projector}


def _nothing(
    folder: Path, by_name: Mapping[str, Stored], contents: Contents
) -> BadInput | NotFound:
    for name, kind in contents.beside.items():
        return cannot_run_alone(shown(name), kind)
    if by_name:
        return BadInput(
            f"“{shown(folder.name)}” has no whole model: a part is missing, or none can be read.",
            "Choose another folder, or fetch the missing part.",
        )
    return NotFound(f"There is no GGUF file in {folder}.", "Choose another folder.")
