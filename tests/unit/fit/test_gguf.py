import os
import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import gguf as official
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.core.errors import BrokenFile
from lib.fit.gguf import (
    LONGEST_ARRAY,
    LONGEST_HEADER,
    Header,
    NeedMore,
    glimpse,
    parse,
    read_file,
    read_header,
    read_model,
    shard_paths,
)
from lib.fit.quantizations import FILE_TYPES, TENSOR_TYPES
from tests.support.blueprints import MODELS
from tests.support.headers import write
from tests.support.tiny_gguf import write_tiny

STRING, ARRAY, UINT32 = 8, 9, 4


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value)) + value.encode()


def pair(key: str, type_id: int, value: bytes) -> bytes:
    return text(key) + struct.pack("<I", type_id) + value


def tensor(name: str = "t", shape: tuple[int, ...] = (32,), type_id: int = 0, at: int = 0) -> bytes:
    dimensions = struct.pack(f"<I{len(shape)}Q", len(shape), *shape)
    return text(name) + dimensions + struct.pack("<IQ", type_id, at)


def header(
    *pairs: bytes,
    tensors: tuple[bytes, ...] = (),
    version: int = 3,
    counts: tuple[int, int] | None = None,
) -> bytes:
    """A header byte by byte, so that it can be wrong in any way."""
    start = struct.pack("<4sIQQ", b"GGUF", version, *(counts or (len(tensors), len(pairs))))
    return start + b"".join(pairs) + b"".join(tensors)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    [path] = write_tiny(tmp_path_factory.mktemp("tiny") / "tiny.gguf")
    return path.read_bytes()


def test_a_header_says_what_the_official_writer_wrote(tmp_path: Path) -> None:
    [path] = write_tiny(tmp_path / "tiny.gguf", context=2048)
    found = read_file(path)
    assert (found.version, found.architecture, found.name) == (3, "llama", "Tiny")
    assert (found.quantization, found.context_length) == ("F32", 2048)
    assert found.chat_template is not None
    assert found.chat_template.startswith("{% for m in messages %}")
    assert found.lengths["tokenizer.ggml.tokens"] == 259
    assert found.values["llama.attention.head_count"] == 2
    assert found.file_bytes == path.stat().st_size


def test_tensors_and_offsets_agree_with_the_official_reader(tmp_path: Path) -> None:
    path = write(tmp_path / "moe.gguf", MODELS["gpt-oss-20b"]())
    found, judge = read_file(path), official.GGUFReader(path)
    assert found.data_offset == judge.data_offset
    assert [
        (t.name, t.shape, t.type, found.data_offset + t.offset, t.bytes) for t in found.tensors
    ] == [
        (t.name, tuple(int(n) for n in t.shape), t.tensor_type.name, t.data_offset, t.n_bytes)
        for t in judge.tensors
    ]
    assert found.parameters == sum(int(t.n_elements) for t in judge.tensors)


def test_every_kind_of_value_is_read_as_it_was_written(tmp_path: Path) -> None:
    writer = official.GGUFWriter(tmp_path / "values.gguf", "llama")
    written = {
        "uint8": 255, "int8": -128, "uint16": 65_535, "int16": -32_768, "uint32": 2**32 - 1,
        "int32": -(2**31), "float32": 0.5, "bool": True, "string": "naïve 文", "uint64": 2**64 - 1,
        "int64": -(2**63), "float64": 0.1,
    }  # fmt: skip
    for kind, value in written.items():
        getattr(writer, f"add_{kind}")(kind, value)
    writer.add_array("numbers", [1, 2, 3])
    writer.add_array("words", ["a", "", "b"])
    writer.add_array("long", list(range(LONGEST_ARRAY + 1)))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    found = read_file(tmp_path / "values.gguf")
    assert {key: found.values[key] for key in written} == written
    assert found.values["numbers"] == (1, 2, 3)
    assert found.values["words"] == ("a", "", "b")
    assert "long" not in found.values
    assert found.lengths["long"] == LONGEST_ARRAY + 1


def test_the_tables_of_types_are_those_of_the_official_package() -> None:
    for kind, (block, size) in official.GGML_QUANT_SIZES.items():
        if kind.name not in ("Q8_1", "Q8_K"):  # used while computing, never in a file
            assert TENSOR_TYPES[kind.value] == (kind.name, block, size)
    for file_type in official.LlamaFileType:
        if file_type.name != "GUESSED":
            name = file_type.name.removeprefix("MOSTLY_").removeprefix("ALL_").removesuffix("_MOE")
            assert FILE_TYPES[file_type.value] == name


def test_a_tensor_of_an_unknown_type_takes_all_up_to_the_next() -> None:
    tensors = (
        tensor(name="a", shape=(256, 4), type_id=77, at=0),
        tensor(name="b", shape=(256, 4), type_id=0, at=1_024),
        tensor(name="c", shape=(100,), type_id=99, at=1_024 + 4_096),
    )
    found = parse(header(tensors=tensors))
    assert [one.bytes for one in found.tensors] == [1_024, 4_096, 0]
    assert found.unknown_types == ("type 77", "type 99")
    assert found.file_bytes == found.data_offset + 1_024 + 4_096
    assert parse(header(tensors=(tensor(),))).unknown_types == ()


def test_a_glimpse_tells_what_the_first_bytes_hold(tiny: bytes) -> None:
    whole = parse(tiny)
    assert glimpse(tiny).tensors == tuple(one.name for one in whole.tensors)
    length = whole.pairs["llama.context_length"]
    seen = glimpse(tiny[: tiny.index(length) + len(length)])
    assert seen.values["general.architecture"] == "llama"
    assert (seen.tensor_count, seen.tensors) == (len(whole.tensors), None)
    assert "llama.embedding_length" not in seen.values
    for broken in (b"", b"GGUF", b"<html>", b"\0" * 100):
        with pytest.raises(BrokenFile):
            glimpse(broken)


def test_version_2_is_read_too() -> None:
    assert parse(header(version=2)).version == 2


def test_pairs_are_kept_as_they_stand_but_for_the_vocabulary() -> None:
    pairs = (pair("a", STRING, text("x")), pair("b", UINT32, b"\1\0\0\0"))
    others = (pair("tokenizer.ggml.model", STRING, text("gpt2")),)
    found = parse(header(*pairs, *others))
    assert list(found.pairs.values()) == list(pairs)
    assert Header.model_validate_json(found.model_dump_json()) == found


@pytest.mark.parametrize("pieces", [500, 7_000, 10**9])
def test_a_header_may_come_in_pieces_of_any_size(tiny: bytes, pieces: int) -> None:
    source = iter(tiny[i : i + pieces] for i in range(0, len(tiny), pieces))
    assert read_header(lambda _: next(source, b"")) == parse(tiny)


def test_a_prefix_asks_for_more_until_it_is_enough(tiny: bytes) -> None:
    length, asked = 1, []
    while True:
        try:
            found = parse(tiny[:length])
            break
        except NeedMore as error:
            asked.append(error.bytes)
            assert error.bytes > length
            length = error.bytes
    assert found == parse(tiny)
    assert len(asked) < 20


WRONG_STARTS = {
    "a Git LFS pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:1234\n",
    "a web page": b"<!DOCTYPE html><html><body>Sign in</body></html>",
    "a zip archive": b"PK\3\4" + bytes(60),
    "a safetensors file": struct.pack("<Q", 1000) + b'{"__metadata__":{}}',
    "not a GGUF file": b"\x7fELF" + bytes(60),
    "big-endian": struct.pack(">4sIQQ", b"GGUF", 3, 0, 0),
    "version 1": header(version=1),
    "version 99": header(version=99),
}


@pytest.mark.parametrize(("what", "start"), WRONG_STARTS.items(), ids=WRONG_STARTS)
def test_a_file_of_another_kind_is_named(tmp_path: Path, what: str, start: bytes) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(start)
    with pytest.raises(BrokenFile, match=what) as caught:
        read_file(path)
    assert "“model.gguf”" in caught.value.message
    assert caught.value.fix


HOSTILE = {
    "tensors": header(counts=(2**63, 0)),
    "values": header(counts=(0, 2**63)),
    "longer than 64 MB": header(struct.pack("<Q", 2**62)),
    "longer than 64 MB ": header(pair("k", STRING, struct.pack("<Q", 2**64 - 1))),
    "an array of": header(pair("k", ARRAY, struct.pack("<IQ", UINT32, 2**60))),
    "longer than 64 MB  ": header(pair("k", ARRAY, struct.pack("<IQ", 10, LONGEST_HEADER))),
    "longer than 64 MB   ": header(
        pair("k", ARRAY, struct.pack("<IQ", STRING, 2_000) + struct.pack("<Q", 2**64 - 1) * 2_000)
    ),
    "an array of the unknown type 9": header(pair("k", ARRAY, struct.pack("<IQ", ARRAY, 1))),
    "value of the unknown type 77": header(pair("k", 77, b"")),
    "“k” twice": header(pair("k", UINT32, bytes(4)), pair("k", UINT32, bytes(4))),
    "no power of two": header(pair("general.alignment", UINT32, struct.pack("<I", 24))),
    "no power of two ": header(pair("general.alignment", UINT32, bytes(4))),
    "no power of two  ": header(pair("general.alignment", STRING, text("32"))),
    "4294967295 dimensions": header(tensors=(text("t") + b"\xff" * 4,)),
    "an impossible size": header(tensors=(tensor(shape=(2**40, 2**40)),)),
    "an impossible size ": header(tensors=(tensor(at=2**63),)),
    "rows of 100": header(tensors=(tensor(shape=(100, 4), type_id=12),)),
}  # fmt: skip


@pytest.mark.parametrize(("what", "data"), HOSTILE.items(), ids=[name.strip() for name in HOSTILE])
def test_a_hostile_header_is_refused_without_taking_memory(what: str, data: bytes) -> None:
    tracemalloc.start()
    with pytest.raises(BrokenFile, match=what.strip()):
        parse(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10**6


def test_a_missing_file_a_folder_and_an_empty_file_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "empty.gguf").touch()
    for path, words in {
        tmp_path / "none.gguf": "There is no file",
        tmp_path: "is a folder",
        tmp_path / "empty.gguf": "is empty",
    }.items():
        with pytest.raises(BrokenFile, match=words):
            read_file(path)


@pytest.mark.parametrize("name", ["a\0b.gguf", "a" * 10_000 + ".gguf", "\u202efgg.exe"])
def test_an_impossible_path_is_an_error_in_words(tmp_path: Path, name: str) -> None:
    with pytest.raises(BrokenFile) as caught:
        read_file(tmp_path / name)
    assert len(caught.value.message) < 200
    assert "\u202e" not in caught.value.message
    assert "\0" not in caught.value.message


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_named_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.gguf")
    with pytest.raises(BrokenFile, match="not an ordinary file"):
        read_file(tmp_path / "pipe.gguf")


def test_a_download_that_stopped_in_the_weights_names_both_sizes(
    tmp_path: Path, tiny: bytes
) -> None:
    path = tmp_path / "cut.gguf"
    path.write_bytes(tiny[:-1000])
    with pytest.raises(BrokenFile, match=f"{len(tiny) - 1000:,} bytes.*{len(tiny):,}"):
        read_file(path)


def test_a_download_that_stopped_in_the_header_says_so(tmp_path: Path, tiny: bytes) -> None:
    path = tmp_path / "cut.gguf"
    path.write_bytes(tiny[:3000])
    with pytest.raises(BrokenFile, match="ends inside its header, after 3,000 bytes"):
        read_file(path)


def test_a_divided_model_is_read_as_one(tmp_path: Path) -> None:
    [whole] = write_tiny(tmp_path / "whole.gguf")
    parts = write_tiny(tmp_path / "tiny.gguf", parts=3)
    assert len(parts) == 3
    one, all_three = read_file(whole), read_model(parts[1])
    assert shard_paths(parts[2]) == parts
    assert all_three.parameters == one.parameters
    assert all_three.weights_bytes == one.weights_bytes
    assert all_three.architecture == "llama"
    assert [t.name for t in all_three.tensors] == [t.name for t in one.tensors]


def test_a_missing_part_is_named(tmp_path: Path) -> None:
    parts = write_tiny(tmp_path / "tiny.gguf", parts=3)
    parts[1].unlink()
    with pytest.raises(BrokenFile, match=r"Part 2 of 3 is missing: “tiny-00002-of-00003\.gguf”"):
        shard_paths(parts[0])


def test_a_part_beyond_the_last_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BrokenFile, match="3 parts"):
        shard_paths(tmp_path / "tiny-00004-of-00003.gguf")


def test_any_other_file_is_a_model_by_itself(tmp_path: Path) -> None:
    assert shard_paths(tmp_path / "model.gguf") == [tmp_path / "model.gguf"]


def survives(data: bytes, check: Callable[[Header], object] = lambda _: None) -> None:
    """Parsing ends in a header or in one of the two errors, whatever the bytes are."""
    tracemalloc.start()
    try:
        check(parse(data))
    except (BrokenFile, NeedMore):
        pass
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 20 * len(data) + 10**6


@given(st.binary(max_size=2_000))
def test_random_bytes_are_refused(data: bytes) -> None:
    survives(data)
    survives(b"GGUF\3\0\0\0" + data)


@settings(max_examples=60)
@given(length=st.integers(0, 20_000))
def test_a_cut_header_is_refused_or_asks_for_more(tiny: bytes, length: int) -> None:
    survives(tiny[:length])


@settings(max_examples=200)
@given(
    changes=st.lists(
        st.tuples(st.integers(0, 20_000), st.integers(0, 255)), min_size=1, max_size=20
    )
)
def test_a_damaged_header_is_refused_or_read(tiny: bytes, changes: list[tuple[int, int]]) -> None:
    damaged = bytearray(tiny[:20_000])
    for place, byte in changes:
        damaged[place % len(damaged)] = byte
    survives(bytes(damaged), lambda found: found.model_dump_json())


@settings(max_examples=100)
@given(
    place=st.integers(0, 11_000),
    number=st.sampled_from([0, 1, 2**31, 2**32 - 1, 2**63, 2**64 - 1, LONGEST_HEADER]),
)
def test_a_hostile_number_at_any_place_is_survived(tiny: bytes, place: int, number: int) -> None:
    survives(tiny[:place] + struct.pack("<Q", number) + tiny[place + 8 : 20_000])
