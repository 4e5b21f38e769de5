"""Where other tools keep their models: files named by checksums, whose names stand elsewhere.

The Hub's own tool has a folder for each repository: `snapshots` with links by name into `blobs`.
Ollama has one for all: `manifests` say by name which of the `blobs` are a model. LM Studio and the
rest keep files under their names.
"""

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel, ValidationError

from lib.core import links
from lib.core.errors import BadInput
from lib.core.names import slug

MOST_FILES = 2_000  # of a folder that somebody names; a disk of models has fewer
LARGEST_MANIFEST = 1_000_000
LIBRARY = ("registry.ollama.ai", "library")
_MODEL, _PROJECTOR = "application/vnd.ollama.image.model", "application/vnd.ollama.image.projector"
_BLOB = re.compile(r"sha256-[0-9a-f]{64}|[0-9a-f]{40}|[0-9a-f]{64}")
_CACHED = re.compile(r"models--[^/]+--[^/]+")


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
    return [folder for folder in _usual() if links.is_folder(folder) and _has_models(folder)]


def _has_models(folder: Path) -> bool:
    with contextlib.suppress(BadInput):
        return bool(models_in(folder))
    return True  # more than is looked through


def _usual() -> Iterator[Path]:
    caches = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    hub_home = os.environ.get("HF_HOME") or f"{caches}/huggingface"
    for folder in (
        os.environ.get("HF_HUB_CACHE") or f"{hub_home}/hub",
        "~/.lmstudio/models",
        "~/.cache/lm-studio/models",
        os.environ.get("OLLAMA_MODELS") or "~/.ollama/models",
    ):
        with contextlib.suppress(RuntimeError):  # a user without home
            yield Path(folder).expanduser()


def models_in(folder: Path) -> list[Stored]:
    """The GGUF files below a folder, by what its tool calls them; of a cache, the newest."""
    store = folder if links.is_folder(folder / "manifests") else folder / "models"
    if links.is_folder(store / "manifests") and links.is_folder(store / "blobs"):
        return [*_in_manifests(store)]
    if links.is_folder(folder / "snapshots"):
        return _whole_files(_newest(folder))
    with contextlib.suppress(OSError):
        cached = [one for one in sorted(folder.iterdir()) if _CACHED.fullmatch(one.name)]
        if cached:
            return [file for one in cached for file in _whole_files(_newest(one))]
    return _whole_files(folder)


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


def _whole_files(folder: Path) -> list[Stored]:
    found = []
    for place, names in links.walk(folder, is_bounded=True):
        good = sorted(name for name in names if name.lower().endswith(".gguf") and name[0] != ".")
        found += [Stored(place / name, "") for name in good]
        if len(found) > MOST_FILES:
            break
    return found[:MOST_FILES]


def _in_manifests(store: Path) -> Iterator[Stored]:
    """What Ollama has, by its names."""
    root = store / "manifests"
    for folder, names in links.walk(root):
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


def _ollama_name(parts: tuple[str, ...]) -> str:
    """`llama3.2-3b` for the library's, `Anvil-GGUF-Q4_K_M` for the Hub's."""
    return slug("-".join(parts[2:] if parts[:2] == LIBRARY else parts[-2:]))
