"""What somebody wishes to deploy, checked once."""

import unicodedata
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal
from urllib.parse import unquote

from pydantic import AfterValidator, Field, ValidationError, model_validator

from lib import hub
from lib.core import links
from lib.core.errors import BadInput
from lib.core.names import file_path, repo_name, revision_name, shown
from lib.core.settings import ROOT
from lib.core.values import Frozen
from lib.engines.base import KvType
from lib.engines.llamacpp import stores
from lib.fit.quantizations import quality
from lib.fit.storage_names import GGUF, quantization_of

SCRIPT = ROOT / "deploy_cpu.sh"
LONGEST_PATH = 1_000
LONGEST_NAME = 200
MAIN = "main"
LOCAL = "file://"

EngineWish = Literal["auto", "ollama", "llamacpp"]


def model_reference(text: str) -> str:
    """`organisation/name`, or the whole path of a .gguf file or a folder; BadInput for others."""
    return _file(text) if text.startswith("/") else repo_name(text)


def _file(text: str) -> str:
    is_good = len(text) <= LONGEST_PATH and _is_visible(text)
    if not is_good or not (text.lower().endswith(GGUF) or _is_store(Path(text))):
        raise BadInput(
            f"“{shown(text)}” is not the path of a GGUF file.",
            "Give the whole path of a file whose name ends in .gguf, or of a folder with some.",
        )
    return text


def _is_store(path: Path) -> bool:
    """A folder, or a file as the stores of other tools name it."""
    return links.is_folder(path) or stores.is_blob(path)


def _is_visible(text: str) -> bool:
    return all(unicodedata.category(character)[0] != "C" for character in text)


def quantization_name(text: str) -> str:
    """What a file is called in its list: a known quantization in capitals, others as they are.

    "" means the best that fits. BadInput for what can be no name.
    """
    name = text.strip()
    if len(name) > LONGEST_NAME or not _is_visible(name) or "\\" in name or name[:1] in ("-", "/"):
        raise BadInput(
            f"“{shown(text)}” is not a quantization.",
            "Use one such as Q4_K_M, Q6_K or Q8_0, or a name from the list of the files.",
        )
    return name.upper() if quality(name.upper()) else name


def _path_or_nothing(text: str) -> str:
    return file_path(text) if text else ""


class DeployRequest(Frozen):
    """A model and how to run it; what is not given is chosen for this machine.

    `model` may be whatever names one: what it says about file, revision and quantization is kept.
    """

    model: Annotated[str, AfterValidator(model_reference)]
    quantization: Annotated[str, AfterValidator(quantization_name)] = ""
    file: Annotated[str, AfterValidator(_path_or_nothing)] = ""  # in the repository; or a folder
    revision: Annotated[str, AfterValidator(revision_name)] = MAIN
    context: int | None = Field(default=None, ge=256, le=10_485_760)  # tokens per slot
    slots: int = Field(default=1, ge=1, le=64)  # requests answered at the same time
    kv_type: KvType = "f16"  # how the cache of a conversation is stored
    engine: EngineWish = "auto"
    accept_danger: bool = False  # use 80 to 95 % of the free memory

    @model_validator(mode="before")
    @classmethod
    def _understood(cls, given: Any) -> Any:
        """With what the model's own text says, where that is more than its name."""
        text = given.get("model") if isinstance(given, dict) else None
        if isinstance(text, str) and text.startswith(LOCAL):
            return {**given, "model": unquote(text.removeprefix(LOCAL))}
        if not isinstance(text, str) or text.startswith("/"):
            return given
        told = hub.parse_reference(text)
        if not told.repo:
            return {**given, "model": repo_name(text)}
        said = {"quantization": told.quantization, "file": told.path, "revision": told.revision}
        if told.path:
            said["quantization"] = ""
        return {**given, "model": told.repo, **_agreed(given, said)}

    @property
    def is_file(self) -> bool:
        """A file of this machine, not a repository."""
        return self.model.startswith("/")

    @property
    def wish(self) -> str:
        """What of the repository was asked for; "" for the best that fits."""
        return PurePosixPath(self.file).name or self.quantization

    @property
    def title(self) -> str:
        """The job's title."""
        name = Path(self.model).stem if self.is_file else self.model.partition("/")[2]
        return f"Deploy {name} ({self.wish})" if self.wish else f"Deploy {name}"

    @property
    def resource(self) -> str:
        """What no two deployments may work on at the same time."""
        what = f"deploy:{self.model}:{self.file or self.quantization}"
        return what if self.revision == MAIN else f"{what}@{self.revision}"

    def command(self) -> list[str]:
        """The script with its arguments, as a list; it never asks."""
        command = ["bash", str(SCRIPT), self.model, "--foreground", "--yes"]
        command += ["--engine", self.engine, "--slots", str(self.slots)]
        command += ["--quant", self.quantization] if self.quantization else []
        command += ["--file", self.file] if self.file else []
        command += ["--revision", self.revision] if self.revision != MAIN else []
        command += ["--context", str(self.context)] if self.context else []
        command += ["--kv-type", self.kv_type] if self.kv_type != "f16" else []
        return [*command, "--accept-danger"] if self.accept_danger else command


def _agreed(given: dict[str, Any], said: dict[str, str]) -> dict[str, Any]:
    """What was given in fields of its own with what the text says; BadInput where they differ."""
    agreed = {}
    for name, told in said.items():
        asked = given.get(name) or ""
        if name == "revision":
            asked, told = asked if asked != MAIN else "", told if told != MAIN else ""
        if asked and told and str(asked).casefold() != told.casefold():
            raise _disagree(str(asked), told)
        agreed[name] = asked or told or (MAIN if name == "revision" else "")
    wish = str(agreed["quantization"])
    if agreed["file"] and wish and quantization_of(str(agreed["file"])) != wish.upper():
        raise _disagree(wish, str(agreed["file"]))
    return agreed


def _disagree(one: str, other: str) -> BadInput:
    return BadInput(f"Is it “{shown(one)}” or “{shown(other)}”?", "Name one of them.")


def wished(**fields: Any) -> DeployRequest:
    """The request of these fields; BadInput names the one that is wrong."""
    try:
        return DeployRequest(**fields)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = f"{first['loc'][0]}: " if first["loc"] else ""
        raise BadInput(f"{where}{first['msg']}.", "Choose another value.") from error
