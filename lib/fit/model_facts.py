"""A header's numbers, each checked, and its tensors by layer: what a model's shape is read from."""

import re
from collections import defaultdict
from collections.abc import Mapping

from lib.core.errors import BrokenFile
from lib.fit.gguf import Header

MOST_LAYERS = 512  # the engine's own limit
LARGEST = 2**31
_LAYER = re.compile(r"blk\.(\d{1,6})\.(.+)")

Shapes = Mapping[str, tuple[int, ...]]


class Facts:
    """A header's numbers, each checked, and its tensor shapes by layer."""

    def __init__(self, header: Header) -> None:
        self.header = header
        blocks = self.number("block_count")
        self.layers = blocks - self.number("nextn_predict_layers")  # those only draft
        if not 0 < self.layers <= blocks <= MOST_LAYERS:
            raise BrokenFile(
                f"The file claims {blocks:,} layers: it is no language model that can be loaded.",
                "Choose another file of this model.",
            )
        self.shapes: defaultdict[int, dict[str, tuple[int, ...]]] = defaultdict(dict)
        self.loaded = []  # what the engine loads: all but the drafting layers
        for tensor in header.tensors:
            layer, name = place(tensor.name)
            if layer < self.layers:
                self.shapes[layer][name] = tensor.shape
                self.loaded.append(tensor)
        self.width = self.number("embedding_length")
        self.cached_layers = self.layers - self.number("attention.shared_kv_layers")
        missing = next((index for index in range(self.layers) if self._is_lost(index)), None)
        if missing is not None:
            raise BrokenFile(
                f"The file has no tensors for layer {missing} of {self.layers}.",
                "It may be a part of a divided model: take all parts.",
            )

    def _is_lost(self, layer: int) -> bool:
        """Has it no tensors, though it does something? Some models have layers that do nothing."""
        return layer not in self.shapes and self.number("attention.head_count", layer, 1) > 0

    def number(self, key: str, layer: int = 0, default: int = 0) -> int:
        """A value of the architecture, of one layer where the file lists them."""
        value = self.header.values.get(f"{self.header.architecture}.{key}", default)
        if isinstance(value, tuple):
            value = value[layer] if layer < len(value) else default
        return min(max(int(value), 0), LARGEST) if isinstance(value, int) else default

    @property
    def vocabulary(self) -> int:
        """Tokens."""
        tokens = self.header.lengths.get("tokenizer.ggml.tokens")
        return tokens or self.number("vocab_size")


def place(name: str) -> tuple[int, str]:
    """A tensor's layer, -1 where it belongs to none, and its name there."""
    match = _LAYER.fullmatch(name)
    return (int(match[1]), match[2].removesuffix(".weight")) if match else (-1, name)


def rows(shapes: Shapes, name: str) -> int:
    """The length of what the matrix makes of a token."""
    shape = shapes.get(name, ())
    return shape[1] if len(shape) > 1 else 0


def columns(shapes: Shapes, name: str) -> int:
    """The length of what the matrix takes."""
    shape = shapes.get(name, ())
    return shape[0] if shape else 0
