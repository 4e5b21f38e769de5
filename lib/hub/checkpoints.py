"""What a safetensors repository on the Hub, or in a folder, needs on graphics cards.

Few questions are asked and none twice: the repository's card, its configurations, and the beginning
of each weights file, several at a time. What a refusal rests on is asked for first.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from lib.core.errors import BadInput
from lib.core.names import shown
from lib.core.values import Frozen
from lib.fit import safetensors, tensor_sums
from lib.fit.checkpoint import EXTRA_CONFIGS, Checkpoint, check_servable, read_checkpoint
from lib.fit.checkpoint_files import CONFIG, INDEX, ModelFiles, model_files, needs_index
from lib.fit.model_config import LONGEST, ModelConfig, read_object
from lib.fit.tensor_sums import Sums
from lib.fit.weight_formats import quantization_of
from lib.hub import cache
from lib.hub.api import ask, file_address
from lib.hub.cards import Card, RepoFile
from lib.hub.errors import Asked
from lib.hub.lookups import look_up
from lib.hub.pieces import Pieces

AT_ONCE = 6
LATER_BYTES = 16 * 2**20  # the rest of a header, whose length its first bytes tell
LONGEST_INDEX = 32 * 2**20
PARTS_VERSION = 1  # of the rules by which tensors are told apart: sums kept by others are not used

_In = TypeVar("_In")
_Out = TypeVar("_Out")
Configs = Mapping[str, Mapping[str, Any]]


class HubCheckpoint(Frozen):
    """A checkpoint on the Hub at one commit, and what has to be fetched to serve it."""

    repo: str
    sha: str
    checkpoint: Checkpoint
    files: tuple[RepoFile, ...]  # the small ones first
    is_stale: bool  # the Hub could not be asked whether there is a newer commit

    @property
    def bytes(self) -> int:
        """What has to be fetched in all."""
        return sum(file.bytes for file in self.files)


class LocalCheckpoint(Frozen):
    """A checkpoint in a folder on disk."""

    folder: Path
    checkpoint: Checkpoint
    paths: tuple[str, ...]


def checkpoint(repo: str, revision: str = "main") -> HubCheckpoint:
    """The checkpoint at a branch, tag or commit, without fetching its weights.

    Errors: BadInput where vLLM cannot serve it, BrokenFile, and those of lib/hub/errors.py.
    """
    return checkpoint_of(look_up(repo, revision))


def checkpoint_of(card: Card) -> HubCheckpoint:
    """The same for a repository that has been looked up."""
    paths = [file.path for file in card.files]
    index = _config(card, INDEX, LONGEST_INDEX) if needs_index(paths) else None
    files = _from_base(card, lambda: model_files(paths, index))
    configs = _configs(files, lambda path: _config(card, path))
    layers = _checked_layers(configs)
    sums = _at_once(lambda path: _sums(card, card.file(path), layers), files.weights)
    return HubCheckpoint(
        repo=card.id,
        sha=card.sha,
        checkpoint=read_checkpoint(configs[CONFIG], tensor_sums.total(sums), configs),
        files=tuple(card.file(path) for path in files.paths),
        is_stale=card.is_stale,
    )


def local_checkpoint(folder: Path) -> LocalCheckpoint:
    """The checkpoint in a folder on disk; BadInput or BrokenFile where there is none."""
    try:
        paths = sorted(str(path.relative_to(folder)) for path in _files_in(folder))
    except OSError as error:
        raise BadInput(
            f"“{shown(str(folder))}” cannot be read: {error.strerror}.", "Check the path."
        ) from error
    index = _local_config(folder, INDEX, LONGEST_INDEX) if needs_index(paths) else None
    files = model_files(paths, index)
    configs = _configs(files, lambda path: _local_config(folder, path))
    layers = _checked_layers(configs)
    sums = [
        tensor_sums.summed(safetensors.read_file(folder / path).tensors, layers)
        for path in files.weights
    ]
    found = read_checkpoint(configs[CONFIG], tensor_sums.total(sums), configs)
    return LocalCheckpoint(folder=folder, checkpoint=found, paths=files.paths)


def _files_in(folder: Path) -> Iterable[Path]:
    """The files at the top, where all that a model consists of lies, and its chat templates."""
    if not folder.is_dir():
        raise BadInput(f"There is no folder “{shown(str(folder))}”.", "Check the path.")
    inside = [folder, folder / "additional_chat_templates"]
    return [
        path for place in inside if place.is_dir() for path in place.iterdir() if path.is_file()
    ]


def _from_base(card: Card, choose: Callable[[], ModelFiles]) -> ModelFiles:
    """The files; where they are no model for vLLM, what the repository was made of is named."""
    try:
        return choose()
    except BadInput as error:
        if not card.base_models:
            raise
        made_of = shown(card.base_models[0], 100)
        raise BadInput(
            error.message, f"{error.fix} It says that it was made of {made_of}."
        ) from error


def _configs(files: ModelFiles, read: Callable[[str], dict[str, Any]]) -> Configs:
    """config.json and those beside it that there are, by their names."""
    names = [name for name in (CONFIG, *EXTRA_CONFIGS) if name in files.beside]
    return dict(zip(names, _at_once(read, names), strict=True))


def _checked_layers(configs: Configs) -> int:
    """The number of layers; BadInput where it is clear already that vLLM cannot serve it."""
    config = ModelConfig(configs[CONFIG])
    check_servable(config)
    quantization_of(config, configs)
    return config.layers


def _config(card: Card, path: str, longest: int = LONGEST) -> dict[str, Any]:
    """A JSON file of the repository, kept on disk: at one commit it never changes."""
    asked = Asked(card.id, card.sha, path)
    question = f"file {asked.repo} {asked.revision} {asked.path}"
    kept = cache.read(question)
    text = kept.text if kept else _text(asked, longest)
    found = read_object(text, f"“{shown(path)}”", longest)
    if kept is None:
        cache.write(question, text)
    return found


def _text(asked: Asked, longest: int) -> str:
    answer = ask(file_address(*asked), asked, limit_bytes=longest + 1)
    return answer.body.decode("utf-8", "replace")


def _local_config(folder: Path, path: str, longest: int = LONGEST) -> dict[str, Any]:
    with (folder / path).open("rb") as file:
        return read_object(file.read(longest + 1), f"“{shown(path)}”", longest)


def _sums(card: Card, file: RepoFile, layers: int) -> Sums:
    """The sums of one weights file, kept on disk by its checksum."""
    name = file.sha256 or f"{card.id} {card.sha} {file.path}"
    question = f"safetensors {PARTS_VERSION} {layers} {name}"
    kept = cache.read(question)
    if kept:
        try:
            return Sums.model_validate_json(kept.text)
        except ValidationError:
            pass  # written by another version, or broken
    found = tensor_sums.summed(_tensors(card, file), layers)
    cache.write(question, found.model_dump_json())
    return found


def _tensors(card: Card, file: RepoFile) -> tuple[safetensors.Tensor, ...]:
    source = Pieces(card, file, safetensors.FIRST_READ, LATER_BYTES)
    name = f"“{shown(file.path)}”"
    found = safetensors.read_header(source.more, name)
    safetensors.check_size(found, file.bytes, name)
    return found.tensors


def _at_once(work: Callable[[_In], _Out], items: Sequence[_In]) -> list[_Out]:
    """The results in order, some made at a time; the first failure ends what has not begun."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        under_way = [pool.submit(work, item) for item in items]
        try:
            return [one.result() for one in under_way]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
