"""The border to NVIDIA's management library, NVML: each question stands apart from the others.

`pynvml` (from nvidia-ml-py) loads `libnvidia-ml.so.1`, which comes with the driver. Where that has
no answer it raises an error with a code; here the answer is None then, and costs that one figure
alone. Units are NVML's own: bytes, milliwatts, °C, per cent.
"""

import contextlib
from enum import IntEnum
from typing import Any, NamedTuple, TypeVar

Kind = TypeVar("Kind")


class Code(IntEnum):
    """NVML's errors (nvmlReturn_t in nvml.h) that are told apart here; there are others."""

    OTHER = -1  # not NVML's: no such function, a name that is no UTF-8
    FINE = 0
    UNINITIALIZED = 1
    NOT_SUPPORTED = 3
    NO_PERMISSION = 4
    DRIVER_NOT_LOADED = 9
    IRQ_ISSUE = 11
    LIBRARY_NOT_FOUND = 12
    FUNCTION_NOT_FOUND = 13
    GPU_IS_LOST = 15
    RESET_REQUIRED = 16
    OPERATING_SYSTEM = 17
    LIB_RM_VERSION_MISMATCH = 18


# Not about one figure: nothing that this card says can be relied on.
OF_THE_CARD = (Code.GPU_IS_LOST, Code.RESET_REQUIRED, Code.IRQ_ISSUE)
_GPU_SENSOR = 0  # NVML_TEMPERATURE_GPU


class Memory(NamedTuple):
    """Of a card, in bytes. Where `reserved` is not told apart, `used` holds it."""

    total: int
    used: int
    free: int
    reserved: int | None


class NvmlError(Exception):
    """Something without which nothing else can be asked failed."""

    def __init__(self, code: int) -> None:
        super().__init__(f"NVML error {code}")
        self.code = code


def code_of(error: BaseException) -> int:
    """The number that NVML gave to it."""
    value = getattr(error, "value", None)
    return value if isinstance(value, int) else Code.OTHER


class _Asked:
    """Something that can be asked by the names of NVML's functions, and never raises."""

    def __init__(self, library: Any, *handle: Any) -> None:
        self._library = library
        self._handle = handle
        self.failures: dict[str, int] = {}  # the code of the last answer to each function

    def _told(self, kind: type[Kind], function: str, *more: Any) -> Kind | None:
        """The answer of this kind, or None."""
        try:
            value = getattr(self._library, function)(*self._handle, *more)
        except Exception as error:  # a foreign library: whatever it raises, the rest stands
            self.failures[function] = code_of(error)
            return None
        self.failures.pop(function, None)
        return value if isinstance(value, kind) else None


class Device(_Asked):
    """One card."""

    def __init__(self, library: Any, index: int) -> None:
        """NvmlError where this place has no card that answers."""
        try:
            handle = library.nvmlDeviceGetHandleByIndex(index)
        except Exception as error:
            raise NvmlError(code_of(error)) from error
        super().__init__(library, handle)

    @property
    def trouble(self) -> int:
        """The code of an error that concerns the whole card; 0 for none."""
        return next((code for code in self.failures.values() if code in OF_THE_CARD), Code.FINE)

    def name(self) -> str | None:
        """As its maker calls it: `NVIDIA GeForce RTX 4090`."""
        return self._told(str, "nvmlDeviceGetName")

    def uuid(self) -> str | None:
        """`GPU-…`, which stays the same whatever the order of the cards."""
        return self._told(str, "nvmlDeviceGetUUID")

    def memory(self) -> Memory | None:
        """None where it is not told; `shares_memory` then knows whether there is any to tell."""
        version = getattr(self._library, "nvmlMemory_v2", None)  # since driver 510
        told: Any = self._told(object, "nvmlDeviceGetMemoryInfo", version)
        if told is None:
            told = self._told(object, "nvmlDeviceGetMemoryInfo")
        if told is None:
            return None
        return Memory(told.total, told.used, told.free, getattr(told, "reserved", None))

    def shares_memory(self) -> bool:
        """Has `memory` found it to have none of its own? So it is with GB10 and Jetson."""
        return self.failures.get("nvmlDeviceGetMemoryInfo") == Code.NOT_SUPPORTED

    def utilization(self) -> int | None:
        """Per cent of the time in which anything ran on it lately."""
        return getattr(self._told(object, "nvmlDeviceGetUtilizationRates"), "gpu", None)

    def temperature(self) -> int | None:
        """In °C. The newer call came with CUDA 12.8, the older one goes with CUDA 14."""
        told = self._told(int, "nvmlDeviceGetTemperatureV", _GPU_SENSOR)
        return self._told(int, "nvmlDeviceGetTemperature", _GPU_SENSOR) if told is None else told

    def power(self) -> int | None:
        """What it takes now, in milliwatts."""
        return self._told(int, "nvmlDeviceGetPowerUsage")

    def power_limit(self) -> int | None:
        """What it may take, in milliwatts."""
        return self._told(int, "nvmlDeviceGetEnforcedPowerLimit")

    def capability(self) -> tuple[int, int] | None:
        """What CUDA can do with it: (8, 9) for 8.9."""
        return self._told(tuple, "nvmlDeviceGetCudaComputeCapability")

    def is_divided(self) -> bool:
        """Is it split into MIG instances? Few cards can be."""
        now_and_next = self._told(list, "nvmlDeviceGetMigMode") or [0]
        return bool(now_and_next[0] == 1)

    def instances(self) -> tuple[str, ...]:
        """The names of its MIG instances: `NVIDIA A100-SXM4-40GB MIG 3g.20gb`."""
        count = self._told(int, "nvmlDeviceGetMaxMigDeviceCount") or 0
        handles = [
            self._told(object, "nvmlDeviceGetMigDeviceHandleByIndex", number)
            for number in range(count)
        ]
        asked = [_Asked(self._library, handle) for handle in handles if handle is not None]
        return tuple(one._told(str, "nvmlDeviceGetName") or "MIG instance" for one in asked)

    def processes(self) -> dict[int, int | None]:
        """Bytes by pid, of programs that compute and that draw; None where they are not told."""
        found: dict[int, int | None] = {}
        for kind in ("Compute", "Graphics"):
            for process in self._running(kind):
                known, told = found.get(process.pid), process.usedGpuMemory
                # One that does both is in both lists, with all that it holds in each.
                found[process.pid] = known if told is None else max(told, known or 0)
        return found

    def _running(self, kind: str) -> list[Any]:
        told = self._told(list, f"nvmlDeviceGet{kind}RunningProcesses_v3")  # since driver 510
        if told is None:
            told = self._told(list, f"nvmlDeviceGet{kind}RunningProcesses_v2")
        return told or []


class Driver(_Asked):
    """The driver of all cards; initialized once, and again after it failed."""

    def __init__(self) -> None:
        super().__init__(None)
        self._is_ready = False

    def begin(self) -> None:
        """Make it ready for questions, where it is not; NvmlError where that fails."""
        if self._is_ready:
            return
        try:
            import pynvml  # here, so that whoever never asks does not load it: 70 ms and 3 MiB

            pynvml.nvmlInit()
        except Exception as error:
            raise NvmlError(code_of(error)) from error
        self._library, self._is_ready = pynvml, True

    def end(self) -> None:
        """Have the next `begin` start afresh: a card may be gone, or back."""
        if self._is_ready:
            self._is_ready = False
            with contextlib.suppress(Exception):
                self._library.nvmlShutdown()

    def version(self) -> str:
        """As `580.95.05`; empty where it is not told."""
        return self._told(str, "nvmlSystemGetDriverVersion") or ""

    def cuda(self) -> tuple[int, int] | None:
        """The newest CUDA that it can serve; NVML says 13000 for 13.0."""
        told = self._told(int, "nvmlSystemGetCudaDriverVersion")
        return None if told is None else (told // 1000, told % 1000 // 10)

    def count(self) -> int:
        """How many cards there are; NvmlError where it cannot tell."""
        told = self._told(int, "nvmlDeviceGetCount")
        if told is None:
            raise NvmlError(self.failures.get("nvmlDeviceGetCount", Code.OTHER))
        return told

    def device(self, index: int) -> Device:
        """The card at this place, in the order of the bus; NvmlError where it does not answer."""
        return Device(self._library, index)
