"""How models get into Ollama's store: pulled by Ollama itself, or handed over from a file here."""

import contextlib
import hashlib
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from lib.core.errors import BadInput, BrokenFile
from lib.core.names import model_name, shown
from lib.core.values import Frozen
from lib.engines.base import StartOptions
from lib.engines.llamacpp.projector import usable_projector
from lib.engines.ollama import api
from lib.fit import gguf

SILENCE_SECONDS = 1_800.0  # while Ollama checks a large file, it says nothing
REGISTRIES = ("hf.co", "huggingface.co", "registry.ollama.ai")
PIECE_BYTES = 2**20

_PARAMETER = re.compile(r"^(\w+) +(\S+)$", re.MULTILINE)


class Progress(Frozen):
    """How far a pull or a creation is. Neither number ever goes back."""

    note: str  # what is done now, in Ollama's own words
    done_bytes: int = 0
    total_bytes: int = 0  # of the layers seen so far


Listener = Callable[[Progress], None]


def pull(name: str, progress: Listener, silence_seconds: float) -> None:
    """Download a model from Ollama's library or the Hub; BadInput where the name means neither."""
    check_source(name)
    _follow("/api/pull", {"model": name}, progress, silence_seconds)


def create_from_file(path: Path, name: str, progress: Listener, silence_seconds: float) -> None:
    """Hand over a GGUF file, of a divided model all its parts, and make a model of it.

    The projector beside it goes too. BrokenFile where the file is none, or a part is missing.
    """
    named = _files(path)
    try:
        total = 2 * sum(file.stat().st_size for file in named.values())
        files: dict[str, str] = {}
        done = 0
        for key, file in named.items():
            files[key] = _hand_over(file, progress, (done, total), silence_seconds)
            done += 2 * file.stat().st_size
    except OSError as error:
        raise BrokenFile(
            f"“{shown(path.name)}” cannot be read: {error.strerror or error}.",
            "Choose another file.",
        ) from error
    body = {"model": name, "files": files}
    everything = {"done_bytes": total, "total_bytes": total}
    _follow(
        "/api/create", body, lambda p: progress(p.model_copy(update=everything)), silence_seconds
    )


def _files(path: Path) -> dict[str, Path]:
    """What belongs to a model, by the names that Ollama is told: it joins parts by theirs."""
    parts = gguf.shard_paths(path)
    model = {part.name: part for part in parts} if len(parts) > 1 else {"model.gguf": path}
    projector = usable_projector(path)
    return {**model, "mmproj.gguf": projector} if projector else model


def keep_settings(model: str, about: api.Shown, options: StartOptions) -> None:
    """Write context and threads into the model, where they were chosen and are not there yet.

    Ollama loads a model anew for every request that names other settings than it was loaded with,
    and a request to `/v1` can name none: it would fall back to the default context. Written into
    the model, they hold for everybody.
    """
    chosen = {"num_ctx": options.context, "num_thread": options.threads}
    kept = dict(_PARAMETER.findall(about.parameters))
    new = {name: value for name, value in chosen.items() if value and kept.get(name) != str(value)}
    if new:
        body = {"model": model, "from": model, "parameters": new}
        _follow("/api/create", body, lambda _: None, SILENCE_SECONDS)


def summed(steps: Iterable[api.Step]) -> Iterator[Progress]:
    """The steps of single layers as progress of the whole.

    A layer that is fetched anew counts from nothing again, so its largest number is what counts;
    the last line before the success may be short of the total.
    """
    done: dict[str, int] = {}
    total: dict[str, int] = {}
    for step in steps:
        if step.digest:
            done[step.digest] = max(done.get(step.digest, 0), step.completed)
            total[step.digest] = max(total.get(step.digest, 0), step.total)
        if step.status == "success":
            done = total
        note = shown(step.status)
        yield Progress(note=note, done_bytes=sum(done.values()), total_bytes=sum(total.values()))


def _follow(path: str, body: object, progress: Listener, silence_seconds: float) -> None:
    """Do it to its end, and tell how far it is; a listener that raises ends it."""
    with contextlib.closing(api.steps(path, body, silence_seconds)) as steps:
        for told in summed(steps):
            progress(told)


def check_source(name: str) -> None:
    """BadInput where a name would make Ollama fetch from elsewhere, or run the model elsewhere."""
    parts = model_name(name).split("/")
    if len(parts) > 2 and parts[0].casefold() not in REGISTRIES:
        raise BadInput(
            f"Models are not pulled from “{shown(parts[0])}”.",
            "Name a model of Ollama's library or a repository on the Hub: hf.co/organisation/name.",
        )
    if re.search(r"[:-]cloud$", name, re.IGNORECASE):
        raise BadInput(
            f"“{shown(name)}” would run on Ollama's own servers.",
            "Choose a tag without cloud, which runs on this machine.",
        )


def _hand_over(
    path: Path, progress: Listener, place: tuple[int, int], silence_seconds: float
) -> str:
    """Put the file among Ollama's blobs, if it is not there yet; its digest.

    `place` is how much came before it, and how much there is in all.
    """
    done, total = place
    checksum = hashlib.sha256()
    for piece in _pieces(path, progress, "reading the file", done, total):
        checksum.update(piece)
    digest = f"sha256:{checksum.hexdigest()}"
    blob = f"/api/blobs/{digest}"
    if not api.has(blob):
        done += path.stat().st_size
        api.upload(blob, _pieces(path, progress, "copying the file", done, total), silence_seconds)
    return digest


def _pieces(path: Path, progress: Listener, note: str, done: int, total: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(PIECE_BYTES):
            yield piece
            done += len(piece)
            progress(Progress(note=note, done_bytes=done, total_bytes=total))
