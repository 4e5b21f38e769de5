"""Stands in for `pynvml` of nvidia-ml-py: a driver that answers what a file says.

The file is named by BERTH_TEST_NVML and read again whenever it changes. At its top stand answers
of functions that concern the whole driver, and under "cards" those of each card, by the function's
name; a key of "*" answers for all that is not named. An answer is a value as the real function
gives it (a structure is an object, a process is [pid, bytes]), or

    {"error": "GPU_IS_LOST"}    NVML's error of this name
    {"hangs": true}             no answer until the file says something else

What is not named at all is "not supported". test_nvml_stub.py holds names and codes against the
real module.
"""

import json
import os
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

_CODES = {
    "UNINITIALIZED": 1,
    "INVALID_ARGUMENT": 2,
    "NOT_SUPPORTED": 3,
    "NO_PERMISSION": 4,
    "ALREADY_INITIALIZED": 5,
    "NOT_FOUND": 6,
    "INSUFFICIENT_SIZE": 7,
    "INSUFFICIENT_POWER": 8,
    "DRIVER_NOT_LOADED": 9,
    "TIMEOUT": 10,
    "IRQ_ISSUE": 11,
    "LIBRARY_NOT_FOUND": 12,
    "FUNCTION_NOT_FOUND": 13,
    "CORRUPTED_INFOROM": 14,
    "GPU_IS_LOST": 15,
    "RESET_REQUIRED": 16,
    "OPERATING_SYSTEM": 17,
    "LIB_RM_VERSION_MISMATCH": 18,
    "IN_USE": 19,
    "MEMORY": 20,
    "NO_DATA": 21,
    "VGPU_ECC_NOT_SUPPORTED": 22,
    "INSUFFICIENT_RESOURCES": 23,
    "FREQ_NOT_SUPPORTED": 24,
    "ARGUMENT_VERSION_MISMATCH": 25,
    "DEPRECATED": 26,
    "NOT_READY": 27,
    "GPU_NOT_FOUND": 28,
    "INVALID_STATE": 29,
    "RESET_TYPE_NOT_SUPPORTED": 30,
    "UNKNOWN": 999,
}
NVML_TEMPERATURE_GPU = 0
NVML_DEVICE_MIG_ENABLE = 1
nvmlMemory_v2 = 0x02000028
nvmlTemperature_v1 = 0x0100000C
LOOK_AGAIN_SECONDS = 0.01


class NVMLError(Exception):
    """As the real one: `value` is the code."""

    value = 0

    def __str__(self) -> str:
        return f"{type(self).__name__} ({self.value})"


class NVMLLibraryMismatchError(Exception):
    """What the unversioned process lists raise where the driver is too old for them."""


_CLASSES: dict[str, type[NVMLError]] = {}
for _name, _code in _CODES.items():
    _title = "NVMLError_" + _name.title().replace("_", "")
    _CLASSES[_name] = type(_title, (NVMLError,), {"value": _code})
    globals().update({f"NVML_ERROR_{_name}": _code, _title: _CLASSES[_name]})


class _World:
    """The file, and whether the library is initialized."""

    def __init__(self) -> None:
        self.is_ready = False
        self._seen: tuple[int, int] = (0, 0)
        self._told: dict[str, Any] = {}

    def told(self) -> dict[str, Any]:
        path = Path(os.environ["BERTH_TEST_NVML"])
        status = path.stat()
        if (now := (status.st_mtime_ns, status.st_ino)) != self._seen:
            self._seen, self._told = now, json.loads(path.read_text(encoding="utf-8"))
        return self._told

    def part(self, place: tuple[int, ...]) -> dict[str, Any]:
        """The whole, one card of it, or one instance of a card."""
        part = self.told()
        for key, index in zip(("cards", "instances"), place, strict=False):
            part = part[key][index]
        return part

    def answer(self, function: str, place: tuple[int, ...] = ()) -> Any:
        if not self.is_ready and function != "nvmlInit":
            raise _CLASSES["UNINITIALIZED"]
        while isinstance(answer := self._answer(function, place), dict) and "hangs" in answer:
            time.sleep(LOOK_AGAIN_SECONDS)
        if isinstance(answer, dict) and "error" in answer:
            raise _CLASSES[answer["error"]]
        return answer

    def expect(self, function: str, place: tuple[int, ...] = ()) -> None:
        """Fail where the file says so, for functions that have an answer without it."""
        if not self.is_ready or function in self.part(place):
            self.answer(function, place)

    def _answer(self, function: str, place: tuple[int, ...]) -> Any:
        part = self.part(place)
        return part.get(function, part.get("*", {"error": "NOT_SUPPORTED"}))


_WORLD = _World()


class _Handle:
    """A card, or an instance of one."""

    def __init__(self, *place: int) -> None:
        self.place = place


def nvmlInit() -> None:
    if "nvmlInit" in _WORLD.told():
        _WORLD.answer("nvmlInit")
    _WORLD.is_ready = True


def nvmlShutdown() -> None:
    if not _WORLD.is_ready:
        raise _CLASSES["UNINITIALIZED"]
    _WORLD.is_ready = False


def nvmlSystemGetDriverVersion() -> Any:
    return _WORLD.answer("nvmlSystemGetDriverVersion")


def nvmlSystemGetCudaDriverVersion() -> Any:
    return _WORLD.answer("nvmlSystemGetCudaDriverVersion")


def nvmlDeviceGetCount() -> Any:
    _WORLD.expect("nvmlDeviceGetCount")
    return len(_WORLD.told()["cards"])


def nvmlDeviceGetHandleByIndex(index: int) -> Any:
    if index >= nvmlDeviceGetCount():
        raise _CLASSES["INVALID_ARGUMENT"]
    _WORLD.expect("nvmlDeviceGetHandleByIndex", (index,))
    return _Handle(index)


def nvmlDeviceGetName(handle: Any) -> Any:
    return _WORLD.answer("nvmlDeviceGetName", handle.place)


def nvmlDeviceGetUUID(handle: Any) -> Any:
    return _WORLD.answer("nvmlDeviceGetUUID", handle.place)


def nvmlDeviceGetMemoryInfo(handle: Any, version: int | None = None) -> Any:
    function = "nvmlDeviceGetMemoryInfo_v2" if version else "nvmlDeviceGetMemoryInfo"
    return SimpleNamespace(**_WORLD.answer(function, handle.place))


def nvmlDeviceGetUtilizationRates(handle: Any) -> Any:
    return SimpleNamespace(**_WORLD.answer("nvmlDeviceGetUtilizationRates", handle.place))


def nvmlDeviceGetTemperatureV(handle: Any, sensor: int, version: int = nvmlTemperature_v1) -> Any:
    return _WORLD.answer("nvmlDeviceGetTemperatureV", handle.place)


def nvmlDeviceGetTemperature(handle: Any, sensor: int) -> Any:
    return _WORLD.answer("nvmlDeviceGetTemperature", handle.place)


def nvmlDeviceGetPowerUsage(handle: Any) -> Any:
    return _WORLD.answer("nvmlDeviceGetPowerUsage", handle.place)


def nvmlDeviceGetEnforcedPowerLimit(handle: Any) -> Any:
    return _WORLD.answer("nvmlDeviceGetEnforcedPowerLimit", handle.place)


def nvmlDeviceGetCudaComputeCapability(handle: Any) -> Any:
    return tuple(_WORLD.answer("nvmlDeviceGetCudaComputeCapability", handle.place))


def nvmlDeviceGetMigMode(device: Any) -> Any:
    return _WORLD.answer("nvmlDeviceGetMigMode", device.place)


def nvmlDeviceGetMaxMigDeviceCount(device: Any) -> Any:
    return _WORLD.answer("nvmlDeviceGetMaxMigDeviceCount", device.place)


def nvmlDeviceGetMigDeviceHandleByIndex(device: Any, index: int) -> Any:
    _WORLD.expect("nvmlDeviceGetMigDeviceHandleByIndex", device.place)
    if index >= len(_WORLD.part(device.place).get("instances", [])):
        raise _CLASSES["NOT_FOUND"]
    return _Handle(*device.place, index)


def nvmlDeviceGetComputeRunningProcesses_v3(handle: Any) -> Any:
    return _processes("nvmlDeviceGetComputeRunningProcesses_v3", handle)


def nvmlDeviceGetComputeRunningProcesses_v2(handle: Any) -> Any:
    return _processes("nvmlDeviceGetComputeRunningProcesses_v2", handle)


def nvmlDeviceGetGraphicsRunningProcesses_v3(handle: Any) -> Any:
    return _processes("nvmlDeviceGetGraphicsRunningProcesses_v3", handle)


def nvmlDeviceGetGraphicsRunningProcesses_v2(handle: Any) -> Any:
    return _processes("nvmlDeviceGetGraphicsRunningProcesses_v2", handle)


def _processes(function: str, handle: Any) -> list[SimpleNamespace]:
    told = _WORLD.answer(function, handle.place)
    return [SimpleNamespace(pid=pid, usedGpuMemory=held) for pid, held in told]
