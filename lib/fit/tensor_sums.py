"""How much of what the tensors of a model are: bytes and numbers by part and by type.

A part is what a tensor is for, told from its name: what is multiplied in the layers, the experts of
which a token uses few, embeddings, the output matrix, towers that see or hear, the scales that
quantized weights come with, and what an engine leaves in the file.
"""

import re
from collections.abc import Iterable
from enum import StrEnum

from lib.core.values import Frozen
from lib.fit.safetensors import Tensor


class Part(StrEnum):
    """What a tensor is for."""

    LAYERS = "layers"
    EXPERTS = "experts"
    EMBEDDING = "embedding"
    HEAD = "head"
    TOWER = "tower"  # sees or hears
    SCALES = "scales"  # of quantized weights, with their zero points and orders
    UNUSED = "unused"  # drafting layers, speech output, constants: not loaded to write text


_LAYER = re.compile(r"(?:^|\.)(?:layers|h|blocks)\.(\d{1,6})\.")
_PARTS = (  # the first that matches
    (
        Part.UNUSED,
        re.compile(
            r"^(?:model\.)?mtp(?:\.|_)|^(?:talker|token2wav|code2wav|audio_codec)\."
            r"|rotary_emb\.inv_freq$|\.masked_bias$|\.attn\.bias$"
        ),
    ),
    (
        Part.TOWER,
        re.compile(
            r"(?:^|\.)(?:visual|vision_\w+|vit|vpm|resampler|apm|mlp1|patch_merger|image_newline"
            r"|(?:multi_modal|multimodal|mm|img|image|audio)_project(?:or|ion)|mm_\w+|connector"
            r"|audio_(?:tower|encoder|model)|embed_(?:vision|audio)|aligner|sound_\w+)(?:\.|$)"
        ),
    ),
    (
        Part.SCALES,
        re.compile(
            r"(?:^|[._])(?:scales?|scale_inv|qzeros|g_idx|zero_point|weight_scale_2|weight_shape"
            r"|absmax|quant_map|quant_state\.\w+|biases)$"
        ),
    ),
    (Part.EXPERTS, re.compile(r"\.experts\.")),
    (
        Part.EMBEDDING,
        re.compile(
            r"(?:^|\.)(?:embed_tokens\w*|wte|wpe|word_embeddings|tok_embeddings|embed_in)\."
        ),
    ),
    (Part.HEAD, re.compile(r"^(?:(?:model|language_model)\.)*(?:lm_head|embed_out|output)\.")),
)


class Row(Frozen):
    """The tensors of one part and one type, taken together."""

    part: Part
    dtype: str
    tensors: int
    elements: int
    bytes: int


class Sums(Frozen):
    """The tensors of a file, or of all files of a model."""

    rows: tuple[Row, ...]

    @property
    def bytes(self) -> int:
        """What all tensors take, those too that are not loaded."""
        return sum(row.bytes for row in self.rows)

    @property
    def tensors(self) -> int:
        """How many there are."""
        return sum(row.tensors for row in self.rows)

    def of(self, *parts: Part) -> tuple[Row, ...]:
        """The rows of these parts."""
        return tuple(row for row in self.rows if row.part in parts)

    def by_type(self) -> dict[str, int]:
        """Bytes by the name of the type, the largest first."""
        found: dict[str, int] = {}
        for row in self.rows:
            found[row.dtype] = found.get(row.dtype, 0) + row.bytes
        return dict(sorted(found.items(), key=lambda pair: -pair[1]))


def summed(tensors: Iterable[Tensor], layers: int) -> Sums:
    """The sums of these tensors of a model of so many layers; what lies behind them only drafts."""
    return _merged(
        (part_of(tensor.name, layers), tensor.dtype, 1, tensor.elements, tensor.bytes)
        for tensor in tensors
    )


def total(parts: Iterable[Sums]) -> Sums:
    """The sums of all files of a model."""
    return _merged(
        (row.part, row.dtype, row.tensors, row.elements, row.bytes)
        for sums in parts
        for row in sums.rows
    )


def part_of(name: str, layers: int) -> Part:
    """What the tensor of this name is for, in a model of so many layers (0: not known)."""
    part = next((part for part, pattern in _PARTS if pattern.search(name)), Part.LAYERS)
    place = _LAYER.search(name)
    is_behind = place is not None and 0 < layers <= int(place[1])
    return Part.UNUSED if is_behind and part != Part.TOWER else part


def _merged(rows: Iterable[tuple[Part, str, int, int, int]]) -> Sums:
    """One row for each part and type, in an order that does not depend on the files'."""
    sums: dict[tuple[Part, str], list[int]] = {}
    for part, dtype, *values in rows:
        found = sums.setdefault((part, dtype), [0, 0, 0])
        for index, value in enumerate(values):
            found[index] += value
    return Sums(
        rows=tuple(
            Row(part=part, dtype=dtype, tensors=values[0], elements=values[1], bytes=values[2])
            for (part, dtype), values in sorted(sums.items())
        )
    )
