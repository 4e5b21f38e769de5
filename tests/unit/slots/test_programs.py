from pathlib import Path

import pytest

from lib.engines.vllm.places import Places
from lib.slots import programs
from lib.slots.installation import LITELLM, VLLM


def environment(root: Path, name: str, version: str, folder: str = "", cuda: str = "") -> Path:
    """A virtual environment that says of itself that it holds this."""
    path = root / "opt/berth" / (folder or f"{name}-{version}")
    packages = path / "lib/python3.12/site-packages"
    (packages / f"{name}-{version}.dist-info").mkdir(parents=True)
    if cuda:
        (packages / f"nvidia_cuda_runtime-{cuda}.dist-info").mkdir()
    (path / "bin").mkdir()
    (path / "bin" / name).touch()
    return path


def test_without_one_the_pinned_vllm_would_be_installed(tmp_path: Path) -> None:
    program = programs.vllm(Places(root=tmp_path))
    assert (str(program.folder), program.is_there) == ("/opt/berth/vllm-0.33.0", False)


def test_for_a_driver_of_cuda_12_its_build_is_another(tmp_path: Path) -> None:
    assert programs.vllm(Places(root=tmp_path), cuda=(12, 8)).version == "0.33.0+cu129"
    assert programs.vllm(Places(root=tmp_path), cuda=(13, 0)).version == "0.33.0"


def test_one_that_is_here_is_used_and_says_its_version(tmp_path: Path) -> None:
    environment(tmp_path, "vllm", "0.32.0")
    program = programs.vllm(Places(root=tmp_path))
    assert (program.version, program.is_there) == ("0.32.0", True)
    assert str(program.folder) == "/opt/berth/vllm-0.32.0"


def test_of_several_the_newest_that_will_do_is_used(tmp_path: Path) -> None:
    for version in ("0.32.1", "0.33.0", "0.9.0"):
        environment(tmp_path, "vllm", version)
    assert programs.vllm(Places(root=tmp_path)).version == "0.33.0"


def test_one_with_a_known_hole_is_passed_over_and_named(tmp_path: Path) -> None:
    environment(tmp_path, "vllm", "0.18.0")
    places = Places(root=tmp_path)
    assert not programs.vllm(places).is_there
    (said,) = programs.refused(VLLM, places)
    assert "older than 0.32.0" in said


def test_a_build_for_a_newer_cuda_than_the_driver_knows_is_passed_over(tmp_path: Path) -> None:
    environment(tmp_path, "vllm", "0.33.0", cuda="13.0.96")
    assert programs.vllm(Places(root=tmp_path), cuda=(13, 1)).is_there
    assert not programs.vllm(Places(root=tmp_path), cuda=(12, 8)).is_there


def test_the_administrators_own_is_taken_and_judged(tmp_path: Path) -> None:
    own = environment(tmp_path, "vllm", "0.20.0", folder="mine")
    places = Places(root=tmp_path)
    program = programs.vllm(places, own)
    (problem,) = programs.problems(VLLM, program, places)
    assert "older than 0.32.0" in problem.message
    assert "/opt/berth/mine" in problem.fix


@pytest.mark.parametrize(("cuda", "is_told"), [((11, 8), True), ((12, 0), False), (None, False)])
def test_a_driver_before_cuda_12_is_told_to_be_too_old(
    tmp_path: Path, cuda: tuple[int, int] | None, is_told: bool
) -> None:
    places = Places(root=tmp_path)
    environment(tmp_path, "vllm", "0.33.0")
    found = programs.problems(VLLM, programs.vllm(places), places, cuda)
    assert any("knows CUDA 11.8" in problem.message for problem in found) is is_told


def test_without_one_the_pinned_litellm_would_be_installed(tmp_path: Path) -> None:
    program = programs.litellm(Places(root=tmp_path))
    assert (str(program.folder), program.is_there) == ("/opt/berth/litellm-1.110.2", False)


@pytest.mark.parametrize("version", ["1.82.7", "1.82.8", "1.107.0", "1.95.0"])
def test_a_litellm_that_steals_or_has_holes_is_never_used(tmp_path: Path, version: str) -> None:
    environment(tmp_path, "litellm", version)
    places = Places(root=tmp_path)
    assert not programs.litellm(places).is_there
    assert version in next(programs.refused(LITELLM, places))


def test_what_has_no_record_of_its_version_is_no_installation(tmp_path: Path) -> None:
    path = environment(tmp_path, "litellm", "1.110.2")
    (path / "lib/python3.12/site-packages/litellm-1.110.2.dist-info").rmdir()
    assert not programs.litellm(Places(root=tmp_path)).is_there


def test_a_half_made_one_is_not_found(tmp_path: Path) -> None:
    environment(tmp_path, "litellm", "1.110.2", folder=".litellm-1.110.2.part")
    assert not programs.litellm(Places(root=tmp_path)).is_there


def test_a_good_one_has_no_problems(tmp_path: Path) -> None:
    environment(tmp_path, "litellm", "1.110.2")
    places = Places(root=tmp_path)
    assert list(programs.problems(LITELLM, programs.litellm(places), places)) == []
