"""What a GGUF file says about itself: its metadata and tensor list, read without its weights.

The layout is that of ggml's docs/gguf.md, versions 2 and 3, little-endian. A header comes from
strangers, so every length, count and type in it is bounded before it is used, and the whole of it
ends within LONGEST_HEADER: a broken or hostile file costs an error and never memory or time.
"""

import contextlib
import re
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from pydantic import ConfigDict

from lib.core.errors import BrokenFile
from lib.core.names import shown
from lib.core.values import Frozen
from lib.fit.beginning import NeedMore as NeedMore  # for whoever reads a header
from lib.fit.beginning import read_beginning
from lib.fit.gguf_bytes import AGAIN, ARRAY, SCALARS, STRING, Reader
from lib.fit.gguf_bytes import LONGEST_HEADER as LONGEST_HEADER
from lib.fit.quantizations import FILE_TYPES, TENSOR_TYPES

FIRST_READ = 8 * 2**20  # holds the header of a vocabulary of 260,000 tokens
LONGEST_ARRAY = 1_024  # longer ones are vocabularies: only their length is kept
GLIMPSE_BYTES = 64 * 2**10  # reach to the vocabulary: what a file is stands before it
LONGEST_TEXT = 1_000  # of a value that a glimpse keeps
UNKNOWN = "type "  # what the name of a tensor type begins with that is not in our table
VOCABULARY = "tokenizer."  # what the keys begin with that nobody plans memory with
KEPT = ("tokenizer.ggml.token_type_count",)  # but for this: encoders have a matrix of it
MOST_TENSORS = 100_000
MOST_VALUES = 1_000
MOST_DIMENSIONS = 4

Value = bool | int | float | str | tuple[bool | int | float | str, ...]

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

    model_config = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")

    version: int
    architecture: str
    name: str
    quantization: str  # "" where the file does not say
    context_length: int | None  # tokens the model was trained for
    chat_template: str | None
    parameters: int
    values: Mapping[str, Value]  # without the arrays longer than LONGEST_ARRAY
    lengths: Mapping[str, int]  # of every array, kept or not
    pairs: Mapping[str, bytes]  # as they stand in the file, by their keys, but for the vocabulary
    tensors: tuple[Tensor, ...]
    data_offset: int  # where the weights begin; equal to the header's own length, aligned
    file_bytes: int  # what the whole file must have
    weights_bytes: int

    @property
    def unknown_types(self) -> tuple[str, ...]:
        """The types of tensors that stand in no table here: `type 77`."""
        found = {tensor.type for tensor in self.tensors if tensor.type.startswith(UNKNOWN)}
        return tuple(sorted(found))


class Glimpse(Frozen):
    """What the first bytes of a file tell, wherever they end."""

    values: Mapping[str, Value]  # those whose pair is whole, without long texts
    tensor_count: int
    tensors: tuple[str, ...] | None  # their names; None where the bytes do not reach so far


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


def glimpse_file(path: Path) -> Glimpse:
    """What the first bytes of a file on disk tell; BrokenFile where it is no GGUF file."""
    name = f"“{shown(path.name)}”"
    try:
        with path.open("rb") as file:
            return glimpse(file.read(GLIMPSE_BYTES), name)
    except OSError as error:
        raise BrokenFile(f"{name} cannot be read: {error.strerror}.", "Check the path.") from error


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


def glimpse(data: bytes, name: str = "The file") -> Glimpse:
    """As much as these first bytes tell; BrokenFile where they begin no GGUF file."""
    reader = Reader(data, name)
    try:
        _, tensor_count, value_count = _preamble(reader)
    except NeedMore as error:
        raise BrokenFile(f"{name} ends inside its header.", AGAIN) from error
    found, tensors = _Metadata(), None
    with contextlib.suppress(NeedMore):
        found.read(reader, value_count)
        tensors = tuple(_tensor(reader).name for _ in range(tensor_count))
    short = {key: value for key, value in found.values.items() if len(str(value)) <= LONGEST_TEXT}
    return Glimpse(values=short, tensor_count=tensor_count, tensors=tensors)


def parse(
    data: bytes | memoryview,
    name: str = "The file",
    jumps: Mapping[int, int] | None = None,
) -> Header:
    """The header from the first bytes of a file, called `name` in errors.

    `jumps` tells where arrays of the vocabulary end; whoever gives some may leave out what is in
    them. NeedMore where the bytes end too early, BrokenFile where more would not help.
    """
    reader = Reader(data, name, jumps)
    version, tensor_count, value_count = _preamble(reader)
    found = _Metadata()
    found.read(reader, value_count)
    values = found.values
    tensors = _measured([_tensor(reader) for _ in range(tensor_count)])
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
        lengths=found.lengths,
        pairs=found.pairs,
        tensors=tensors,
        data_offset=data_offset,
        file_bytes=max((data_offset + t.offset + t.bytes for t in tensors), default=reader.at),
        weights_bytes=sum(tensor.bytes for tensor in tensors),
    )


def _preamble(reader: Reader) -> tuple[int, int, int]:
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


def _check_magic(reader: Reader) -> None:
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


class _Metadata:
    """As far as read: keys and values, the length of every array, and the bytes of the pairs."""

    def __init__(self) -> None:
        self.values: dict[str, Value] = {}
        self.lengths: dict[str, int] = {}
        self.pairs: dict[str, bytes] = {}
        self._seen: set[str] = set()

    def read(self, reader: Reader, count: int) -> None:
        """The next `count` pairs."""
        for _ in range(count):
            began, key, type_id = reader.at, reader.string(), reader.u32()
            if key in self._seen:
                raise reader.broken(f"has the key “{shown(key)}” twice")
            self._seen.add(key)
            is_vocabulary = key.startswith(VOCABULARY) and key not in KEPT
            reader.may_jump = is_vocabulary and reader.jumps is not None
            value, length = _value(reader, type_id)
            if value is not None:
                self.values[key] = value
            if type_id == ARRAY:
                self.lengths[key] = length
            if not is_vocabulary:
                self.pairs[key] = bytes(reader.data[began : reader.at])


def _value(reader: Reader, type_id: int) -> tuple[Value | None, int]:
    """One value, None for a long array, and an array's length."""
    return _array(reader) if type_id == ARRAY else (reader.scalar(type_id), 1)


def _array(reader: Reader) -> tuple[Value | None, int]:
    type_id, length = reader.u32(), reader.u64()
    if type_id != STRING and type_id not in SCALARS:  # arrays of arrays: the engine has none
        raise reader.broken(f"has an array of the unknown type {type_id}")
    if length > LONGEST_HEADER:
        raise reader.broken(f"has an array of {length:,} values")
    if length <= LONGEST_ARRAY:
        return tuple(reader.scalar(type_id) for _ in range(length)), length
    reader.skip_array(type_id, length)
    return None, length


def _tensor(reader: Reader) -> Tensor:
    name, dimensions = reader.string(), reader.u32()
    if dimensions > MOST_DIMENSIONS:
        raise reader.broken(f"has a tensor of {dimensions} dimensions")
    shape = tuple(reader.u64() for _ in range(dimensions))
    type_id, offset = reader.u32(), reader.u64()
    elements = _elements(shape)
    if elements >= 2**63 or offset >= 2**63:
        raise reader.broken(f"has an impossible size for the tensor “{shown(name)}”")
    if type_id not in TENSOR_TYPES:
        return Tensor(name, shape, f"{UNKNOWN}{type_id}", offset, 0)
    kind = TENSOR_TYPES[type_id]
    if shape and shape[0] % kind.block:
        raise reader.broken(f"has rows of {shape[0]} in “{shown(name)}”, which {kind.name} cannot")
    return Tensor(name, shape, kind.name, offset, elements // kind.block * kind.block_bytes)


def _measured(tensors: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Those of types that are not in our table with their size: all up to the next one.

    Of the last one nobody can tell; it counts as nothing.
    """
    if not any(tensor.type.startswith(UNKNOWN) for tensor in tensors):
        return tuple(tensors)
    offsets = sorted({tensor.offset for tensor in tensors})
    ends = dict(pairwise([*offsets, offsets[-1]]))
    return tuple(
        tensor._replace(bytes=ends[tensor.offset] - tensor.offset)
        if tensor.type.startswith(UNKNOWN)
        else tensor
        for tensor in tensors
    )


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
