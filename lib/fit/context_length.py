"""How many tokens a checkpoint's author allows, as vLLM 0.33 reads it from config.json.

The rules of config/model.py and transformers_utils/model_arch_config_convertor.py: the smallest of
the lengths named, stretched by what the rotary positions are scaled by, except where the length is
already the stretched one. With `longrope` an engine begins at the original length by itself.
"""

from collections.abc import Iterator
from typing import NamedTuple

from lib.fit.model_config import ModelConfig

UNSTATED = 2_048  # what vLLM assumes where nothing is named
_NAMES = (
    "max_position_embeddings",
    "n_positions",
    "max_seq_len",
    "seq_length",
    "model_max_length",
    "max_target_positions",
    "max_sequence_length",
    "max_seq_length",
    "seq_len",
)
_STRETCHED = ("su", "longrope", "llama3", "yarn", "deepseek_yarn", "deepseek_llama_scaling")


class ContextLength(NamedTuple):
    """Tokens: the most that may be asked for, and what an engine takes by itself."""

    largest: int
    by_itself: int


def context_length(config: ModelConfig) -> ContextLength:
    """The lengths of this model."""
    named = [length for name in _NAMES if (length := config.number(name))]
    length = config.number("model_max_length") or min(named, default=UNSTATED)
    scalings = list(_scalings(config))
    if "gemma3" not in config.model_type:
        length = round(length * max((_factor(scaling) for scaling in scalings), default=1.0))
    original = config.number("original_max_position_embeddings")
    is_long = any(_type(scaling) in ("su", "longrope") for scaling in scalings)
    return ContextLength(length, min(original, length) if is_long and original else length)


def _scalings(config: ModelConfig) -> Iterator[ModelConfig]:
    """The scaling of the positions: one for all layers, or one for each type of layer."""
    found = config.part("rope_parameters", "rope_scaling")
    inner = [found.part(name) for name in found.whole if isinstance(found.whole[name], dict)]
    yield from (one for one in inner if _type(one))
    if _type(found):
        yield found


def _type(scaling: ModelConfig) -> str:
    return scaling.text("rope_type", "type")


def _factor(scaling: ModelConfig) -> float:
    factor = scaling.value("factor")
    if _type(scaling) in _STRETCHED or not isinstance(factor, int | float):
        return 1.0
    return float(factor) if 1 <= factor <= 1_000 else 1.0
