"""What Berth's tables say, held against the engine that is installed: another pin shows here."""

import json
import subprocess
import sys
from typing import Any

import pytest

from lib.fit import engine_tables
from lib.fit.quantizations import FILE_TYPES, TENSOR_TYPES
from tests.conftest import ROOT
from tests.support.blueprints import MODELS

COMPUTED = ("Q8_1", "Q8_K")  # types that are used while computing, and in no file


@pytest.fixture(scope="module")
def engine() -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.engine_tables"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    said: dict[str, Any] = json.loads(done.stdout)
    return said


def test_every_architecture_of_the_engine_is_known_and_no_other(engine: dict[str, Any]) -> None:
    assert set(engine["architectures"]) == engine_tables.ARCHITECTURES


def test_what_writes_by_diffusion_is_what_the_engine_says(engine: dict[str, Any]) -> None:
    assert set(engine["diffusion"]) == engine_tables.DIFFUSION


def test_every_tensor_type_of_the_engine_has_its_size(engine: dict[str, Any]) -> None:
    theirs = {int(n): tuple(kind) for n, kind in engine["tensor_types"].items()}
    in_files = {n: kind for n, kind in theirs.items() if kind[0] not in COMPUTED}
    assert in_files == {n: tuple(kind) for n, kind in TENSOR_TYPES.items()}


def test_every_file_type_of_the_engine_has_its_name(engine: dict[str, Any]) -> None:
    theirs = {int(n): name for n, name in engine["file_types"].items()}
    assert theirs.keys() == FILE_TYPES.keys()
    for number, name in FILE_TYPES.items():
        assert theirs[number].replace("all ", "").upper().startswith(name.split("_")[0]), name


def test_the_other_tables_are_about_architectures_that_there_are() -> None:
    tables = (
        *(engine_tables.ENCODERS, engine_tables.ENCODER_DECODERS, engine_tables.LONE_ENCODERS),
        *(engine_tables.SPEECH, engine_tables.DRAFTERS, engine_tables.WITHOUT_CACHE),
    )
    assert all(table < engine_tables.ARCHITECTURES for table in tables)
    names = [name for table in tables[:5] for name in table]
    assert len(names) == len(set(names))


def test_what_is_called_checked_is_checked() -> None:
    assert {make().architecture for make in MODELS.values()} == engine_tables.CHECKED
