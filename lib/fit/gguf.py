"""What a GGUF file says about itself: its metadata and tensor list, read without its weights.

The layout is that of ggml's docs/gguf.md, versions 2 and 3, little-endian. A header comes from
strangers, so every length, count and type in it is bounded before it is used, and the whole of it
ends within LONGEST_HEADER: a broken or hostile file costs an error and never memory or time.
"""

import re
import struct
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from lib.core.errors import BrokenFile
from lib.core.names import shown
from lib.core.values import Frozen
from lib.fit.beginning import NeedMore as NeedMore
from lib.fit.beginning import read_beginning
from lib.fit.quantizations import FILE_TYPES, TENSOR_TYPES

FIRST_READ = 8 * 2**20  # holds the header of a vocabulary of 260,000 tokens
LONGEST_HEADER = 64 * 2**20
LONGEST_ARRAY = 1_024  # longer ones are vocabularies: only their length is kept
MOST_TENSORS = 100_000
MOST_VALUES = 1_000
MOST_DIMENSIONS = 4
AGAIN = "Download it again, or choose another file of this model."

Value = bool | int | float | str | tuple[bool | int | float | str, ...]

_STRING, _ARRAY = 8, 9
_SCALARS = {
    type_id: struct.Struct(f"<{code}")
    for type_id, code in zip((0, 1, 2, 3, 4, 5, 6, 7, 10, 11, 12), "BbHhIif?Qqd", strict=True)
}
_U32, _U64 = struct.Struct("<I"), struct.Struct("<Q")
_SHARD = re.compile(r"(?P<stem>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})\.gguf")
_OTHER_FORMATS = {
    b"version https://git-lfs": "a Git LFS pointer, not the file itself",
    b"<": "a web page",
    b"PK": "a zip archive or a PyTorch file",
    b"GGML": "a file of GGUF's predecessor",
    b"ggjt": "a file of GGUF's predecessor",
}


class Tensor(NamedTuple):
    """One tensor: the name of its type, the bytes it takes, and where, counted from the data."""

    name: str
    shape: tuple[int, ...]
    type: str
    offset: int
    bytes: int


class Header(Frozen):
    """All that a file says before its weights begin."""

    version: int
    architecture: str
    name: str
    quantization: str  # "" where the file does not say
    context_length: int | None  # tokens the model was trained for
    chat_template: str | None
    parameters: int
    values: Mapping[str, Value]  # without the arrays longer than LONGEST_ARRAY
    lengths: Mapping[str, int]  # of every array, kept or not
    spans: Mapping[str, tuple[int, int]]  # where each pair of key and value begins and ends
    tensors: tuple[Tensor, ...]
    data_offset: int  # where the weights begin; equal to the header's own length, aligned
    file_bytes: int  # what the whole file must have
    weights_bytes: int


def read_file(path: Path) -> Header:
    """The header of a file on disk that has all its weights; BrokenFile says what is wrong."""
    name = f"“{shown(path.name)}”"
    try:
        _check_is_file(path, name)
        size = path.stat().st_size
        with path.open("rb") as file:
            header = read_header(file.read, name)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise BrokenFile(f"{name} cannot be read: {reason}.", "Check the path.") from error
    if size < header.file_bytes:
        raise BrokenFile(
            f"{name} is cut short: it has {size:,} bytes, its header asks for"
            f" {header.file_bytes:,}.",
            "Resume or repeat the download.",
        )
    return header


def read_header(more: Callable[[int], bytes], name: str = "The file") -> Header:
    """The header from a source of bytes: `more(n)` gives the next n, fewer only at the end."""
    return read_beginning(more, lambda data: parse(data, name), FIRST_READ, name, AGAIN)


def read_model(path: Path) -> Header:
    """The header of a whole model: one file, or all parts of a divided one taken together."""
    return combined([read_file(part) for part in shard_paths(path)])


def combined(parts: Sequence[Header]) -> Header:
    """The header of a divided model from those of all its parts; metadata stands in the first."""
    return parts[0].model_copy(
        update={
            "parameters": sum(part.parameters for part in parts),
            "tensors": tuple(tensor for part in parts for tensor in part.tensors),
            "file_bytes": sum(part.file_bytes for part in parts),
            "weights_bytes": sum(part.weights_bytes for part in parts),
        }
    )


def shard_paths(path: Path) -> list[Path]:
    """All files of the model that this file belongs to, in order; BrokenFile names a missing one.

    A divided model is `name-00001-of-00003.gguf` and so on; any other file is a model by itself.
    """
    match = _SHARD.fullmatch(path.name)
    if not match:
        return [path]
    count = int(match["count"])
    if not 1 <= int(match["number"]) <= count:
        raise BrokenFile(f"“{shown(path.name)}” is not one of its own {count} parts.", AGAIN)
    parts = []
    for number in range(1, count + 1):
        part = path.with_name(f"{match['stem']}-{number:05d}-of-{count:05d}.gguf")
        if not part.is_file():
            raise BrokenFile(
                f"Part {number} of {count} is missing: “{shown(part.name)}”.",
                "Download it into the same folder.",
            )
        parts.append(part)
    return parts


def parse(data: bytes | memoryview, name: str = "The file") -> Header:
    """The header from the first bytes of a file, called `name` in errors.

    NeedMore where they end too early, BrokenFile where more bytes would not help.
    """
    reader = _Reader(data, name)
    version, tensor_count, value_count = _preamble(reader)
    values, lengths, spans = _metadata(reader, value_count)
    tensors = tuple(_tensor(reader) for _ in range(tensor_count))
    if not alignment_of(values):
        raise reader.broken("has an alignment that is no power of two")
    data_offset = aligned(reader.at, alignment_of(values))
    return Header(
        version=version,
        architecture=_text(values, "general.architecture"),
        name=_text(values, "general.name"),
        quantization=_quantization(values),
        context_length=_context_length(values),
        chat_template=_text(values, "tokenizer.chat_template") or None,
        parameters=sum(_elements(tensor.shape) for tensor in tensors),
        values=values,
        lengths=lengths,
        spans=spans,
        tensors=tensors,
        data_offset=data_offset,
        file_bytes=max((data_offset + t.offset + t.bytes for t in tensors), default=reader.at),
        weights_bytes=sum(tensor.bytes for tensor in tensors),
    )


class _Reader:
    """A position in the bytes of a header; every step is checked against their end."""

    def __init__(self, data: bytes | memoryview, name: str) -> None:
        self.data = memoryview(data)
        self.name = name
        self.at = 0

    def broken(self, what: str) -> BrokenFile:
        """The error to raise: the file `what`."""
        return BrokenFile(f"{self.name} {what}.", AGAIN)

    def take(self, count: int) -> memoryview:
        """The next `count` bytes."""
        start = self.at
        self.move_to(start + count)
        return self.data[start : self.at]

    def move_to(self, end: int) -> None:
        """Go on at `end`: BrokenFile beyond any header, NeedMore beyond the bytes there are."""
        if end > LONGEST_HEADER:
            raise self.broken(f"has a header longer than {LONGEST_HEADER // 2**20} MB")
        if end > len(self.data):
            raise NeedMore(min(max(end, 2 * len(self.data)), LONGEST_HEADER))
        self.at = end

    def u32(self) -> int:
        number: int = _U32.unpack(self.take(4))[0]
        return number

    def u64(self) -> int:
        number: int = _U64.unpack(self.take(8))[0]
        return number

    def string(self) -> str:
        return str(self.take(self.u64()), "utf-8", "replace")

    def scalar(self, type_id: int) -> bool | int | float | str:
        """One value that is not an array."""
        if type_id == _STRING:
            return self.string()
        if type_id not in _SCALARS:
            raise self.broken(f"has a value of the unknown type {type_id}")
        layout = _SCALARS[type_id]
        value: bool | int | float = layout.unpack(self.take(layout.size))[0]
        return value

    def skip_strings(self, count: int) -> None:
        """Pass `count` strings; a vocabulary has 300,000, so this is the one loop that is tuned."""
        data, at, length_at = self.data, self.at, _U64.unpack_from
        try:
            for _ in range(count):
                at += 8 + length_at(data, at)[0]
        except (struct.error, OverflowError):
            at += 8
        self.move_to(at)

    def skip_array(self, type_id: int, count: int) -> None:
        """Pass an array whose values nobody needs."""
        if type_id == _STRING:
            self.skip_strings(count)
        else:
            self.move_to(self.at + _SCALARS[type_id].size * count)


def _preamble(reader: _Reader) -> tuple[int, int, int]:
    """Version, number of tensors, number of metadata values."""
    _check_magic(reader)
    version = reader.u32()
    if not version & 0xFFFF:
        raise reader.broken("is a big-endian GGUF file, made for another kind of machine")
    if version not in (2, 3):
        raise reader.broken(f"is of GGUF version {version}; versions 2 and 3 can be read")
    tensor_count, value_count = reader.u64(), reader.u64()
    if tensor_count > MOST_TENSORS or value_count > MOST_VALUES:
        raise reader.broken(f"claims {tensor_count:,} tensors and {value_count:,} values")
    return version, tensor_count, value_count


def _check_magic(reader: _Reader) -> None:
    start = bytes(reader.data[:24])
    if b"GGUF".startswith(start[:4]) and start:
        reader.take(4)
        return
    if not start:
        raise NeedMore(FIRST_READ)
    found = next((what for sign, what in _OTHER_FORMATS.items() if start.startswith(sign)), "")
    if start[8:9] == b"{":
        found = "a safetensors file"
    raise reader.broken(f"is {found}" if found else "is not a GGUF file")


def _metadata(
    reader: _Reader, count: int
) -> tuple[dict[str, Value], dict[str, int], dict[str, tuple[int, int]]]:
    """The key-value pairs, the length of every array, and where each pair stands."""
    values: dict[str, Value] = {}
    lengths: dict[str, int] = {}
    spans: dict[str, tuple[int, int]] = {}
    for _ in range(count):
        began, key, type_id = reader.at, reader.string(), reader.u32()
        if key in spans:
            raise reader.broken(f"has the key “{shown(key)}” twice")
        value, length = _value(reader, type_id)
        if value is not None:
            values[key] = value
        if type_id == _ARRAY:
            lengths[key] = length
        spans[key] = (began, reader.at)
    return values, lengths, spans


def _value(reader: _Reader, type_id: int) -> tuple[Value | None, int]:
    """One value, None for a long array, and an array's length."""
    return _array(reader) if type_id == _ARRAY else (reader.scalar(type_id), 1)


def _array(reader: _Reader) -> tuple[Value | None, int]:
    type_id, length = reader.u32(), reader.u64()
    if type_id != _STRING and type_id not in _SCALARS:  # arrays of arrays: the engine has none
        raise reader.broken(f"has an array of the unknown type {type_id}")
    if length > LONGEST_HEADER:
        raise reader.broken(f"has an array of {length:,} values")
    if length <= LONGEST_ARRAY:
        return tuple(reader.scalar(type_id) for _ in range(length)), length
    reader.skip_array(type_id, length)
    return None, length


def _tensor(reader: _Reader) -> Tensor:
    name, dimensions = reader.string(), reader.u32()
    if dimensions > MOST_DIMENSIONS:
        raise reader.broken(f"has a tensor of {dimensions} dimensions")
    shape = tuple(reader.u64() for _ in range(dimensions))
    type_id, offset = reader.u32(), reader.u64()
    elements = _elements(shape)
    if elements >= 2**63 or offset >= 2**63:
        raise reader.broken(f"has an impossible size for the tensor “{shown(name)}”")
    if type_id not in TENSOR_TYPES:
        raise reader.broken(f"has the tensor “{shown(name)}” of the unknown type {type_id}")
    kind = TENSOR_TYPES[type_id]
    if shape and shape[0] % kind.block:
        raise reader.broken(f"has rows of {shape[0]} in “{shown(name)}”, which {kind.name} cannot")
    return Tensor(name, shape, kind.name, offset, elements // kind.block * kind.block_bytes)


def _elements(shape: tuple[int, ...]) -> int:
    count = 1
    for length in shape:
        count *= length
    return count


def alignment_of(values: Mapping[str, Value]) -> int:
    """To what tensors are aligned; 0 where the file states an impossible one."""
    alignment = values.get("general.alignment", 32)
    is_power_of_two = type(alignment) is int and alignment > 0 and not alignment & (alignment - 1)
    return alignment if isinstance(alignment, int) and is_power_of_two else 0


def aligned(length: int, alignment: int) -> int:
    """The next multiple of the alignment."""
    return -(-length // alignment) * alignment


def _text(values: Mapping[str, Value], key: str) -> str:
    value = values.get(key)
    return value if isinstance(value, str) else ""


def _quantization(values: Mapping[str, Value]) -> str:
    file_type = values.get("general.file_type")
    return FILE_TYPES.get(file_type, "") if isinstance(file_type, int) else ""


def _context_length(values: Mapping[str, Value]) -> int | None:
    length = values.get(f"{_text(values, 'general.architecture')}.context_length")
    return length if type(length) is int and length > 0 else None


def _check_is_file(path: Path, name: str) -> None:
    if path.is_dir():
        raise BrokenFile(f"{name} is a folder.", "Choose a .gguf file in it.")
    if not path.exists():
        raise BrokenFile(f"There is no file {name}.", "Check the path.")
    if not path.is_file():
        raise BrokenFile(f"{name} is not an ordinary file.", "Choose a .gguf file.")
    if not path.stat().st_size:
        raise BrokenFile(f"{name} is empty.", AGAIN)
