"""A small model that guesses ahead for a large one: it writes the same, and often faster."""

import re
from pathlib import Path

from lib.core.errors import NotFound
from lib.core.files import tail
from lib.core.names import shown
from lib.engines.base import StartOptions
from lib.engines.llamacpp import files
from lib.engines.llamacpp.files import ModelFile
from lib.fit import gguf
from lib.fit.architecture import geometry
from lib.fit.kinds import Task
from lib.fit.memory import PROCESS_BYTES, Load, need

LARGEST_SHARE = 0.5  # of the large one's size: one that is hardly smaller only costs
# llama.cpp of 2026-10 goes on without a draft model that it refuses, and says so in its log alone.
_REFUSED = re.compile(r"failed to initialize speculative decoding context: (.+)$", re.MULTILINE)


def draft_of(options: StartOptions) -> ModelFile | None:
    """The one that was chosen; None for none, NotFound where it is gone."""
    if not options.draft:
        return None
    try:
        return files.find(options.draft)
    except NotFound as error:
        raise NotFound(
            f"The draft model “{shown(options.draft)}” is not here any more.",
            "Choose other settings for this model, or deploy it again.",
        ) from error


def candidates(file: ModelFile) -> list[str]:
    """Models of the same family that are much smaller: likely to know the same words."""
    if file.task != Task.WRITING:
        return []
    return [
        other.name
        for other in files.all_files()
        if other.architecture == file.architecture
        and other.task == Task.WRITING
        and not other.problem
        and other.size_bytes <= LARGEST_SHARE * file.size_bytes
    ]


def needed_bytes(draft: ModelFile, load: Load) -> int:
    """Beside the large model: its weights, and a cache as long as the large one's."""
    beside = load.model_copy(update={"prompt_cache_bytes": 0, "projector": None})
    return need(geometry(gguf.read_model(draft.full_path)), beside).total - PROCESS_BYTES


def refusal(log: Path) -> str:
    """Why the engine runs without the one that was chosen; "" where it does not say so."""
    found = _REFUSED.findall(tail(log, 65_536))
    return f"It runs without the draft model: {shown(found[-1], 200)}." if found else ""
