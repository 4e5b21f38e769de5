"""`python -m lib.deploy fit FILE`; with a repository it is in the tests of the plan."""

import json
from pathlib import Path

import pytest

from lib.deploy.__main__ import main
from lib.fit.gguf import read_file
from tests.support.plans import blueprint_file
from tests.support.tiny_gguf import write_tiny


def test_the_command_prints_a_verdict(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    [path] = write_tiny(tmp_path / "tiny.gguf")
    assert main(["fit", str(path), "--context", "512"]) == 0
    assert capsys.readouterr().out.startswith("Fits. Needs about ")
    assert main(["fit", str(path), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["fits"] is True
    assert said["need"]["weights"] == read_file(path).weights_bytes


def test_the_command_ends_with_3_where_a_model_does_not_fit(tmp_path: Path) -> None:
    assert main(["fit", str(blueprint_file("GLM-4.5-Air", tmp_path))]) == 3


def test_the_command_ends_with_2_where_a_file_is_broken(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fit", str(tmp_path / "none.gguf")]) == 2
    assert "There is no file" in capsys.readouterr().err
