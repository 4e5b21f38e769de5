"""What is made of the names of GGUF files; two tables have repositories of them."""

from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.fit.file_names import (
    Variant,
    also_called,
    named,
    variants,
)
from lib.fit.quantizations import BITS_PER_WEIGHT, MARK, quality
from lib.fit.storage_names import quantization_of, stem_of, storage_of
from tests.conftest import ROOT
from tests.support.names_of_files import Listed, names_of_files

TABLE = ROOT / "tests/support/listed_names.tsv"
LEFT_OUT, LATER_PART = "-", "+"
names = st.text("-_.QqKkMmXxIiUuDd0123456789/Bf", min_size=1, max_size=30)


class Line(NamedTuple):
    """A file, and what is to be listed of it."""

    path: str
    bytes: int
    title: str  # LEFT_OUT, or LATER_PART of the file before
    quantization: str


def repositories() -> dict[str, list[Line]]:
    """What the table has, by the sentence above each."""
    found: dict[str, list[Line]] = {}
    for block in TABLE.read_text(encoding="utf-8").strip().split("\n\n"):
        title, *rows = block.splitlines()
        cells = (row.split("\t") for row in rows)
        found[title.removeprefix("# ")] = [Line(p, int(s), t, q) for p, s, t, q in cells]
    return found


TABLES = repositories()
FILES = names_of_files()


@pytest.mark.parametrize("lines", TABLES.values(), ids=TABLES.keys())
def test_every_file_is_listed_under_its_own_name(lines: list[Line]) -> None:
    found = variants((line.path, line.bytes) for line in lines)
    wanted = [line for line in lines if line.title not in (LEFT_OUT, LATER_PART)]
    listed = {variant.first: (variant.title, variant.quantization) for variant in found}
    assert listed == {line.path: (line.title, line.quantization) for line in wanted}


def test_the_table_is_long_enough_to_mean_something() -> None:
    assert sum(len(lines) for lines in TABLES.values()) >= 300
    assert sum(len(files) for files in FILES.values()) >= 300


@pytest.mark.parametrize("files", FILES.values(), ids=FILES.keys())
def test_what_headers_tell_to_be_models_is_listed_as_a_person_expects(files: list[Listed]) -> None:
    is_model = {one.file: one.is_model for one in files}
    found = variants(((one.file, one.bytes) for one in files), is_model.get)
    wanted = {one.file: (one.listed_as, one.quantization) for one in files if one.listed_as}
    assert {variant.first: (variant.title, variant.quantization) for variant in found} == wanted


@pytest.mark.parametrize("files", FILES.values(), ids=FILES.keys())
def test_where_no_header_can_be_read_no_model_is_hidden_but_a_projectors_namesake(
    files: list[Listed],
) -> None:
    found = {variant.first for variant in variants((one.file, one.bytes) for one in files)}
    hidden = [one.file for one in files if one.listed_as and one.file not in found]
    assert all(file.startswith("mmproj-story") for file in hidden)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("Llama-3.2-1B-Instruct-Q4_K_M.gguf", "Q4_K_M"),
        ("qwen2.5-coder-0.5b-instruct-q4_k_m.gguf", "Q4_K_M"),
        ("model.Q8_0.gguf", "Q8_0"),
        ("Phi-3.5-mini-instruct_Q5_K_S.gguf", "Q5_K_S"),
        ("gemma-3-UD-Q4_K_XL.gguf", "UD-Q4_K_XL"),
        ("gpt-oss-20b-MXFP4_MOE.gguf", "MXFP4"),
        ("x-IQ3_XXS.gguf", "IQ3_XXS"),
        ("x.i1-Q4_K_M.gguf", "Q4_K_M"),
        ("x-fp16.gguf", "F16"),
        ("x-bf16.gguf", "BF16"),
        ("Q8_0/model-00001-of-00003.gguf", "Q8_0"),
        ("UD-Q2_K_XL/model-00001-of-00003.gguf", "UD-Q2_K_XL"),
        ("Q8_0/model-Q4_K_M.gguf", "Q4_K_M"),
        ("Q2_K-to-Q4_0-x-Q6_K.gguf", "Q6_K"),
        ("x-Q4_K_M-f16.gguf", "Q4_K_M"),
        ("x-Q4_K_P.gguf", ""),
        ("x-Q8_K_P.gguf", ""),
        ("AVQ2-7B.gguf", ""),
        ("AVQ2_K-7B.gguf", ""),
        ("model-Q4_0_4_4.gguf", ""),  # a layout that the engine no longer reads
        ("model-q4_k.gguf", "Q4_K"),
        ("Q4", ""),
        ("", ""),
    ],
)
def test_a_quantization_is_read_as_a_whole_word(path: str, expected: str) -> None:
    assert quantization_of(path) == expected


@given(st.text(max_size=300) | names)
def test_any_text_is_a_known_quantization_or_none(text: str) -> None:
    found = quantization_of(text)
    assert found.removeprefix(MARK) in {"", *BITS_PER_WEIGHT}
    assert not found or quality(found)


@given(st.lists(names, max_size=12, unique=True))
def test_no_two_files_have_one_name_and_each_is_found_by_its_own(paths: list[str]) -> None:
    found = variants((f"{path}.gguf", 10) for path in paths)
    assert len({variant.title for variant in found}) == len(found)
    for variant in found:
        assert variant.title.casefold() in also_called(variant)


@given(st.text(max_size=60))
def test_what_is_behind_the_models_name_is_the_end_of_it(text: str) -> None:
    name = f"x{text}".replace("/", "")
    assert stem_of(name).endswith(storage_of(name))
    assert storage_of(name)


def test_the_parts_of_a_divided_model_are_one_variant() -> None:
    [found] = variants([(f"Q8_0/m-Q8_0-{n:05d}-of-00003.gguf", 10**9 + n) for n in (2, 1, 3)])
    assert found.quantization == "Q8_0"
    assert found.bytes == 3 * 10**9 + 6
    assert found.is_divided
    assert found.paths == tuple(f"Q8_0/m-Q8_0-{n:05d}-of-00003.gguf" for n in (1, 2, 3))


@pytest.mark.parametrize("present", [(1, 2), (2, 3), (1,), (1, 2, 4)])
def test_a_divided_model_with_a_missing_part_is_left_out(present: tuple[int, ...]) -> None:
    assert variants([(f"m-Q8_0-{n:05d}-of-00003.gguf", 1) for n in present]) == []


def test_a_hostile_number_of_parts_is_harmless() -> None:
    assert variants([("m-Q8_0-00001-of-99999.gguf", 1), ("n-Q8_0-00000-of-00000.gguf", 1)]) == []


def test_what_a_header_said_counts_more_than_a_name() -> None:
    files = [("Forge-8B-Q4_K_M.gguf", 900), ("Forge-8B-LoRA-Q8_0.gguf", 9), ("odd-Q8_0.gguf", 800)]
    assert [v.first for v in variants(files)] == ["odd-Q8_0.gguf", "Forge-8B-Q4_K_M.gguf"]
    told = {"Forge-8B-LoRA-Q8_0.gguf": True, "odd-Q8_0.gguf": False}
    found = variants(files, told.get)
    assert [v.first for v in found] == ["Forge-8B-LoRA-Q8_0.gguf", "Forge-8B-Q4_K_M.gguf"]


def test_variants_come_best_first_and_those_of_unknown_quality_last() -> None:
    of = ["Q2_K", "Q8_0", "IQ4_XS", "F16", "UD-Q4_K_XL", "IQ4_KS", "Q4_K_M", "q4"]
    found = variants([(f"m-{name}.gguf", at) for at, name in enumerate(of, start=1)])
    assert [variant.title for variant in found] == [
        *("F16", "Q8_0", "UD-Q4_K_XL", "Q4_K_M", "IQ4_XS", "Q2_K"),
        *("q4", "IQ4_KS"),
    ]
    assert [variant.is_known for variant in found][-3:] == [True, False, False]


def test_paths_that_differ_by_case_alone_keep_their_paths() -> None:
    two = [Variant(quantization="", paths=(path,), bytes=1) for path in ("A.gguf", "a.gguf")]
    assert [variant.title for variant in named(two)] == ["A.gguf", "a.gguf"]
