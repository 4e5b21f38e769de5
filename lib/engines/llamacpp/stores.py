"""Where other tools keep their models: files named by checksums, whose names stand elsewhere.

The Hub's own tool has a folder for each repository: `snapshots` with links by name into `blobs`.
Ollama has one for all: `manifests` say by name which of the `blobs` are a model. LM Studio and the
rest keep files under their names.
"""

import contextlib
import os
import re
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel, ValidationError

from lib.core import links
from lib.core.errors import BadInput
from lib.core.files import read_json
from lib.core.links import Bounds
from lib.core.names import slug
from lib.core.settings import settings

MOST_FILES = 2_000  # of a folder that somebody names; a disk of models has fewer
LARGEST_MANIFEST = 1_000_000
LIBRARY = ("registry.ollama.ai", "library")
_MODEL, _PROJECTOR = "application/vnd.ollama.image.model", "application/vnd.ollama.image.projector"
_BLOB = re.compile(r"sha256-[0-9a-f]{64}|[0-9a-f]{40}|[0-9a-f]{64}")
_CACHED = re.compile(r"models--[^/]+--[^/]+")


HUB, STUDIO, OLLAMA, OWN = "Hugging Face", "LM Studio", "Ollama", "Your folder"


class Place(NamedTuple):
    """A folder in which models may lie, and whose it is."""

    tool: str
    folder: Path


class Stored(NamedTuple):
    """A file of another tool's under the name that tool has for it."""

    path: Path
    name: str  # "" where its own name is good
    projector: Path | None = None


class _Layer(BaseModel):
    mediaType: str = ""
    digest: str = ""


class _Manifest(BaseModel):
    layers: list[_Layer] = []


def is_blob(path: Path) -> bool:
    """Is the file called by its checksum, as stores do?"""
    return path.parent.name == "blobs" and _BLOB.fullmatch(path.name) is not None


def named(path: Path) -> Stored:
    """The file as its store names it: a link to it with a name, or a name for it."""
    for place in links.hops(path):
        if not is_blob(place):
            continue
        if place != path.absolute():
            return Stored(path, "")  # a link that has a name already
        for found in (*_linked_to(place), *_in_manifests(place.parent.parent)):
            if links.is_same(found.path, place):
                return found
    return Stored(path, "")


def _linked_to(blob: Path) -> Iterator[Stored]:
    """The names that the Hub's own tool has given to what lies in `blobs`."""
    for folder, names in links.walk(blob.parent.parent / "snapshots"):
        yield from (Stored(folder / name, "") for name in sorted(names))


def known_folders() -> list[Path]:
    """Where other tools keep models on this machine, as far as there are any."""
    folders = (place.folder for place in places())
    return [folder for folder in folders if links.is_folder(folder) and _has_models(folder)]


def _has_models(folder: Path) -> bool:
    with contextlib.suppress(BadInput):
        return next(each_in(folder, Bounds()), None) is not None
    return True  # more than is looked through


def places(own: Sequence[str] = ()) -> list[Place]:
    """Where models may lie, each folder once: those of other tools, then the owner's own."""
    found = [Place(tool, folder) for tool, usual in _TOOLS for folder in usual()]
    found += [Place(OWN, Path(folder)) for folder in own]
    once: dict[Path, Place] = {}
    for place in found:
        once.setdefault(place.folder, place)
    return [*once.values()]


def _hub_folders() -> Iterator[Path]:
    caches = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    hub_home = os.environ.get("HF_HOME") or f"{caches}/huggingface"
    yield from _expanded(os.environ.get("HF_HUB_CACHE") or f"{hub_home}/hub")


def _studio_folders() -> Iterator[Path]:
    """Its own home's, and the folder that was chosen in its settings."""
    homes = [*_expanded("~/.lmstudio"), *_expanded("~/.cache/lm-studio")]
    for pointer in _expanded("~/.lmstudio-home-pointer"):
        with contextlib.suppress(OSError, ValueError):
            homes += _expanded(pointer.read_text(encoding="utf-8").strip() or "~/.lmstudio")
    for home in dict.fromkeys(homes):
        yield home / "models"
        kept = read_json(home / "settings.json")
        chosen = kept.get("downloadsFolder") if isinstance(kept, dict) else None
        if isinstance(chosen, str) and Path(chosen).is_absolute():
            yield Path(chosen)


def _ollama_folders() -> Iterator[Path]:
    """The user's, and that of the service which its installer sets up on Linux."""
    yield from _expanded(os.environ.get("OLLAMA_MODELS") or "~/.ollama/models")
    yield settings().system_root / "usr/share/ollama/.ollama/models"


def _expanded(folder: str) -> list[Path]:
    with contextlib.suppress(RuntimeError):  # a user without home
        return [Path(folder).expanduser()]
    return []


_TOOLS = ((HUB, _hub_folders), (STUDIO, _studio_folders), (OLLAMA, _ollama_folders))


def models_in(folder: Path) -> list[Stored]:
    """The GGUF files below a folder, by what its tool calls them; of a cache, the newest."""
    return [*islice(each_in(folder, Bounds()), MOST_FILES)]


def each_in(folder: Path, bounds: Bounds) -> Iterator[Stored]:
    """The same one by one; BadInput where the bounds are reached."""
    store = folder if links.is_folder(folder / "manifests") else folder / "models"
    if links.is_folder(store / "manifests") and links.is_folder(store / "blobs"):
        yield from _in_manifests(store, bounds)
        return
    if links.is_folder(folder / "snapshots"):
        yield from _whole_files(_newest(folder), bounds)
        return
    cached: list[Path] = []
    try:
        cached = [one for one in sorted(folder.iterdir()) if _CACHED.fullmatch(one.name)]
    except OSError as error:
        bounds.note(error)
    for one in [_newest(each) for each in cached] or [folder]:
        yield from _whole_files(one, bounds)


def checkpoints_in(folder: Path, bounds: Bounds) -> int:
    """How many models of a cache of the Hub's tool are safetensors files, and no GGUF files."""
    found = 0
    with contextlib.suppress(OSError):
        for one in sorted(folder.glob("models--*--*")):
            bounds.step(folder)
            names = {path.suffix for path in _newest(one).iterdir()}
            found += ".safetensors" in names and ".gguf" not in names
    return found


def _newest(repository: Path) -> Path:
    """What `main` is in the Hub tool's cache; else the snapshot that came last."""
    snapshots = repository / "snapshots"
    with contextlib.suppress(OSError, ValueError):
        main = snapshots / (repository / "refs" / "main").read_text(encoding="utf-8").strip()
        if links.is_folder(main) and main != snapshots:
            return main
    with contextlib.suppress(OSError, ValueError):
        return max(snapshots.iterdir(), key=lambda one: one.stat().st_mtime)
    return snapshots


def _whole_files(folder: Path, bounds: Bounds) -> Iterator[Stored]:
    for place, names in links.walk(folder, bounds=bounds):
        good = sorted(name for name in names if name.lower().endswith(".gguf") and name[0] != ".")
        yield from (Stored(place / name, "") for name in good)


def _in_manifests(store: Path, bounds: Bounds | None = None) -> Iterator[Stored]:
    """What Ollama has, by its names."""
    root = store / "manifests"
    for folder, names in links.walk(root, bounds=bounds):
        for name in sorted(names):
            path = folder / name
            with contextlib.suppress(OSError, ValidationError):
                if path.stat().st_size <= LARGEST_MANIFEST:
                    manifest = _Manifest.model_validate_json(path.read_bytes())
                    yield from _stored(store, manifest, path.relative_to(root).parts)


def _stored(store: Path, manifest: _Manifest, parts: tuple[str, ...]) -> Iterator[Stored]:
    files = {layer.mediaType: _blob(store, layer.digest) for layer in reversed(manifest.layers)}
    model = files.get(_MODEL)
    if model and links.is_file(model):
        yield Stored(model, _ollama_name(parts), files.get(_PROJECTOR))


def _blob(store: Path, digest: str) -> Path | None:
    name = digest.replace(":", "-")
    return store / "blobs" / name if _BLOB.fullmatch(name) else None


def name_of_ollamas(name: str) -> str:
    """What a model of Ollama's is called here, by what Ollama itself calls it: `anvil:1b`."""
    return slug(name.rpartition("/")[2].replace(":", "-"))


def _ollama_name(parts: tuple[str, ...]) -> str:
    """`llama3.2-3b` for the library's, `Anvil-GGUF-Q4_K_M` for the Hub's."""
    return slug("-".join(parts[2:] if parts[:2] == LIBRARY else parts[-2:]))
