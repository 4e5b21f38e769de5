"""What a safetensors file says about itself: its list of tensors, read without its weights.

The layout is that of the safetensors project: eight bytes with the header's length, little-endian,
then a JSON object, then the tensors' bytes, in any order and without gaps. A header comes from
strangers, so its length, its counts and every offset are bounded before they are used: a broken or
hostile file costs an error and never memory or time.
"""

import json
import struct
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

from lib.core.errors import BrokenFile
from lib.core.names import shown
from lib.core.values import Frozen
from lib.fit.beginning import NeedMore, read_beginning

FIRST_READ = 128 * 2**10  # holds the header of most parts of a divided model
LONGEST_HEADER = 100_000_000  # the format's own limit
MOST_TENSORS = 200_000
MOST_DIMENSIONS = 8
LARGEST = 2**63
AGAIN = "Download it again, or choose another repository of this model."
METADATA = "__metadata__"

BITS = {  # of one element, by the name of its type
    name: bits
    for bits, names in {
        4: "F4",
        6: "F6_E2M3 F6_E3M2",
        8: "BOOL U8 I8 F8_E4M3 F8_E5M2 F8_E8M0 F8_E4M3FNUZ F8_E5M2FNUZ",
        16: "U16 I16 F16 BF16",
        32: "U32 I32 F32",
        64: "U64 I64 F64 C64",
    }.items()
    for name in names.split()
}

_LENGTH = struct.Struct("<Q")
_OTHER_FORMATS = {
    b"version ": "a Git LFS pointer, not the file itself",
    b"<": "a web page",
    b"PK": "a zip archive or a PyTorch file",
    b"GGUF": "a GGUF file",
    b"\x80": "a Python pickle",
}


class Tensor(NamedTuple):
    """One tensor: its type, its shape, and where its bytes are, counted from the data."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    start: int
    end: int

    @property
    def bytes(self) -> int:
        """What it takes in the file."""
        return self.end - self.start

    @property
    def elements(self) -> int:
        """How many numbers of its type it has; formats of our time pack several into one."""
        return prod(self.shape)


class Tensors(Frozen):
    """All that a file says before its weights begin."""

    tensors: tuple[Tensor, ...]  # in the order of their bytes
    data_offset: int  # where the weights begin: the header's own length
    file_bytes: int  # what the whole file must have


def read_file(path: Path) -> Tensors:
    """The tensors of a file on disk that has all its bytes; BrokenFile says what is wrong."""
    name = f"“{shown(path.name)}”"
    try:
        if not path.is_file():
            raise BrokenFile(f"There is no file {name}.", "Check the path.")
        size = path.stat().st_size
        with path.open("rb") as file:
            found = read_header(file.read, name)
    except OSError as error:
        raise BrokenFile(f"{name} cannot be read: {error.strerror}.", "Check the path.") from error
    check_size(found, size, name)
    return found


def check_size(found: Tensors, size: int, name: str) -> None:
    """BrokenFile for a file of another size than its header asks for."""
    if size != found.file_bytes:
        raise BrokenFile(
            f"{name} has {size:,} bytes, its header asks for {found.file_bytes:,}.", AGAIN
        )


def read_header(more: Callable[[int], bytes], name: str = "The file") -> Tensors:
    """The tensors from a source of bytes: `more(n)` gives the next n, fewer only at the end."""
    return read_beginning(more, lambda data: parse_header(data, name), FIRST_READ, name, AGAIN)


def parse_header(beginning: bytes, name: str = "The file") -> Tensors:
    """The tensors from the first bytes of a file, called `name` in errors.

    NeedMore where they end too early, BrokenFile where more bytes would not help.
    """
    length = _header_length(beginning, name)
    end = _LENGTH.size + length
    if len(beginning) < end:
        raise NeedMore(end)
    listed = _listed(beginning[_LENGTH.size : end], name)
    tensors = [_tensor(key, value, name) for key, value in listed if key != METADATA]
    tensors.sort(key=lambda tensor: (tensor.start, tensor.end))
    return Tensors(
        tensors=tuple(tensors), data_offset=end, file_bytes=end + _checked_end(tensors, name)
    )


def _header_length(beginning: bytes, name: str) -> int:
    """The length of the JSON part, once it is certain that this is a safetensors file."""
    found = next((what for sign, what in _OTHER_FORMATS.items() if beginning.startswith(sign)), "")
    if found and beginning[8:9] != b"{":
        raise _broken(name, f"is {found}")
    if len(beginning) < _LENGTH.size + 1:
        raise NeedMore(FIRST_READ)
    length: int = _LENGTH.unpack_from(beginning)[0]
    if beginning[_LENGTH.size : _LENGTH.size + 1] != b"{":
        raise _broken(name, "is not a safetensors file")
    if length > LONGEST_HEADER:
        raise _broken(name, f"claims a header of {length:,} bytes")
    return length


def _listed(text: bytes, name: str) -> Sequence[tuple[str, Any]]:
    """The header's names and what it says of each, nothing of it checked."""
    try:
        listed: _Pairs = json.loads(text.decode("utf-8"), object_pairs_hook=_Pairs)
    except UnicodeDecodeError as error:
        raise _broken(name, "has a header that is not UTF-8") from error
    except (ValueError, RecursionError) as error:
        raise _broken(name, "has a header that is not JSON") from error
    if len(listed) > MOST_TENSORS:
        raise _broken(name, f"claims {len(listed):,} tensors")
    twice = _first_twice(key for key, _ in listed)
    if twice is not None:
        raise _broken(name, f"has the tensor “{shown(twice)}” twice")
    return listed


class _Pairs(list[tuple[str, Any]]):
    """A JSON object as its pairs, so that a name given twice is seen."""

    def get(self, key: str) -> Any:
        """The value of this key, None for none."""
        return next((value for name, value in self if name == key), None)


def _first_twice(keys: Iterable[str]) -> str | None:
    return next((key for key, count in Counter(keys).items() if count > 1), None)


def _tensor(key: str, value: Any, name: str) -> Tensor:
    what = f"“{shown(key)}”"
    if not isinstance(value, _Pairs):
        raise _broken(name, f"says nothing of the tensor {what}")
    dtype, shape, span = value.get("dtype"), value.get("shape"), value.get("data_offsets")
    if not isinstance(dtype, str) or dtype not in BITS:
        raise _broken(name, f"has the tensor {what} of the unknown type “{shown(str(dtype))}”")
    if not _are_counts(shape) or len(shape) > MOST_DIMENSIONS or prod(shape) >= LARGEST:
        raise _broken(name, f"has an impossible shape for the tensor {what}")
    if not _are_counts(span) or len(span) != 2:
        raise _broken(name, f"does not say where the tensor {what} is")
    found = Tensor(key, dtype, tuple(shape), *span)
    if found.bytes * 8 != found.elements * BITS[dtype]:
        raise _broken(name, f"gives the tensor {what} {found.bytes:,} bytes, not what it needs")
    return found


def _are_counts(value: Any) -> bool:
    """Is it a list of whole numbers that a file can have?"""
    return isinstance(value, list) and all(type(n) is int and 0 <= n < LARGEST for n in value)


def _checked_end(tensors: list[Tensor], name: str) -> int:
    """Where the last tensor ends; BrokenFile where two overlap or a gap lies between them."""
    at = 0
    for tensor in tensors:
        if tensor.start != at:
            wrong = "overlaps another" if tensor.start < at else "lies behind a gap"
            raise _broken(name, f"has the tensor “{shown(tensor.name)}”, which {wrong}")
        at = tensor.end
    return at


def _broken(name: str, what: str) -> BrokenFile:
    return BrokenFile(f"{name} {what}.", AGAIN)
