"""What the processor is called and can do, as Linux and macOS tell it."""

from pathlib import Path

import pytest

from lib.machine import processor

PI = "processor\t: 0\nBogoMIPS\t: 108.00\nFeatures\t: fp asimd evtstrm aes asimddp\n"
EPYC = """processor\t: 0
model name\t: AMD EPYC   9654
flags\t\t: fpu sse4_2 fma avx f16c avx2 avx512f avx512_vnni

processor\t: 1
model name\t: another
flags\t\t: fpu
"""


def test_a_kernels_list_is_read(tmp_path: Path) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(EPYC)
    assert {"avx2", "avx512f"} < processor.flags(cpuinfo)
    assert processor.flags(tmp_path / "none") == frozenset()
    assert processor.model_name(EPYC).split() == ["AMD", "EPYC", "9654"]
    assert processor.model_name(PI) == ""


@pytest.mark.parametrize(
    ("told", "titles"),
    [
        (EPYC, ("AVX", "AVX2", "FMA", "F16C", "AVX-512", "AVX-512 VNNI")),
        (PI, ("NEON", "dot products")),
        ("nonsense", ()),
    ],
    ids=["x86-64", "ARM", "a kernel that lists nothing"],
)
def test_those_that_matter_to_llama_cpp_are_told(
    told: str, titles: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cpuinfo").write_text(told)
    monkeypatch.setattr(processor, "CPUINFO", tmp_path / "cpuinfo")
    monkeypatch.setattr("sys.platform", "linux")
    processor.instructions.cache_clear()
    assert processor.instructions() == titles
    processor.instructions.cache_clear()


def test_a_mac_tells_them_in_two_lists_or_one_by_one() -> None:
    lists = {
        "machdep.cpu.features": "FPU FMA AVX1.0 F16C",
        "machdep.cpu.leaf7_features": "BMI1 AVX2 AVX512F",
    }
    of_intel = processor.titles_of_mac(lambda name: lists.get(name, ""), lambda _: 0)
    assert of_intel == ("AVX", "AVX2", "FMA", "F16C", "AVX-512")
    numbers = {"hw.optional.neon": 1, "hw.optional.arm.FEAT_DotProd": 1}
    of_apple = processor.titles_of_mac(lambda _: "", lambda name: numbers.get(name, 0))
    assert of_apple == ("NEON", "dot products")
