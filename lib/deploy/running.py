"""The same model where it runs already: deploying it again takes its place."""

from pathlib import Path

from lib.deploy.source import Source
from lib.engines import all_models
from lib.engines.base import State
from lib.fit.file_names import Variant
from lib.fit.storage_names import GGUF

ALIKE = 0.01  # of the size: what Ollama stores beside the file


def held_bytes(source: Source, variant: Variant) -> int:
    """The memory that this variant holds now, and would give back; 0 where it does not run."""
    projector = source.projector(variant)
    size = variant.bytes + (projector.bytes if projector else 0)
    file = Path(variant.first).name
    name = file if file.lower().endswith(GGUF) else f"{variant.title}{GGUF}"
    origin = source.card.id if source.card else f"local/{name}"
    return sum(
        model.memory_bytes or 0
        for model in all_models()
        if model.state == State.READY
        and model.source == origin
        and abs((model.size_bytes or 0) - size) <= ALIKE * size
    )
