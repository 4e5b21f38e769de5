"""What a file is, and what a model does, by its header and by nothing else."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.fit import gguf
from lib.fit.engine_tables import ARCHITECTURES, PICTURES
from lib.fit.kinds import (
    NOT_SERVED,
    WORDS,
    Kind,
    Task,
    kind,
    kind_of,
    presumed,
    reads_at_once,
    task_of,
)
from tests.support.blueprints_dense import dense
from tests.support.by_products import KINDS, write_by_product
from tests.support.headers import write
from tests.support.tiny_encoder import write_encoder
from tests.support.tiny_gguf import write_tiny

EXPECTED = {
    "projector": Kind.PROJECTOR,
    "adapter": Kind.ADAPTER,
    "importance": Kind.IMPORTANCE,
    "drafter": Kind.DRAFTER,
    "layers": Kind.DRAFTER,
    "control": Kind.CONTROL,
    "vocabulary": Kind.VOCABULARY,
    "vae": Kind.NOTHING,
}


def shaped(folder: Path, architecture: str, **values: int) -> gguf.Header:
    """A small model that says so of itself."""
    made = dense(
        architecture, layers=2, width=64, forward=128, heads=2, kv=2, vocabulary=64, length=32
    )
    made.set("", **values)
    return gguf.read_file(write(folder / "m.gguf", made))


@pytest.mark.parametrize("what", KINDS)
def test_what_goes_beside_a_model_is_known_by_its_header(tmp_path: Path, what: str) -> None:
    file = write_by_product(tmp_path / "m.gguf", what)
    seen = gguf.glimpse_file(file)
    assert kind_of(gguf.read_file(file)) == EXPECTED[what]
    assert kind(seen.values, seen.tensors, seen.tensor_count) == EXPECTED[what]


def test_a_model_is_one(tmp_path: Path) -> None:
    [file] = write_tiny(tmp_path / "mmproj-lora-imatrix.gguf")
    assert kind_of(gguf.read_file(file)) == Kind.MODEL
    assert kind_of(gguf.read_file(write_encoder(tmp_path / "e.gguf"))) == Kind.MODEL


def test_a_model_with_drafting_layers_of_its_own_is_a_model(tmp_path: Path) -> None:
    header = shaped(tmp_path, "qwen3", nextn_predict_layers=1)
    assert kind_of(header) == Kind.MODEL


def test_every_kind_has_its_word_and_a_name_presumes_one() -> None:
    assert set(WORDS) == set(Kind)
    words = ("mmproj", "imatrix", "lora", "adapter", "mtp", "eagle3", "draft", "vocab", "vae")
    assert {presumed(word) for word in (*words, "control-vector")} == set(Kind) - {Kind.MODEL}


@pytest.mark.parametrize(
    ("architecture", "values", "task", "at_once"),
    [
        ("llama", {}, Task.WRITING, False),
        ("qwen3", {"pooling_type": 0}, Task.WRITING, False),
        ("qwen3", {"pooling_type": 3}, Task.EMBEDDING, False),
        ("qwen3", {"pooling_type": 1}, Task.EMBEDDING, True),
        ("qwen3", {"pooling_type": 4}, Task.RANKING, True),
        ("bert", {}, Task.EMBEDDING, True),
        ("bert", {"pooling_type": 4}, Task.RANKING, True),
        ("gemma-embedding", {"pooling_type": 3}, Task.EMBEDDING, True),
        ("t5", {}, Task.TRANSLATING, True),
        ("t5encoder", {}, Task.ENCODING, True),
        ("dream", {}, Task.DIFFUSION, True),
        ("llada-moe", {}, Task.DIFFUSION, True),
        ("qwen3tts", {}, Task.SPEECH, True),
        ("flux", {}, Task.PICTURES, True),
        ("nobody-knows", {}, Task.WRITING, False),
    ],
)
def test_what_a_model_does_is_read_from_its_header(
    tmp_path: Path, architecture: str, values: dict[str, int], task: Task, at_once: bool
) -> None:
    header = shaped(tmp_path, architecture, **values)
    assert (task_of(header), reads_at_once(header)) == (task, at_once)


def test_what_makes_pictures_is_no_kind_that_the_engine_knows() -> None:
    assert not PICTURES & ARCHITECTURES
    assert {*NOT_SERVED, Task.WRITING, Task.EMBEDDING, Task.RANKING} == set(Task)


@given(st.dictionaries(st.text(max_size=20), st.text(max_size=9) | st.integers() | st.booleans()))
def test_any_metadata_is_of_some_kind(values: dict[str, str | int | bool]) -> None:
    for tensors in (None, [], ["blk.0.x"]):
        assert kind(values, tensors) in Kind
