"""What somebody wishes to deploy, checked once."""

import unicodedata
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, ValidationError

from lib.core.errors import BadInput
from lib.core.names import repo_name, shown
from lib.core.settings import ROOT
from lib.core.values import Frozen
from lib.fit.quantizations import BITS_PER_WEIGHT

SCRIPT = ROOT / "deploy_cpu.sh"
LONGEST_PATH = 1_000

EngineWish = Literal["auto", "ollama", "llamacpp"]


def model_reference(text: str) -> str:
    """`organisation/name`, or the absolute path of a .gguf file; BadInput for anything else."""
    return _file(text) if text.startswith("/") else repo_name(text)


def _file(text: str) -> str:
    is_visible = all(unicodedata.category(character)[0] != "C" for character in text)
    if len(text) > LONGEST_PATH or not is_visible or not text.lower().endswith(".gguf"):
        raise BadInput(
            f"“{shown(text)}” is not the path of a GGUF file.",
            "Give the whole path of a file whose name ends in .gguf.",
        )
    return text


def quantization_name(text: str) -> str:
    """A known quantization in capitals, or "" for the best that fits; BadInput for others."""
    name = text.strip().upper()
    if name and name not in BITS_PER_WEIGHT:
        raise BadInput(
            f"“{shown(text)}” is not a quantization.", "Use one such as Q4_K_M, Q6_K or Q8_0."
        )
    return name


class DeployRequest(Frozen):
    """A model and how to run it; what is not given is chosen for this machine."""

    model: Annotated[str, AfterValidator(model_reference)]
    quantization: Annotated[str, AfterValidator(quantization_name)] = ""
    context: int | None = Field(default=None, ge=256, le=10_485_760)  # tokens per slot
    slots: int = Field(default=1, ge=1, le=64)  # requests answered at the same time
    engine: EngineWish = "auto"
    accept_danger: bool = False  # use 80 to 95 % of the free memory

    @property
    def is_file(self) -> bool:
        """A file of this machine, not a repository."""
        return self.model.startswith("/")

    @property
    def title(self) -> str:
        """The job's title."""
        name = Path(self.model).stem if self.is_file else self.model.partition("/")[2]
        return f"Deploy {name} ({self.quantization})" if self.quantization else f"Deploy {name}"

    @property
    def resource(self) -> str:
        """What no two deployments may work on at the same time."""
        return f"deploy:{self.model}:{self.quantization}"

    def command(self) -> list[str]:
        """The script with its arguments, as a list; it never asks."""
        command = ["bash", str(SCRIPT), self.model, "--foreground", "--yes"]
        command += ["--engine", self.engine, "--slots", str(self.slots)]
        command += ["--quant", self.quantization] if self.quantization else []
        command += ["--context", str(self.context)] if self.context else []
        return [*command, "--accept-danger"] if self.accept_danger else command


def wished(**fields: Any) -> DeployRequest:
    """The request of these fields; BadInput names the one that is wrong."""
    try:
        return DeployRequest(**fields)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        raise BadInput(f"{first['loc'][0]}: {first['msg']}.", "Choose another value.") from error
