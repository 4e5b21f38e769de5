"""What makes models slow, judged by planted facts."""

from pathlib import Path

import pytest

from lib.doctor.checks import competing, gpu_layers, instructions, memory, swap, threads, throttling
from lib.doctor.checks.gpu_layers import Loaded
from lib.doctor.finding import Severity
from lib.machine.holders import Holder

GIB = 2**30
CARD = "NVIDIA GeForce RTX 4090"


@pytest.mark.parametrize(
    ("on_card", "said"), [(0.0, "nothing is there"), (0.62, "18 of 29 layers is there")]
)
def test_layers_beside_the_card_are_found(on_card: float, said: str) -> None:
    loaded = Loaded("big", "Ollama", on_card, "18 of 29 layers")
    [found] = gpu_layers.judged(gpu_layers.Facts((CARD,), (loaded,)))
    assert found.severity == Severity.WARNING
    assert said in found.title and "big" in found.title
    assert found.fix.page == "Deploy"


@pytest.mark.parametrize("on_card", [1.0, 0.9995, None])
def test_a_model_on_the_card_or_of_which_nobody_tells_is_fine(on_card: float | None) -> None:
    facts = gpu_layers.Facts((CARD,), (Loaded("big", "Ollama", on_card),))
    assert gpu_layers.judged(facts) == []


def test_without_a_card_no_layer_is_missed() -> None:
    assert gpu_layers.judged(gpu_layers.Facts((), (Loaded("big", "Ollama", 0.0),))) == []


def test_that_the_wheel_uses_no_card_is_a_hint() -> None:
    loaded = Loaded("big", "the built-in engine", 0.0, is_wheel=True)
    [found] = gpu_layers.judged(gpu_layers.Facts((CARD,), (loaded,)))
    assert found.severity == Severity.HINT and CARD in found.title


@pytest.mark.parametrize(
    ("log", "part"),
    [
        ("load_tensors: offloaded 29/29 layers to GPU\n", 1.0),
        ("offloaded 0/29 layers to GPU", 0.0),
        ("offloaded 0/29 layers to GPU\n…\noffloaded 14/28 layers to GPU", 0.5),
        ("offloaded 0/0 layers to GPU", None),
        ("listening", None),
    ],
)
def test_the_last_load_of_a_llama_server_counts(log: str, part: float | None) -> None:
    assert gpu_layers.offloaded("big", log).on_card == part


def test_a_processor_with_more_than_the_build_uses_is_a_hint() -> None:
    facts = instructions.Facts(frozenset({"avx2", "avx512f", "amx_int8"}), frozenset({"AVX2"}))
    [found] = instructions.judged(facts)
    assert found.severity == Severity.HINT
    assert "AVX-512, AMX" in found.title and "AVX2" not in found.title


def test_a_build_without_avx2_is_worse() -> None:
    facts = instructions.Facts(frozenset({"avx2"}), frozenset({"SSE3"}))
    assert instructions.judged(facts)[0].severity == Severity.WARNING


@pytest.mark.parametrize(
    "facts",
    [
        instructions.Facts(frozenset({"avx2"}), frozenset({"AVX2"})),
        instructions.Facts(frozenset({"avx512f"}), None),
        instructions.Facts(frozenset({"avx512f"}), frozenset(), has_own=True),
        instructions.Facts(frozenset(), frozenset()),
    ],
    ids=["all used", "nobody tells", "an own llama-server", "a processor that tells nothing"],
)
def test_no_instruction_set_is_missed(facts: instructions.Facts) -> None:
    assert instructions.judged(facts) == []


def test_instruction_sets_are_read_as_the_engine_writes_them() -> None:
    told = "CPU : SSE3 = 1 | AVX2 = 1 | AVX512 = 0 | OPENMP = 1 | "
    assert instructions.used_sets(told) == {"SSE3", "AVX2", "OPENMP"}


@pytest.mark.parametrize(
    ("count", "severity"), [(16, Severity.WARNING), (8, Severity.HINT), (7, None), (2, None)]
)
def test_threads_beyond_the_cores_cost_most(count: int, severity: Severity | None) -> None:
    found = threads.judged(threads.Facts(cores=8, usual=7, threads={"big": count}))
    assert [one.severity for one in found] == ([severity] if severity else [])
    if found:
        assert (found[0].fix.action, found[0].fix.subject) == ("start_with_usual_threads", "big")


def test_the_only_core_may_be_used() -> None:
    assert threads.judged(threads.Facts(cores=1, usual=1, threads={"big": 1})) == []


def test_who_holds_the_memory_is_named_and_our_own_models_are_not() -> None:
    held = [("llama", 9 * GIB, True), ("lmstudio", 5 * GIB, False), ("sh", GIB // 9, False)]
    holders = tuple(Holder(name=name, bytes=size, is_ours=ours) for name, size, ours in held)
    [found] = memory.judged(memory.Facts(16 * GIB, GIB, holders))
    assert found.severity == Severity.WARNING
    assert "Held by other programs: lmstudio (5.0 GiB)." in found.title
    assert found.fix.label == "Stop a model"


def test_hardly_any_memory_is_urgent() -> None:
    [found] = memory.judged(memory.Facts(16 * GIB, GIB // 4))
    assert found.severity == Severity.URGENT


@pytest.mark.parametrize(("total", "free"), [(16, 2), (512, 5)])
def test_enough_memory_is_no_finding(total: int, free: int) -> None:
    assert memory.judged(memory.Facts(total * GIB, free * GIB)) == []


def test_a_model_in_swap_goes_before_the_machine() -> None:
    [found] = swap.judged(swap.Facts(8 * GIB, 2 * GIB, {"big": GIB, "small": 1024}))
    assert found.severity == Severity.WARNING and "1.0 GiB of big" in found.title
    assert found.fix.action == "load_again"


def test_much_swap_is_a_hint_and_little_is_nothing() -> None:
    assert swap.judged(swap.Facts(8 * GIB, 2 * GIB, {}))[0].severity == Severity.HINT
    assert swap.judged(swap.Facts(8 * GIB, 2**20, {"big": 0})) == []


def test_what_a_process_has_in_swap_is_read(tmp_path: Path) -> None:
    (tmp_path / "status").write_text("VmRSS:\t  100 kB\nVmSwap:\t  2048 kB\n")
    assert swap.swapped_bytes(tmp_path) == 2 * 2**20
    assert swap.swapped_bytes(tmp_path / "gone") == 0


def test_a_hot_processor_goes_before_a_limit() -> None:
    [found] = throttling.judged(throttling.Facts(hot_cores=2, limit=0.5))
    assert found.id == "throttling:heat"


@pytest.mark.parametrize(
    ("facts", "name"),
    [
        (throttling.Facts(limit=0.5), "throttling:limit"),
        (throttling.Facts(profile="low-power"), "throttling:profile"),
    ],
)
def test_a_processor_that_is_held_back_is_found(facts: throttling.Facts, name: str) -> None:
    assert [one.id for one in throttling.judged(facts)] == [name]


@pytest.mark.parametrize("limit", [None, 1.0, 0.9])
def test_a_processor_at_its_speed_is_fine(limit: float | None) -> None:
    assert throttling.judged(throttling.Facts(limit=limit, profile="balanced")) == []


def test_frequencies_and_counts_are_read_from_sys(tmp_path: Path) -> None:
    for number, highest in enumerate((4_000_000, 2_000_000)):
        for name, text in (
            ("cpufreq/scaling_max_freq", f"{highest}\n"),
            ("cpufreq/cpuinfo_max_freq", "4000000\n"),
            ("thermal_throttle/core_throttle_count", f"{number}\n"),
        ):
            file = tmp_path / f"cpu{number}" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
    (tmp_path / "cpufreq").mkdir()
    assert throttling.frequency_limit(tmp_path) == 0.5
    assert throttling.throttle_counts(tmp_path) == {"cpu0": 0, "cpu1": 1}
    assert throttling.frequency_limit(tmp_path / "none") is None


def test_what_pmset_says_is_read() -> None:
    assert throttling.speed_limit("CPU_Scheduler_Limit\t= 100\nCPU_Speed_Limit \t= 62\n") == 0.62
    assert throttling.speed_limit("Note: No thermal warning level has been recorded") is None


def test_programs_that_want_the_processor_are_named() -> None:
    rivals = competing.summed(
        [
            competing.Rival("rustc", 7, 90.0),
            competing.Rival("rustc", 8, 99.0),
            competing.Rival("ollama runner", 9, 300.0),
            competing.Rival("bash", 10, 1.0),
        ]
    )
    assert rivals == (competing.Rival("rustc", 8, 189.0),)
    [found] = competing.judged(competing.Facts(load=9.0, threads=4, rivals=rivals))
    assert "rustc (189 % of a core)" in found.title
    assert found.fix.command == "renice -n 10 -p 8"


def test_load_of_our_own_models_is_no_finding() -> None:
    assert competing.judged(competing.Facts(load=9.0, threads=4)) == []
    rival = competing.Rival("rustc", 8, 99.0)
    assert competing.judged(competing.Facts(load=4.0, threads=4, rivals=(rival,))) == []
