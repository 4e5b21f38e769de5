"""The stand-in for `pynvml` speaks as the real module does: names, codes, parameters."""

import inspect
from types import FunctionType, ModuleType
from typing import Any

import pynvml
import pytest

from lib.machine.nvml import Code
from tests.support.cards import WORLDS, card_world, stub

STUB = stub()


def functions(module: ModuleType) -> dict[str, Any]:
    return {
        name: value
        for name, value in vars(module).items()
        if name.startswith("nvml") and isinstance(value, FunctionType)
    }


def codes(module: ModuleType) -> dict[str, int]:
    return {name: code for name, code in vars(module).items() if name.startswith("NVML_ERROR_")}


def test_the_errors_have_the_codes_of_the_real_ones() -> None:
    assert codes(STUB) == codes(pynvml)


def test_the_error_classes_are_called_like_the_real_ones_and_carry_the_same_codes() -> None:
    names = {name for name in vars(STUB) if name.startswith("NVMLError_")}
    assert names == {name for name in vars(pynvml) if name.startswith("NVMLError_")}
    for name in names:
        one, other = getattr(STUB, name)(), getattr(pynvml, name)()
        assert one.value == other.value, name
        assert isinstance(one, STUB.NVMLError)
        assert isinstance(other, pynvml.NVMLError)


def test_an_error_that_is_no_nvml_error_is_none_in_either() -> None:
    for module in (STUB, pynvml):
        assert not issubclass(module.NVMLLibraryMismatchError, module.NVMLError)


@pytest.mark.parametrize("name", functions(STUB))
def test_a_function_takes_what_the_real_one_takes(name: str) -> None:
    ours = inspect.signature(functions(STUB)[name]).parameters.values()
    theirs = inspect.signature(getattr(pynvml, name)).parameters.values()
    assert [(p.name, p.default) for p in ours] == [(p.name, p.default) for p in theirs]


@pytest.mark.parametrize(
    "name", ["NVML_TEMPERATURE_GPU", "NVML_DEVICE_MIG_ENABLE", "nvmlMemory_v2"]
)
def test_a_constant_is_the_real_one(name: str) -> None:
    assert getattr(STUB, name) == getattr(pynvml, name)


@pytest.mark.parametrize("code", [code for code in Code if code > 0], ids=lambda code: code.name)
def test_the_codes_that_the_product_tells_apart_are_nvmls(code: Code) -> None:
    assert getattr(pynvml, f"NVML_ERROR_{code.name}") == code


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("nvmlDeviceGetMemoryInfo", pynvml.c_nvmlMemory_t),
        ("nvmlDeviceGetMemoryInfo_v2", pynvml.c_nvmlMemory_v2_t),
        ("nvmlDeviceGetUtilizationRates", pynvml.c_nvmlUtilization_t),
    ],
)
def test_a_structure_has_the_fields_of_the_real_one(ours: str, theirs: Any) -> None:
    fields = {name for name, _ in theirs._fields_} - {"version"}
    with card_world("one-card") as world:
        assert set(world.answers["cards"][0][ours]) == fields


@pytest.mark.parametrize("name", WORLDS)
def test_a_world_names_only_functions_that_there_are(name: str) -> None:
    known = {*functions(STUB), "nvmlDeviceGetMemoryInfo_v2", "cards", "instances", "*"}
    with card_world(name) as world:
        told = world.answers
    assert set(told) <= known
    assert all(set(card) <= known for card in told.get("cards", []))
