"""Projectors: which file lets which model see."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.engines.llamacpp import files as llamacpp_files
from lib.engines.llamacpp.adopt import adopt
from lib.engines.llamacpp.files import ModelFile
from lib.fit.file_names import (
    best_projector,
    is_projector,
    name_alone,
    variants,
)
from tests.support.tiny_gguf import write_tiny
from tests.support.tiny_projector import write_projector

COMMIT = "a" * 40
DOWNLOAD = f"acme/Anvil-VL-GGUF/{COMMIT}"


@pytest.fixture
def models(home: Path) -> Path:
    folder = home / "models"
    folder.mkdir(parents=True)
    return folder


def projectors() -> dict[str, str]:
    """The name of each model's projector, by the model's name."""
    return {file.name: Path(file.projector).name for file in llamacpp_files.all_files()}


@pytest.mark.parametrize(
    "path",
    [
        "mmproj-F16.gguf",
        "mmproj-model-f16.gguf",
        "Anvil-VL-1B-mmproj-f16.gguf",
        "anvil.mmproj-Q8_0.gguf",
        "sub/MMPROJ-anvil.GGUF",
    ],
)
def test_a_projector_is_known_by_its_name_and_is_no_model(path: str) -> None:
    assert is_projector(path)
    assert variants([(path, 10)]) == []


@pytest.mark.parametrize("path", ["mmproj-F16.bin", "anvil-Q8_0.gguf", "ammprojx-Q8_0.gguf", ""])
def test_other_files_are_no_projectors(path: str) -> None:
    assert not is_projector(path)


@pytest.mark.parametrize(
    ("offered", "best"),
    [
        ("F32 BF16 F16 Q8_0", "Q8_0"),
        ("F32 BF16 F16", "F16"),
        ("F32 BF16", "BF16"),
        ("F32 Q4_K_M", "F32"),
        ("Q4_K_M", "Q4_K_M"),
    ],
)
def test_the_smallest_that_is_as_good_as_any_is_chosen(offered: str, best: str) -> None:
    files = [(f"mmproj-anvil-{name}.gguf", 100) for name in offered.split()]
    found = best_projector("anvil.gguf", [("anvil-Q4_K_M.gguf", 5), *files])
    assert found == (f"mmproj-anvil-{best}.gguf", 100)


def test_a_namesake_goes_before_a_nameless_one_and_that_before_others() -> None:
    files = [(f"mmproj-{name}F16.gguf", 9) for name in ("bolt-", "", "anvil-")]
    assert best_projector("anvil-Q4_0.gguf", files) == ("mmproj-anvil-F16.gguf", 9)
    assert best_projector("bolt-2b-Q4_0.gguf", files) == ("mmproj-bolt-F16.gguf", 9)
    assert best_projector("clamp-Q4_0.gguf", files) == ("mmproj-F16.gguf", 9)
    assert best_projector("clamp-Q4_0.gguf", files[:1]) == ("mmproj-bolt-F16.gguf", 9)


def test_where_there_is_none_none_is_chosen() -> None:
    assert best_projector("anvil.gguf", [("anvil.gguf", 5), ("README.md", 1)]) is None


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("mmproj-F16.gguf", ""),
        ("mmproj-model-f16.gguf", ""),
        ("mmproj-Anvil_VL-1B-f16.gguf", "anvil-vl-1b"),
        ("Anvil-VL-1B-Q4_K_M.gguf", "anvil-vl-1b"),
        ("Anvil-VL-1B-Q4_K_M-00001-of-00003.gguf", "anvil-vl-1b"),
        ("sub/qwen2.5-vl-3b-instruct-mmproj-bf16.gguf", "qwen2.5-vl-3b-instruct"),
    ],
)
def test_the_name_of_a_model_stands_in_every_file_of_it(path: str, name: str) -> None:
    assert name_alone(path) == name


@given(st.text())
def test_any_path_has_a_name_and_a_place(path: str) -> None:
    assert isinstance(name_alone(path), str)
    assert best_projector(path, [(path, 1)]) in (None, (path, 1))


def test_all_models_of_a_download_share_its_projector(models: Path) -> None:
    for name in ("Anvil-VL-Q4_0.gguf", "Anvil-VL-Q8_0.gguf", "BF16/Anvil-VL-BF16.gguf"):
        write_tiny(models / DOWNLOAD / name)
    write_projector(models / DOWNLOAD / "mmproj-F32.gguf")
    write_projector(models / DOWNLOAD / "mmproj-F16.gguf")
    write_tiny(models / "acme" / "Plain-GGUF" / COMMIT / "plain.gguf")
    shared = dict.fromkeys(("Anvil-VL-Q4_0", "Anvil-VL-Q8_0", "Anvil-VL-BF16"), "mmproj-F16.gguf")
    assert projectors() == {**shared, "plain": ""}


def test_a_download_does_not_lend_its_projector_to_another_of_the_same_owner(models: Path) -> None:
    write_tiny(models / DOWNLOAD / "anvil.gguf")
    write_projector(models / "acme" / "mmproj-F16.gguf")
    write_projector(models / "acme" / "Anvil-VL-GGUF" / "mmproj-F16.gguf")
    assert projectors() == {"anvil": ""}


def test_in_a_shared_folder_a_projector_belongs_to_its_namesakes(models: Path) -> None:
    for name in ("Anvil-VL-1B-Q4_0", "Anvil-VL-1B-Q8_0", "Plain-1B-Q4_0"):
        write_tiny(models / f"{name}.gguf")
    write_projector(models / "mmproj-F16.gguf")
    assert set(projectors().values()) == {""}, "nobody can tell whose it is"
    write_projector(models / "mmproj-Anvil-VL-1B-f16.gguf")
    named = "mmproj-Anvil-VL-1B-f16.gguf"
    assert projectors() == {
        "Anvil-VL-1B-Q4_0": named,
        "Anvil-VL-1B-Q8_0": named,
        "Plain-1B-Q4_0": "",
    }


def test_beside_a_single_model_any_projector_is_its(models: Path) -> None:
    write_tiny(models / "own" / "Anvil-Q4_0.gguf")
    write_tiny(models / "own" / "Anvil-Q8_0.gguf")
    write_projector(models / "own" / "mmproj-model-f16.gguf")
    assert set(projectors().values()) == {"mmproj-model-f16.gguf"}


def test_a_model_used_where_it_is_sees_with_what_lies_there(models: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "downloads"
    write_tiny(elsewhere / "anvil.gguf")
    write_projector(elsewhere / "mmproj-F16.gguf")
    file = adopt(elsewhere / "anvil.gguf")
    assert Path(file.projector) == (elsewhere / "mmproj-F16.gguf").resolve()
    llamacpp_files.remove(file)
    assert (elsewhere / "mmproj-F16.gguf").exists(), "it is not Berth's"


def test_a_projector_counts_as_a_part_of_its_model(models: Path) -> None:
    [path] = write_tiny(models / "anvil.gguf")
    assert found().size_bytes == path.stat().st_size
    projector = write_projector(models / "mmproj-F16.gguf")
    assert found().size_bytes == path.stat().st_size + projector.stat().st_size
    projector.unlink()
    assert (found().projector, found().size_bytes) == ("", path.stat().st_size)


def test_a_model_that_is_called_a_projector_is_none(models: Path) -> None:
    for name in ("anvil", "mmproj-F16"):
        write_tiny(models / f"{name}.gguf")
    assert projectors() == {"anvil": "", "mmproj-F16": ""}


def test_a_projector_is_one_whatever_it_is_called(models: Path) -> None:
    write_tiny(models / DOWNLOAD / "anvil-Q8_0.gguf")
    write_projector(models / DOWNLOAD / "vision_encoder.gguf")
    assert projectors() == {"anvil-Q8_0": "vision_encoder.gguf"}


@pytest.mark.parametrize("broken", ["cut", "empty", "hearing", "folder", "link"])
def test_what_is_no_projector_for_images_leaves_the_model_as_it_is(
    models: Path, broken: str
) -> None:
    write_tiny(models / "anvil.gguf")
    projector = write_projector(models / "mmproj-F16.gguf", sees=broken != "hearing")
    if broken == "cut":
        os.truncate(projector, projector.stat().st_size - 1_000)
    elif broken == "empty":
        projector.write_bytes(b"")
    elif broken != "hearing":
        projector.unlink()
        projector.mkdir() if broken == "folder" else projector.symlink_to("nowhere")
    assert found().projector == ""
    assert found().problem == ""


def test_the_last_model_takes_its_projector_with_it(models: Path) -> None:
    for name in ("Anvil-Q4_0", "Anvil-Q8_0"):
        write_tiny(models / DOWNLOAD / f"{name}.gguf")
    projector = write_projector(models / DOWNLOAD / "mmproj-F16.gguf")
    one, other = llamacpp_files.all_files()
    llamacpp_files.remove(one)
    assert projector.exists(), "the other one sees with it"
    llamacpp_files.remove(other)
    assert list(models.iterdir()) == []


def test_a_divided_model_in_a_folder_of_its_own_takes_all_with_it(models: Path) -> None:
    write_tiny(models / DOWNLOAD / "Q8_0" / "Anvil-Q8_0.gguf", parts=2)
    write_projector(models / DOWNLOAD / "mmproj-F16.gguf")
    assert Path(found().projector).name == "mmproj-F16.gguf"
    llamacpp_files.remove(found())
    assert list(models.iterdir()) == []


def found() -> ModelFile:
    """The only model."""
    [file] = llamacpp_files.all_files()
    return file
