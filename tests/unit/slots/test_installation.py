import os
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest

from lib.core.errors import EngineError
from lib.engines.vllm.places import Places
from lib.jobs.report import Report
from lib.slots import installation
from lib.slots.change import Rehearsal
from lib.slots.installation import LITELLM, VLLM
from lib.slots.plan import Program

PROGRAM = Program(folder=Path("/opt/berth/litellm-1.110.2"), version="1.110.2", is_there=False)


def vllm(version: str) -> Program:
    return Program(folder=Path(f"/opt/berth/vllm-{version}"), version=version, is_there=False)


@pytest.fixture
def one_python(monkeypatch: pytest.MonkeyPatch) -> Path:
    """The system has this very Python, and no other."""
    path = Path(sys.executable)
    for name in ("PYTHONS", "LITELLM_PYTHONS"):
        monkeypatch.setattr(installation, name, (path,))
    return path


def lines(name: str, program: Program, root: Path) -> list[str]:
    return [step.sentence for step in installation.steps(name, program, Places(root=root))]


def test_litellm_comes_from_its_list_by_hash_and_from_nothing_else(
    tmp_path: Path, one_python: Path
) -> None:
    make, install, check = lines(LITELLM, PROGRAM, tmp_path)
    assert make.startswith(f"{one_python} -m venv ")
    assert "--require-hashes --no-deps --only-binary :all: -r" in install
    assert install.endswith("litellm-requirements.txt")
    assert check.endswith("bin/litellm --version")


def test_it_is_built_beside_its_place(tmp_path: Path, one_python: Path) -> None:
    part = f"{tmp_path}/opt/berth/.litellm-1.110.2.part"
    assert all(part in line for line in lines(LITELLM, PROGRAM, tmp_path))


def test_vllm_is_pinned_and_brings_its_kernels(tmp_path: Path, one_python: Path) -> None:
    _, install, kernels, check = lines(VLLM, vllm("0.33.0"), tmp_path)
    assert install.endswith(" vllm==0.33.0")
    assert "--extra-index-url" not in install
    assert kernels.endswith("bin/vllm download-kernels")
    assert check.endswith("bin/vllm --version")


def test_the_build_for_cuda_12_names_its_indexes_and_cannot_become_another(
    tmp_path: Path, one_python: Path
) -> None:
    install = lines(VLLM, vllm("0.33.0+cu129"), tmp_path)[1]
    assert "--extra-index-url https://wheels.vllm.ai/0.33.0/cu129 " in install
    assert "--extra-index-url https://download.pytorch.org/whl/cu129 " in install
    assert install.endswith("vllm==0.33.0+cu129")


def test_a_finished_one_gets_its_name_and_its_scripts_run_from_there(tmp_path: Path) -> None:
    part, final = tmp_path / ".x.part", tmp_path / "x"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(part)], check=True)
    script = part / "bin/hello"
    script.write_text(f"#!{part}/bin/python\nimport sys; print(sys.prefix)\n")
    script.chmod(0o755)
    (part / ".cache").mkdir()
    installation.complete(part, final)
    said = subprocess.run([str(final / "bin/hello")], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == str(final)
    assert os.access(final / "bin/hello", os.X_OK)
    assert str(part) not in (final / "pyvenv.cfg").read_text()
    assert not part.exists()
    assert not (final / ".cache").exists()


def test_a_dry_run_tells_and_makes_nothing(tmp_path: Path, one_python: Path) -> None:
    out = StringIO()
    report = Report(out)
    places = Places(root=tmp_path)
    installation.install(LITELLM, PROGRAM, places, Rehearsal(report), report)
    assert out.getvalue().count("would run") == 3
    assert not places.programs.exists()


def test_one_that_is_complete_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "opt/berth/litellm-1.110.2").mkdir(parents=True)
    out = StringIO()
    report = Report(out)
    installation.install(LITELLM, PROGRAM, Places(root=tmp_path), Rehearsal(report), report)
    assert out.getvalue() == ""


def test_without_a_python_of_the_system_it_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(installation, "LITELLM_PYTHONS", ())
    with pytest.raises(EngineError, match="needs a Python of the system"):
        lines(LITELLM, PROGRAM, tmp_path)


def test_without_the_venv_module_it_names_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = tmp_path / "python3.12"
    bare.write_text("#!/bin/sh\nexit 1\n")
    bare.chmod(0o755)
    monkeypatch.setattr(installation, "PYTHONS", (bare,))
    with pytest.raises(EngineError, match="has no venv module") as refused:
        lines(VLLM, vllm("0.33.0"), tmp_path)
    assert refused.value.fix == "Run: sudo apt-get install python3.12-venv"


def test_a_full_disk_is_said_before(
    tmp_path: Path, one_python: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(installation, "free_bytes", lambda _: 10**9)
    (problem,) = installation.obstacles(VLLM, Places(root=tmp_path))
    assert "vLLM needs 20.0 GB" in problem.message
    assert problem.code == "no_space"


def test_what_would_be_installed_is_one_sentence() -> None:
    assert installation.sentence(LITELLM, PROGRAM) == (
        "LiteLLM 1.110.2 into /opt/berth/litellm-1.110.2 (about 230 MB to download)"
    )
