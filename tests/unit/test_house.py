"""Where things live: what import-linter cannot say, and that its lists leave nothing out."""

import re
import tomllib
from pathlib import Path

import pytest

from tests.conftest import ROOT

LIB = ROOT / "lib"
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"][
    "importlinter"
]["contracts"]
ALLOWED = {  # who may know what the contracts forbid to all others
    "streamlit": {"lib.ui", "lib.server"},
    "subprocess": {"lib.processes"},
    "httpx": {"lib.core.http", "lib.engines"},
    "aiohttp": {"lib.api.gateway"},
}


def module(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


MODULES = sorted({module(path) for path in LIB.rglob("*.py")} - {"lib"})


def is_in(name: str, packages: set[str]) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


@pytest.mark.parametrize("forbidden", ALLOWED)
def test_a_contract_speaks_of_every_module_that_is_not_allowed(forbidden: str) -> None:
    [contract] = [c for c in CONTRACTS if c.get("forbidden_modules") == [forbidden]]
    held = set(contract["source_modules"])
    rooms = {name for name in MODULES if any(other.startswith(f"{name}.") for other in MODULES)}
    free = [name for name in MODULES if not is_in(name, held | ALLOWED[forbidden])]
    assert [name for name in free if name not in rooms] == []
    assert held.isdisjoint(ALLOWED[forbidden])


def test_the_floors_are_one_contract_and_nothing_is_let_through() -> None:
    assert [c["type"] for c in CONTRACTS].count("layers") == 1
    assert not any("ignore_imports" in c for c in CONTRACTS)


def test_few_files_stand_at_the_root() -> None:
    assert len(list(LIB.glob("*.py"))) <= 12


def test_no_file_begins_with_the_name_of_its_room() -> None:
    prefixed = [path for path in LIB.rglob("*.py") if path.stem.startswith(f"{path.parent.name}_")]
    assert prefixed == []


def test_every_engine_is_a_package_with_its_class_in_one_place() -> None:
    engines = [path for path in (LIB / "engines").iterdir() if (path / "__init__.py").exists()]
    assert {path.name for path in engines} >= {"llamacpp", "ollama"}
    assert [path for path in engines if not (path / "engine.py").exists()] == []


def test_the_key_of_a_model_is_put_together_in_one_place() -> None:
    key = re.compile(r"\{(\w+)\.engine\}/\{\1\.name\}")
    found = [module(path) for path in LIB.rglob("*.py") if key.search(path.read_text("utf-8"))]
    assert found == ["lib.engines.base"]


def test_scripts_and_styles_stand_with_the_elements() -> None:
    elements = LIB / "ui" / "elements"
    kinds = (".js", ".css")
    astray = [p for p in LIB.rglob("*") if p.suffix in kinds and elements not in p.parents]
    assert astray == []


@pytest.mark.parametrize("layer", ["unit", "api", "integration", "e2e"])
def test_tests_stand_in_rooms_of_the_same_names(layer: str) -> None:
    known = {path.name for path in LIB.rglob("*") if path.is_dir()}
    known |= {"setup", "gateway", "attacks"}
    rooms = {path.parent for path in (ROOT / "tests" / layer).rglob("test_*.py")}
    strange = [p for p in rooms if p.name not in known and p != ROOT / "tests" / layer]
    assert strange == []
