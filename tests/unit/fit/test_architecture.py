"""A shape in its own file, and in files of other quantizations."""

from pathlib import Path

import pytest

from lib.fit.architecture import Geometry, geometry
from lib.fit.gguf import Header, read_file
from tests.support.blueprints import MODELS
from tests.support.headers import write
from tests.support.plans import blueprint_file

WORDS = [f"w{number}" for number in range(20_000)]


@pytest.fixture(scope="module", params=("Llama-3.2-1B-pure", "GLM-4.5-Air", "Gemma-3-12B"))
def read(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Header:
    """Tied and repacked; with a layer that only drafts; neither."""
    return read_file(blueprint_file(request.param, tmp_path_factory.mktemp("shapes")))


def test_in_its_own_file_a_model_takes_what_its_header_says(read: Header) -> None:
    shape = geometry(read)
    assert shape.stored_in(read.file_bytes) == shape
    assert shape.stored_in(read.file_bytes + 31) == shape  # the last tensor's padding


def test_what_is_loaded_twice_is_so_in_its_own_file_alone(tmp_path: Path) -> None:
    header = read_file(blueprint_file("Llama-3.2-1B-pure", tmp_path))
    shape = geometry(header)
    tensors = header.weights_bytes
    assert shape.weights_bytes > tensors
    assert shape.stored_in(header.file_bytes + tensors).weights_bytes == 2 * tensors


def test_what_stays_in_the_file_stays_there_in_any_quantization(tmp_path: Path) -> None:
    header = read_file(blueprint_file("GLM-4.5-Air", tmp_path))
    shape = geometry(header)
    left = 1 - shape.weights_bytes / header.weights_bytes
    half = shape.stored_in(header.file_bytes - header.weights_bytes // 2)
    assert left > 0.01
    assert half.weights_bytes == pytest.approx(shape.weights_bytes / 2, rel=1e-9)
    assert half.active_bytes == pytest.approx(shape.active_bytes / 2, rel=1e-9)


def test_the_vocabulary_is_not_counted_as_weights(tmp_path: Path) -> None:
    path = write(tmp_path / "model.gguf", MODELS["Qwen3-0.6B"](), WORDS)
    header = read_file(path)
    other = geometry(header).stored_in(header.file_bytes + header.weights_bytes)
    assert header.file_bytes - header.weights_bytes > 200_000
    assert other.weights_bytes == 2 * header.weights_bytes


def test_a_file_smaller_than_the_vocabulary_has_no_weights(tmp_path: Path) -> None:
    path = write(tmp_path / "model.gguf", MODELS["Qwen3-0.6B"](), WORDS)
    assert geometry(read_file(path)).stored_in(1_000).weights_bytes == 0


def test_without_weights_all_files_of_a_shape_are_one(read: Header) -> None:
    shape = geometry(read)
    assert _bare(shape) == _bare(shape.stored_in(read.file_bytes // 2))


def _bare(shape: Geometry) -> Geometry:
    return shape.without_weights()
