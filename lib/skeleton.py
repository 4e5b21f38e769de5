"""A model's header without its vocabulary: what the engine needs to plan its memory, in 20 KB."""

import struct

from lib.gguf import Header, aligned, alignment_of
from lib.quantizations import TENSOR_TYPES

_UINT32, _STRING = 4, 8
_TYPE_IDS = {kind.name: type_id for type_id, kind in TENSOR_TYPES.items()}


def skeleton(start: bytes, header: Header) -> tuple[bytes, int]:
    """The header, and the bytes that a file with it must have; a hole will do for the weights.

    `start` is the beginning of the (first) file, `header` that of the whole model. The engine reads
    the result in a tenth of the time and plans the same memory for it.
    """
    size_key = f"{header.architecture}.vocab_size"
    tokens = header.lengths.get("tokenizer.ggml.tokens") or header.values.get(size_key)
    dropped = ("tokenizer.", "split.", size_key)
    pairs = [
        start[began:ended]
        for key, (began, ended) in header.spans.items()
        if not key.startswith(dropped)
    ]
    pairs.append(_string("tokenizer.ggml.model") + _u32(_STRING) + _string("no_vocab"))
    if isinstance(tokens, int):
        pairs.append(_string(size_key) + _u32(_UINT32) + _u32(tokens))
    infos, weights = _tensor_list(header)
    counts = _u64(len(header.tensors)) + _u64(len(pairs))
    made = b"".join((b"GGUF", _u32(header.version), counts, *pairs, *infos))
    return made, aligned(len(made), alignment_of(header.values)) + weights


def _tensor_list(header: Header) -> tuple[list[bytes], int]:
    """The tensors as a file lists them, with new offsets, and the length of all weights."""
    infos, offset = [], 0
    for tensor in header.tensors:
        shape = _u32(len(tensor.shape)) + b"".join(map(_u64, tensor.shape))
        place = _u32(_TYPE_IDS[tensor.type]) + _u64(offset)
        infos.append(_string(tensor.name) + shape + place)
        offset = aligned(offset + tensor.bytes, alignment_of(header.values))
    return infos, offset


def _u32(number: int) -> bytes:
    return struct.pack("<I", number & 0xFFFFFFFF)


def _u64(number: int) -> bytes:
    return struct.pack("<Q", number)


def _string(text: str) -> bytes:
    encoded = text.encode()
    return _u64(len(encoded)) + encoded
