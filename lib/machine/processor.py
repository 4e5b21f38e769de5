"""The processor: what its maker calls it, and which instruction sets it has for llama.cpp."""

import ctypes
import ctypes.util
import platform
import re
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import NamedTuple

CPUINFO = Path("/proc/cpuinfo")
_FLAGS = re.compile(r"^(?:flags|Features)\s*:\s*(.+)$", re.MULTILINE)
_MODEL = re.compile(r"^model name\s*:(.*)$", re.MULTILINE)


class InstructionSet(NamedTuple):
    """One that llama.cpp has code for."""

    flag: str  # as Linux lists it
    engine: str  # as llama.cpp calls it (ggml_cpu_has_… in ggml-cpu.c)
    title: str  # for people
    is_usual: bool = False  # no word is lost on a build that does not use it
    mac: str = ""  # as macOS lists it among features, or a number that it tells by this name


SETS = (
    InstructionSet("avx", "AVX", "AVX", True, "AVX1.0"),
    InstructionSet("avx2", "AVX2", "AVX2", mac="AVX2"),
    InstructionSet("fma", "FMA", "FMA", True, "FMA"),
    InstructionSet("f16c", "F16C", "F16C", True, "F16C"),
    InstructionSet("avx512f", "AVX512", "AVX-512", mac="AVX512F"),
    InstructionSet("avx512_vnni", "AVX512_VNNI", "AVX-512 VNNI", mac="AVX512VNNI"),
    InstructionSet("avx_vnni", "AVX_VNNI", "AVX-VNNI"),
    InstructionSet("avx512_bf16", "AVX512_BF16", "AVX-512 BF16"),
    InstructionSet("amx_int8", "AMX_INT8", "AMX"),
    InstructionSet("asimd", "NEON", "NEON", True, "hw.optional.neon"),
    InstructionSet("asimddp", "DOTPROD", "dot products", mac="hw.optional.arm.FEAT_DotProd"),
    InstructionSet("i8mm", "MATMUL_INT8", "matrix products", mac="hw.optional.arm.FEAT_I8MM"),
    InstructionSet("sve", "SVE", "SVE"),
    InstructionSet("sme", "SME", "SME", True, "hw.optional.arm.FEAT_SME"),
)


def name() -> str:
    """As its maker calls it, where the system tells; else its architecture."""
    is_mac = sys.platform == "darwin"
    told = sysctl("machdep.cpu.brand_string") if is_mac else model_name(_text(CPUINFO))
    return " ".join(told.split()) or platform.processor() or platform.machine()


@cache
def instructions() -> tuple[str, ...]:
    """The titles of those that it has; none where the system tells none."""
    if sys.platform == "darwin":
        return titles_of_mac(sysctl, _number)
    has = flags(CPUINFO)
    return tuple(known.title for known in SETS if known.flag in has)


def flags(cpuinfo: Path) -> frozenset[str]:
    """What the kernel lists; nothing where it lists nothing, as on macOS."""
    found = _FLAGS.search(_text(cpuinfo))
    return frozenset(found[1].split()) if found else frozenset()


def model_name(cpuinfo: str) -> str:
    """From the text of /proc/cpuinfo; empty where it has none, as on many ARM boards."""
    found = _MODEL.search(cpuinfo)
    return found[1] if found else ""


def titles_of_mac(told: Callable[[str], str], number: Callable[[str], int]) -> tuple[str, ...]:
    """The same on a Mac: Intel's in two lists, Apple's each as a number of its own."""
    listed = f"{told('machdep.cpu.features')} {told('machdep.cpu.leaf7_features')}".split()
    return tuple(known.title for known in SETS if known.mac in listed or _has(known.mac, number))


def _has(mac: str, number: Callable[[str], int]) -> bool:
    return "." in mac and mac.startswith("hw") and number(mac) == 1


def sysctl(name: str) -> str:
    """A text that macOS knows about itself; empty where it does not."""
    return _asked(name).rstrip(b"\0").decode("utf-8", "replace")


def _number(name: str) -> int:
    """The same of a number; 0 where it does not know."""
    return int.from_bytes(_asked(name)[:4], sys.byteorder)


def _asked(name: str) -> bytes:
    libc = ctypes.CDLL(ctypes.util.find_library("c"))
    size = ctypes.c_size_t(4_096)
    answer = ctypes.create_string_buffer(size.value)
    failed = libc.sysctlbyname(name.encode(), answer, ctypes.byref(size), None, 0)
    return b"" if failed else answer.raw[: size.value]


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
