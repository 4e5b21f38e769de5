"""LiteLLM's installation with a real venv and a real pip, of a wheel that holds hardly anything."""

import hashlib
import subprocess
import sys
import zipfile
from io import StringIO
from pathlib import Path

import pytest

from lib.core.errors import EngineError
from lib.engines.vllm.places import Places
from lib.jobs.report import Report
from lib.slots import installation, programs
from lib.slots.change import Change
from lib.slots.installation import LITELLM
from lib.slots.journal import Journal

WHEEL = "litellm-1.110.2-py3-none-any.whl"
FILES = {
    "litellm.py": "import sys\ndef main():\n    print('LiteLLM', sys.prefix)\n",
    "litellm-1.110.2.dist-info/METADATA": (
        "Metadata-Version: 2.1\nName: litellm\nVersion: 1.110.2\nRequires-Dist: not-to-be-had\n"
    ),
    "litellm-1.110.2.dist-info/WHEEL": (
        "Wheel-Version: 1.0\nGenerator: berth\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    ),
    "litellm-1.110.2.dist-info/entry_points.txt": ("[console_scripts]\nlitellm = litellm:main\n"),
}


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The wheel, by this Python alone."""
    path = tmp_path / WHEEL
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in FILES.items():
            archive.writestr(name, text)
        names = [*FILES, "litellm-1.110.2.dist-info/RECORD"]
        archive.writestr(names[-1], "".join(f"{name},,\n" for name in names))
    monkeypatch.setattr(installation, "LITELLM_PYTHONS", (Path(sys.executable),))
    return path


def listed(wheel: Path, digest: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A list that holds it under this hash."""
    path = wheel.with_name("list.txt")
    path.write_text(f"litellm @ {wheel.as_uri()} --hash=sha256:{digest}\n")
    monkeypatch.setattr(installation, "LITELLM_LIST", path)


def sha256(wheel: Path) -> str:
    return hashlib.sha256(wheel.read_bytes()).hexdigest()


def install(root: Path) -> Places:
    """By the steps of a deployment."""
    places, report = Places(root=root), Report(StringIO())
    program = programs.litellm(places)
    change = Change(Journal(root / "journal"), report)
    installation.install(LITELLM, program, places, change, report)
    return places


def test_it_is_there_under_its_name_and_its_command_runs_from_there(
    wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed(wheel, sha256(wheel), monkeypatch)
    places = install(tmp_path / "root")
    folder = places.programs / "litellm-1.110.2"
    said = subprocess.run([folder / "bin/litellm"], capture_output=True, text=True, check=True)
    assert said.stdout.split() == ["LiteLLM", str(folder)]
    assert programs.litellm(places).is_there
    assert [path.name for path in places.programs.iterdir()] == ["litellm-1.110.2"]
    assert installation.installed(places) == [folder]


def test_a_package_that_is_not_the_one_it_should_be_is_not_installed(
    wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed(wheel, "0" * 64, monkeypatch)
    with pytest.raises(EngineError, match="DO NOT MATCH THE HASHES"):
        install(tmp_path / "root")
    assert not programs.litellm(Places(root=tmp_path / "root")).is_there


def test_one_that_was_broken_off_is_gone_on_with(
    wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed(wheel, "0" * 64, monkeypatch)
    with pytest.raises(EngineError):
        install(tmp_path / "root")
    part = tmp_path / "root/opt/berth/.litellm-1.110.2.part"
    (part / "kept").touch()
    listed(wheel, sha256(wheel), monkeypatch)
    places = install(tmp_path / "root")
    assert (places.programs / "litellm-1.110.2/kept").exists()
    assert not part.exists()
