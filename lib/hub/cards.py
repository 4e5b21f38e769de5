"""What the Hub tells about a repository, checked where it comes in.

Names, paths and checksums become files and addresses later, so each must have its form. What
authors write into their cards (licence, base model) may be anything, and is only read.
"""

import contextlib
from collections.abc import Iterable
from datetime import datetime
from functools import cached_property
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeInt,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from lib.core.errors import BadInput
from lib.core.names import file_path, repo_name, shown
from lib.core.settings import settings
from lib.fit import kinds
from lib.fit.file_names import Variant, best_projector, variants
from lib.hub.errors import DISABLED, Answer, Asked, FileMissing, failure, unreadable

Gated = Literal["auto", "manual", False]


class RepoFile(BaseModel):
    """A file in a repository; only those in large-file storage, as all weights are, have a sum."""

    model_config = ConfigDict(frozen=True)

    path: str
    bytes: int
    sha256: str = ""


class Found(BaseModel):
    """A repository as a list of them shows it."""

    model_config = ConfigDict(frozen=True)

    id: str
    downloads: int  # in the last 30 days
    likes: int
    gated: Gated  # access by itself on accepting terms, by the author's hand, or for all
    licence: str  # "" where none is named
    tags: tuple[str, ...]
    base_models: tuple[str, ...]  # that it declares
    architecture: str  # "" where not known
    parameters: int | None
    context_length: int | None  # tokens the model was trained for; only GGUF files tell
    last_modified: datetime | None

    @property
    def url(self) -> str:
        """Its page on the Hub."""
        return f"{settings().hf_endpoint}/{self.id}"


class Card(Found):
    """A repository at one commit, with its files."""

    sha: str  # the commit
    author: str
    is_private: bool
    files: tuple[RepoFile, ...]
    checked_at: float  # epoch seconds: when the Hub said so
    is_stale: bool = False  # the Hub could not be asked again

    @property
    def is_described(self) -> bool:
        """Does the Hub tell what kind of model it is and how large?"""
        return bool(self.architecture and self.parameters)

    def described(self, architecture: str, parameters: int, context_length: int | None) -> "Card":
        """The same with what a model's own header tells, where the Hub tells nothing of it."""
        own = {
            "architecture": self.architecture or architecture,
            "parameters": self.parameters or parameters,
            "context_length": self.context_length or context_length,
        }
        return self.model_copy(update=own)

    @cached_property
    def variants(self) -> tuple[Variant, ...]:
        """The complete GGUF models among the files, best first."""
        return tuple(variants((file.path, file.bytes) for file in self.files))

    @property
    def beside(self) -> tuple[RepoFile, ...]:
        """GGUF files that are no complete model: projectors, drafts, adapters, lone parts."""
        used = {path for variant in self.variants for path in variant.paths}
        ggufs = (file for file in self.files if file.path.lower().endswith(".gguf"))
        return tuple(file for file in ggufs if file.path not in used)

    def projector(self, variant: Variant) -> RepoFile | None:
        """The file that lets this variant see: beside it or in a folder above; None for none."""
        model = PurePosixPath(variant.paths[0])
        for folder in model.parents:
            near = [f for f in self.files if PurePosixPath(f.path).parent == folder]
            if best := best_projector(model.name, ((f.path, f.bytes) for f in near)):
                return self.file(best[0])
        return None

    def file(self, path: str) -> RepoFile:
        """The file of this path, or FileMissing."""
        for file in self.files:
            if file.path == path:
                return file
        raise FileMissing(
            f"{self.id} has no file “{shown(path)}”.", "Look the repository up again."
        )


def read_card(text: str | bytes, asked: Asked, checked_at: float) -> Card:
    """The card in an answer about one repository; HubUnreadable, RepositoryDisabled."""
    try:
        model = _Model.model_validate_json(text)
        repo_name(model.id)
    except (ValidationError, BadInput) as error:
        raise unreadable() from error
    if model.disabled:
        raise failure(Answer(403, {"X-Error-Message": DISABLED}, b""), asked)
    return Card(
        **_found(model),
        sha=model.sha,
        author=model.author or model.id.partition("/")[0],
        is_private=model.private,
        files=tuple(_files(model.siblings)),
        checked_at=checked_at,
    )


def read_list(text: str | bytes) -> list[Found]:
    """The repositories in an answer to a search, without those whose name is of no known form."""
    try:
        rows = _ROWS.validate_json(text)
    except ValidationError as error:
        raise unreadable() from error
    found = []
    for row in rows:
        with contextlib.suppress(BadInput):
            repo_name(row.id)
            found.append(Found(**_found(row)))
    return found


class _Answered(BaseModel):
    """What the Hub sends; a null is as good as nothing."""

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        return {name: value for name, value in data.items() if value is not None}


class _Lfs(BaseModel):
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    size: NonNegativeInt


class _Sibling(BaseModel):  # of which a repository may have thousands
    rfilename: str
    size: NonNegativeInt
    lfs: _Lfs | None = None


class _Facts(_Answered):
    """Of `gguf`, which describes one file of the repository, or of `safetensors`."""

    total: int = 0
    architecture: str = ""
    context_length: int = 0


class _Row(_Answered):
    id: str
    downloads: int = 0
    likes: int = 0
    gated: Gated = False
    tags: list[str] = []
    card: dict[str, Any] = Field(default={}, alias="cardData")
    config: dict[str, Any] = {}
    gguf: _Facts = _Facts()
    safetensors: _Facts = _Facts()
    last_modified: datetime | None = Field(default=None, alias="lastModified")


class _Model(_Row):
    sha: Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]
    author: str = ""
    private: bool = False
    disabled: bool = False
    siblings: list[_Sibling] = []


_ROWS = TypeAdapter(list[_Row])
_TELLING = (kinds.Kind.MODEL, kinds.Kind.NOTHING)  # the latter where it tells no architecture


def _found(row: _Row) -> dict[str, Any]:
    """The fields of Found; what the Hub tells of a projector is not told of the model beside it."""
    is_of_model = kinds.kind({"general.architecture": row.gguf.architecture}, None) in _TELLING
    described = row.gguf if is_of_model else _Facts()
    return {
        "id": row.id,
        "downloads": row.downloads,
        "likes": row.likes,
        "gated": row.gated,
        "licence": _licence(row),
        "tags": tuple(row.tags),
        "base_models": tuple(_base_models(row)),
        "architecture": described.architecture or _text(row.config.get("model_type")),
        "parameters": row.safetensors.total or described.total or None,
        "context_length": described.context_length or None,
        "last_modified": row.last_modified,
    }


def _files(siblings: Iterable[_Sibling]) -> Iterable[RepoFile]:
    """The files, without any whose path could not be kept below one folder."""
    for sibling in siblings:
        with contextlib.suppress(BadInput):
            path = file_path(sibling.rfilename)
            if sibling.lfs:
                yield RepoFile(path=path, bytes=sibling.lfs.size, sha256=sibling.lfs.sha256)
            else:
                yield RepoFile(path=path, bytes=sibling.size)


def _licence(row: _Row) -> str:
    tagged = (tag.removeprefix("license:") for tag in row.tags if tag.startswith("license:"))
    named = _text(row.card.get("license")) or next(tagged, "")
    return _text(row.card.get("license_name")) or named if named == "other" else shown(named)


def _base_models(row: _Row) -> list[str]:
    """From the card, and from tags as `base_model:X` and `base_model:quantized:X`."""
    declared = row.card.get("base_model")
    names = [_text(name) for name in (declared if isinstance(declared, list) else [declared])]
    names += [tag.rpartition(":")[2] for tag in row.tags if tag.startswith("base_model:")]
    return [name for name in dict.fromkeys(names) if "/" in name]


def _text(value: Any) -> str:
    """A line that some author wrote, fit to be shown."""
    return shown(value, 100) if isinstance(value, str) else ""
