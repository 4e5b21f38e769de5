"""The numbers of a model's config.json, each checked where it is read.

Authors write what they like into it: keys have several names, a multimodal model keeps its language
model's numbers in a part of its own, and nothing is sure to be of the type it should be.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from lib.core.errors import BrokenFile
from lib.core.names import shown

LONGEST = 4 * 2**20  # bytes
LARGEST = 2**40
MOST_LAYERS = 1_000
INSIDE = (  # where multimodal models keep their language model, the first that is there
    ("text_config",),
    ("thinker_config", "text_config"),
    ("llm_config",),
    ("language_config",),
    ("language_model_config",),
)


class ModelConfig:
    """A config.json: the language model's values first, then those of the whole."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.whole = values
        self.inner = _inner(values)

    def value(self, *names: str) -> Any:
        """What stands under the first of these names that has a value; None for none."""
        for source in (self.inner, self.whole):
            for name in names:
                if source.get(name) is not None:
                    return source[name]
        return None

    def number(self, *names: str, default: int = 0) -> int:
        """A count or a size; the default where none of these names has one."""
        for source in (self.inner, self.whole):
            for name in names:
                if is_count(source.get(name)):
                    return int(source[name])
        return default

    def text(self, *names: str) -> str:
        """A word as it stands there, from a stranger; "" for none."""
        value = self.value(*names)
        return value if isinstance(value, str) else ""

    def part(self, *names: str) -> "ModelConfig":
        """The object under one of these names as a config of its own; an empty one for none."""
        value = self.value(*names)
        return ModelConfig(value if isinstance(value, Mapping) else {})

    def list(self, *names: str) -> Sequence[Any]:
        """The list under one of these names; empty for none."""
        value = self.value(*names)
        return value if isinstance(value, list) else ()

    @property
    def layers(self) -> int:
        """How many layers the language model has; 0 where that is not told, or absurd."""
        names = ("num_hidden_layers", "n_layer", "num_layers", "n_layers")
        found = self.number(*names, default=len(self.text("hybrid_override_pattern")))
        return found if found <= MOST_LAYERS else 0

    @property
    def model_type(self) -> str:
        """The language model's kind, `qwen3_moe`."""
        return shown(self.text("model_type"), 100)

    @property
    def hidden(self) -> int:
        """The width of the model."""
        return self.number("hidden_size", "n_embd", "d_model", "hidden_dim")

    @property
    def heads(self) -> int:
        """Attention heads."""
        return self.number("num_attention_heads", "n_head", "n_heads")

    @property
    def architectures(self) -> tuple[str, ...]:
        """The classes that the author says can run it."""
        found = self.whole.get("architectures")
        names = found if isinstance(found, list) else []
        return tuple(shown(name, 100) for name in names if isinstance(name, str))


def read_object(text: str | bytes, name: str, longest: int = LONGEST) -> dict[str, Any]:
    """The JSON object in a file of a repository, called `name` in errors; BrokenFile for others."""
    again = "Download it again, or choose another repository of this model."
    if len(text) > longest:
        raise BrokenFile(f"{name} has {len(text):,} bytes, too many for what it should be.", again)
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BrokenFile(f"{name} is not JSON.", again) from error
    if not isinstance(found, dict):
        raise BrokenFile(f"{name} does not hold what it should.", again)
    return found


def is_count(value: Any) -> bool:
    """Is it a whole number that a model can have? 8.0 is one, as JSON has no others."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return type(value) is int and 0 <= value <= LARGEST


def _inner(values: Mapping[str, Any]) -> Mapping[str, Any]:
    for path in INSIDE:
        found: Any = values
        for name in path:
            found = found.get(name) if isinstance(found, Mapping) else None
        if isinstance(found, Mapping):
            return found
    return {}
