"""Safetensors files with the tensors of real models and no weights, or few."""

import itertools
import json
import struct
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from lib.fit.safetensors import BITS, Tensor

Shapes = Mapping[str, tuple[str, tuple[int, ...]]]  # type and shape by the tensor's name


def header_of(shapes: Shapes, metadata: Mapping[str, str] | None = None) -> bytes:
    """The beginning of a file that holds these, up to the first weight, as the official writer
    makes it: padded with blanks to a multiple of eight."""
    listed: dict[str, Any] = {"__metadata__": dict(metadata)} if metadata else {}
    at = 0
    for name, (dtype, shape) in shapes.items():
        end = at + bytes_of(dtype, shape)
        listed[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [at, end]}
        at = end
    text = json.dumps(listed, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text


def whole_file(shapes: Shapes) -> bytes:
    """A file with all its weights, which are zeros."""
    return header_of(shapes) + bytes(weights_of(shapes))


def write_hollow(path: Path, shapes: Shapes) -> Path:
    """A file of the right size whose weights are a hole in the disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(header_of(shapes))
        file.truncate(file.tell() + weights_of(shapes))
    return path


def weights_of(shapes: Shapes) -> int:
    """Bytes of all these tensors."""
    return sum(bytes_of(dtype, shape) for dtype, shape in shapes.values())


def bytes_of(dtype: str, shape: Iterable[int]) -> int:
    """Bytes of one tensor."""
    elements = 1
    for length in shape:
        elements *= length
    return elements * BITS[dtype] // 8


def tensors_of(shapes: Shapes) -> list[Tensor]:
    """What a reader makes of them, without writing a file."""
    at, found = 0, []
    for name, (dtype, shape) in shapes.items():
        end = at + bytes_of(dtype, shape)
        found.append(Tensor(name, dtype, shape, at, end))
        at = end
    return found


def divided(shapes: Shapes, parts: int) -> list[dict[str, tuple[str, tuple[int, ...]]]]:
    """The same in several files, in order."""
    names = list(shapes)
    ends = [len(names) * number // parts for number in range(parts + 1)]
    groups = [names[start:end] for start, end in itertools.pairwise(ends)]
    return [{name: shapes[name] for name in group} for group in groups]
