"""The beginning of a GGUF file, written: its metadata and tensor list, all but the weights."""

import struct
from collections.abc import Mapping, Sequence

from lib.fit.gguf import UNKNOWN, Tensor, aligned
from lib.fit.quantizations import TENSOR_TYPES

VERSION = 3
ALIGNMENT = 32  # of files that say nothing else
_UINT32, _INT32, _FLOAT32, _STRING, _ARRAY = 4, 5, 6, 8, 9
_TYPE_IDS = {kind.name: type_id for type_id, kind in TENSOR_TYPES.items()}
_NUMBERS = {int: (_INT32, "<i"), float: (_FLOAT32, "<f")}

Value = int | float | str | Sequence[int] | Sequence[float] | Sequence[str]


def beginning(
    pairs: Sequence[bytes],
    tensors: Sequence[Tensor],
    alignment: int = ALIGNMENT,
    version: int = VERSION,
) -> tuple[bytes, int]:
    """All of a file before its weights, and the bytes that the whole file must have.

    The offsets of the tensors are counted anew.
    """
    infos, offset = [], 0
    for tensor in tensors:
        shape = _u32(len(tensor.shape)) + b"".join(map(_u64, tensor.shape))
        place = _u32(_type_id(tensor.type)) + _u64(offset)
        infos.append(_string(tensor.name) + shape + place)
        offset = aligned(offset + tensor.bytes, alignment)
    counts = _u64(len(tensors)) + _u64(len(pairs))
    made = b"".join((b"GGUF", _u32(version), counts, *pairs, *infos))
    return made, aligned(len(made), alignment) + offset


def _type_id(name: str) -> int:
    """A type's number; of one that we do not know, the one that the file had."""
    return int(name.removeprefix(UNKNOWN)) if name.startswith(UNKNOWN) else _TYPE_IDS[name]


def pairs_of(values: Mapping[str, Value]) -> list[bytes]:
    """Keys and values as a file has them: whole numbers as unsigned, those in lists as signed."""
    return [_string(key) + _typed(value) for key, value in values.items()]


def _typed(value: Value) -> bytes:
    if isinstance(value, int):
        return _u32(_UINT32) + _u32(value)
    if isinstance(value, float):
        return _u32(_FLOAT32) + struct.pack("<f", value)
    if isinstance(value, str):
        return _u32(_STRING) + _string(value)
    return _u32(_ARRAY) + _list(value)


def _list(values: Sequence[int] | Sequence[float] | Sequence[str]) -> bytes:
    kind = type(values[0])
    if kind is str:
        type_id, items = _STRING, [_string(str(value)) for value in values]
    else:
        type_id, layout = _NUMBERS[kind]
        items = [struct.pack(layout, value) for value in values]
    return _u32(type_id) + _u64(len(items)) + b"".join(items)


def _u32(number: int) -> bytes:
    return struct.pack("<I", number & 0xFFFFFFFF)


def _u64(number: int) -> bytes:
    return struct.pack("<Q", number)


def _string(text: str) -> bytes:
    encoded = text.encode()
    return _u64(len(encoded)) + encoded
