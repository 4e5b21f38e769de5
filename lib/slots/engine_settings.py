"""What this machine's administrator adds to every engine: /etc/berth/engine.toml.

    program = "/opt/vllm"                     # a vLLM that is here already
    max_num_seqs = 64                         # requests answered at the same time
    arguments = ["--dtype", "half"]           # after Berth's own, so they win
    environment = { NCCL_DEBUG = "WARN" }

It decides what root starts, so it has to be root's own; nothing from a request ever gets here. What
would open the engine to strangers is refused.
"""

import os
import re
import stat
import tomllib
from collections.abc import Mapping
from pathlib import Path

from pydantic import Field, ValidationError

from lib.core.errors import BadInput
from lib.core.names import shown
from lib.core.values import Frozen
from lib.engines.vllm.places import Places

FILE = "engine.toml"
_FORBIDDEN_ARGUMENTS = (
    "--trust-remote-code",
    "--api-key",
    "--host",
    "--port",
    "--uds",
    "--served-model-name",
    "--enable-log-requests",
    "--enable-prompt-embeds",
    "--allow-credentials",
    "--ssl-keyfile",
)
_FORBIDDEN_VARIABLES = (
    "VLLM_SERVER_DEV_MODE",
    "VLLM_API_KEY",
    "VLLM_ALLOW_INSECURE_SERIALIZATION",
    "PYTHONOPTIMIZE",
    "HF_TOKEN",
)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class EngineSettings(Frozen):
    """The file's content; all of it may be left away."""

    program: Path | None = None  # a virtual environment, or the folder above bin/vllm
    max_num_seqs: int | None = Field(default=None, ge=1, le=4096)
    arguments: tuple[str, ...] = ()
    environment: Mapping[str, str] = {}


def engine_settings(places: Places) -> EngineSettings:
    """As the file says now; BadInput where it may not be trusted or cannot be understood."""
    file = places.settings / FILE
    try:
        _require_roots(file, places)
        found = EngineSettings.model_validate(tomllib.loads(file.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return EngineSettings()
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, ValidationError) as error:
        raise BadInput(f"{file} cannot be understood: {_first(error)}.", "Correct it.") from error
    except OSError as error:
        raise BadInput(f"{file} cannot be read: {error.strerror}.", "Make it 0644.") from error
    _require_harmless(found, file)
    return found


def is_roots(facts: os.stat_result, root: Path) -> bool:
    """Can nobody but root change it? Below another root than `/`, its owner does not count."""
    is_open = facts.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return not is_open and (facts.st_uid == 0 or root != Path("/"))


def _require_roots(file: Path, places: Places) -> None:
    if not is_roots(file.stat(), places.root):
        raise BadInput(
            f"{file} can be changed by others than root, and it decides what root starts.",
            f"Run: sudo chown root {file} && sudo chmod 644 {file}",
        )


def _require_harmless(found: EngineSettings, file: Path) -> None:
    for word in found.arguments:
        name = word.partition("=")[0].replace("_", "-")
        # argparse takes beginnings of names too
        if len(name) > 3 and any(full.startswith(name) for full in _FORBIDDEN_ARGUMENTS):
            raise BadInput(f"{file} may not hold {shown(word)}.", "Remove it there.")
    for name in found.environment:
        if name in _FORBIDDEN_VARIABLES or not _NAME.fullmatch(name):
            raise BadInput(f"{file} may not set {shown(name)}.", "Remove it there.")


def _first(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    return str(error).rstrip(".")
