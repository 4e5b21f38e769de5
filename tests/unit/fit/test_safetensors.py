"""Headers of safetensors files: what they say, and that none of them costs more than an error."""

import contextlib
import json
import random
import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.core.errors import BrokenFile
from lib.fit.gguf import NeedMore
from lib.fit.safetensors import (
    BITS,
    FIRST_READ,
    LONGEST_HEADER,
    Tensor,
    parse_header,
    read_file,
    read_header,
)
from tests.support.safetensors_files import header_of, tensors_of, whole_file, write_hollow

SMALL = {"a": ("BF16", (2, 3)), "b": ("I32", (5,))}


def raw(text: bytes, length: int | None = None) -> bytes:
    """A header byte by byte, so that it can be wrong in any way."""
    return struct.pack("<Q", len(text) if length is None else length) + text


def listed(**tensors: Any) -> bytes:
    return raw(json.dumps(tensors).encode())


def entry(dtype: str = "BF16", shape: Any = (2, 3), offsets: Any = (0, 12)) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


def complaint(data: bytes) -> str:
    with pytest.raises(BrokenFile) as caught:
        parse_header(data, "“it”")
    assert caught.value.fix
    return caught.value.message


def test_a_header_says_which_tensors_there_are() -> None:
    found = parse_header(header_of(SMALL, {"format": "pt"}))
    assert found.tensors == (
        Tensor("a", "BF16", (2, 3), 0, 12),
        Tensor("b", "I32", (5,), 12, 32),
    )
    assert [tensor.elements for tensor in found.tensors] == [6, 5]
    assert found.file_bytes == len(whole_file(SMALL)) + found.data_offset - len(header_of(SMALL))


@pytest.mark.parametrize(
    ("dtype", "shape", "expected"),
    [
        ("F32", (3, 5), 60), ("F64", (3,), 24), ("BF16", (3, 5), 30), ("F16", (7,), 14),
        ("F8_E4M3", (3, 5), 15), ("F8_E5M2", (3, 5), 15), ("F8_E8M0", (4,), 4),
        ("F4", (3, 6), 9), ("F6_E2M3", (4,), 3), ("F6_E3M2", (8,), 6), ("U8", (9,), 9),
        ("I8", (9,), 9), ("I32", (2, 4), 32), ("U32", (2,), 8), ("I64", (2,), 16),
        ("BOOL", (5,), 5),
        ("I16", (3,), 6), ("U16", (3,), 6), ("C64", (2,), 16), ("BF16", (), 2), ("BF16", (0, 4), 0),
    ],
)  # fmt: skip
def test_every_type_takes_the_bytes_it_takes(
    dtype: str, shape: tuple[int, ...], expected: int
) -> None:
    [found] = parse_header(header_of({"x": (dtype, shape)})).tensors
    assert found.bytes == expected


def test_tensors_may_be_listed_in_any_order() -> None:
    data = listed(late=entry(offsets=(12, 24)), early=entry())
    assert [tensor.name for tensor in parse_header(data).tensors] == ["early", "late"]


def test_a_file_without_tensors_is_one() -> None:
    assert parse_header(raw(b"{}")).tensors == ()


@pytest.mark.parametrize("cut", [0, 1, 8, 9, 20])
def test_a_header_that_is_cut_asks_for_the_rest(cut: int) -> None:
    data = header_of(SMALL)
    with pytest.raises(NeedMore) as caught:
        parse_header(data[:cut])
    assert caught.value.bytes in (FIRST_READ, len(data))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"GGUF" + bytes(20), "is a GGUF file"),
        (b"PK\x03\x04" + bytes(20), "a zip archive or a PyTorch file"),
        (b"\x80\x02" + bytes(20), "a Python pickle"),
        (b"<!DOCTYPE html><html>", "is a web page"),
        (b"version https://git-lfs.github.com/spec/v1", "Git LFS pointer"),
        (bytes(40), "is not a safetensors file"),
        (raw(b"{", LONGEST_HEADER + 1), "claims a header of 100,000,001 bytes"),
        (raw(b'{"a"'), "not JSON"),
        (raw(b'{"a":' + b"[" * 50_000), "not JSON"),
        (raw(b'{"a":' + b"1" * 5_000 + b"}"), "not JSON"),
        (raw(b'{"a\xff":{}}'), "not UTF-8"),
        (raw(b"{}x"), "not JSON"),
        (listed(a=7), "says nothing of the tensor “a”"),
        (listed(a=[]), "says nothing of the tensor “a”"),
        (listed(a={}), "of the unknown type “None”"),
        (listed(a=entry("BF17")), "of the unknown type “BF17”"),
        (listed(a=entry(shape=None)), "impossible shape"),
        (listed(a=entry(shape=[-1])), "impossible shape"),
        (listed(a=entry(shape=[2.0, 3])), "impossible shape"),
        (listed(a=entry(shape=[True, 6])), "impossible shape"),
        (listed(a=entry(shape=[2**40, 2**40])), "impossible shape"),
        (listed(a=entry(shape=[1] * 9)), "impossible shape"),
        (listed(a=entry(offsets=[0])), "does not say where"),
        (listed(a=entry(offsets=[-12, 0])), "does not say where"),
        (listed(a=entry(offsets=["0", "12"])), "does not say where"),
        (listed(a=entry(offsets=[0, 11])), "11 bytes, not what it needs"),
        (listed(a=entry(offsets=[12, 0])), "-12 bytes, not what it needs"),
        (listed(a=entry("F4", [3], [0, 1])), "not what it needs"),
        (listed(a=entry(), b=entry(offsets=[6, 18])), "“b”, which overlaps another"),
        (listed(a=entry(), b=entry(offsets=[14, 26])), "“b”, which lies behind a gap"),
        (listed(a=entry(offsets=[4, 16])), "“a”, which lies behind a gap"),
        (raw(b'{"a":{},"a":{}}'), "the tensor “a” twice"),
    ],
)
def test_each_fault_has_a_sentence(data: bytes, words: str) -> None:
    assert words in complaint(data)


def test_names_are_shown_without_what_could_harm() -> None:
    assert "\x1b" not in complaint(raw(json.dumps({"a\x1b[31m": 1}).encode()))


def test_a_file_on_disk_must_have_the_size_its_header_asks_for(tmp_path: Path) -> None:
    path = write_hollow(tmp_path / "model.safetensors", SMALL)
    assert read_file(path).tensors == tuple(tensors_of(SMALL))
    with path.open("ab") as file:
        file.write(b"x")
    with pytest.raises(BrokenFile, match="bytes, its header asks for"):
        read_file(path)
    with path.open("r+b") as file:
        file.truncate(20)
    with pytest.raises(BrokenFile, match="ends inside its header"):
        read_file(path)


@pytest.mark.parametrize("name", ["absent.safetensors", "folder"])
def test_what_is_no_file_is_said_to_be_none(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(BrokenFile, match="There is no file"):
        read_file(tmp_path / name)


def test_a_long_header_is_read_in_two_pieces() -> None:
    data = header_of({f"layers.{n}.weight": ("BF16", (2, 2)) for n in range(4_000)})
    assert len(data) > FIRST_READ
    asked: list[int] = []

    def more(count: int) -> bytes:
        at = sum(asked)
        asked.append(count)
        return data[at : at + count]

    assert len(read_header(more).tensors) == 4_000
    assert asked == [FIRST_READ, len(data) - FIRST_READ]


SHAPES = st.dictionaries(
    st.text(min_size=1, max_size=20).filter(lambda name: name != "__metadata__"),
    st.tuples(
        st.sampled_from(sorted(BITS)),
        # Eights, because a file has no half bytes.
        st.lists(st.integers(0, 6).map(lambda n: 8 * n), min_size=1, max_size=4).map(tuple),
    ),
    max_size=12,
)


@given(SHAPES)
def test_what_was_written_is_what_is_read(shapes: dict[str, tuple[str, tuple[int, ...]]]) -> None:
    found = parse_header(header_of(shapes))
    expected = sorted(tensors_of(shapes), key=lambda tensor: (tensor.start, tensor.end))
    assert sorted(found.tensors) == sorted(expected)
    assert found.file_bytes == len(whole_file(shapes))


@given(st.binary(max_size=400))
def test_any_bytes_end_in_a_sentence_or_a_question(data: bytes) -> None:
    with contextlib.suppress(BrokenFile, NeedMore):
        parse_header(data)


@given(SHAPES, st.randoms(use_true_random=False))
def test_a_damaged_header_ends_in_a_sentence_or_a_question(
    shapes: dict[str, tuple[str, tuple[int, ...]]], chance: random.Random
) -> None:
    data = bytearray(header_of(shapes))
    for _ in range(3):
        data[chance.randrange(len(data))] = chance.randrange(256)
    try:
        found = parse_header(bytes(data))
    except (BrokenFile, NeedMore):
        return
    assert all(0 <= tensor.start <= tensor.end <= found.file_bytes for tensor in found.tensors)
