"""Models laid out on the disk as other tools keep them."""

import hashlib
import json
from pathlib import Path

from tests.support.tiny_gguf import write_tiny
from tests.support.tiny_projector import write_projector

COMMIT = "5f7d391f979fd31996759f258a2285d295e1e005"


def hub_cache(
    root: Path, repository: str, name: str, *, parts: int = 1, projector: bool = False
) -> list[Path]:
    """A model in the cache of the Hub's own tool; the links by name, the model's first."""
    folder = root / f"models--{repository.replace('/', '--')}"
    blobs, snapshot = folder / "blobs", folder / "snapshots" / COMMIT
    for one in (blobs, snapshot, folder / "refs"):
        one.mkdir(parents=True, exist_ok=True)
    (folder / "refs" / "main").write_text(COMMIT)
    made = write_tiny(folder / name, parts=parts)
    made += [write_projector(folder / "mmproj-F16.gguf")] if projector else []
    found = []
    for file in made:
        digest = hashlib.sha256(file.read_bytes() + file.name.encode()).hexdigest()
        file.rename(blobs / digest)
        link = snapshot / file.name
        link.symlink_to(f"../../blobs/{digest}")
        found.append(link)
    return found


def ollama_store(root: Path, name: str, *, projector: bool = False) -> Path:
    """A model in Ollama's store under a name such as `registry.ollama.ai/library/anvil/1b`."""
    blobs, manifest = root / "blobs", root / "manifests" / name
    blobs.mkdir(parents=True, exist_ok=True)
    manifest.parent.mkdir(parents=True, exist_ok=True)
    [file] = write_tiny(root / "new.gguf")
    model = _blob(blobs, file)
    layers = [{"mediaType": "application/vnd.ollama.image.model", "digest": model[1]}]
    if projector:
        seeing = _blob(blobs, write_projector(root / "new.gguf"))
        kind = "application/vnd.ollama.image.projector"
        layers.append({"mediaType": kind, "digest": seeing[1]})
    manifest.write_text(json.dumps({"schemaVersion": 2, "layers": layers}))
    return model[0]


def _blob(blobs: Path, file: Path) -> tuple[Path, str]:
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    place = blobs / f"sha256-{digest}"
    file.rename(place)
    return place, f"sha256:{digest}"


def studio(root: Path, repository: str, *names: str) -> Path:
    """A model in LM Studio's folder, with its projector."""
    folder = root / repository
    for name in names:
        write_tiny(folder / name)
    write_projector(folder / "mmproj-model-f16.gguf")
    return folder


def listing(root: Path) -> dict[str, tuple[object, ...]]:
    """All that lies below a folder, byte for byte, with what the system tells of each file."""
    found: dict[str, tuple[object, ...]] = {}
    for path in sorted(root.rglob("*")):
        stat = path.lstat()
        what: object = None
        if path.is_symlink():
            what = str(path.readlink())
        elif path.is_file():
            what = hashlib.sha256(path.read_bytes()).hexdigest()
        told = (stat.st_mode, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)
        found[str(path.relative_to(root))] = (*told, what)
    return found
