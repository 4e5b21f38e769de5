"""The check of a deployment, on machines and of repositories of every kind."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from lib.core.errors import BadInput, BerthError, DoesNotFit, EngineError, NotFound
from lib.engines.vllm.places import Places
from lib.slots import table
from lib.slots.check import neighbours
from lib.slots.check.collected import Checked, check
from lib.slots.request import wished
from tests.support.cards import CardWorld, living_in
from tests.support.clone import executable
from tests.support.hub_api import HubApi
from tests.support.slots import CONFIG, MODEL, WEIGHTS, safetensors

REMOTE = {"architectures": ["OddForCausalLM"], "auto_map": {"AutoModel": "modeling_odd.Odd"}}
AWQ = {"quantization_config": {"quant_method": "awq", "bits": 4, "group_size": 128}}
BITSANDBYTES = {"quantization_config": {"quant_method": "bitsandbytes", "load_in_4bit": True}}
BESIDE = {"tokenizer.json": b"{}", "tokenizer_config.json": b"{}"}


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Places:
    """A server with systemd, a compiler and a vLLM."""
    found = Places(root=tmp_path / "system")
    (found.root / "run/systemd/system").mkdir(parents=True)
    found.units.mkdir(parents=True)
    program = found.programs / "vllm-0.33.0"
    (program / "lib/python3.11/site-packages/vllm-0.33.0.dist-info").mkdir(parents=True)
    executable(program / "bin/vllm", "exit 0")
    executable(program / "bin/python", f'echo "{tmp_path}/include"')
    (tmp_path / "include").mkdir()
    (tmp_path / "include/Python.h").touch()
    monkeypatch.setenv("BERTH_SYSTEM_ROOT", str(found.root))
    return found


@pytest.fixture
def card() -> Iterator[CardWorld]:
    with living_in("one-card") as world:
        world.card(0, nvmlDeviceGetMemoryInfo_v2=memory(24, 23))
        yield world


def memory(total_gib: int, free_gib: int) -> dict[str, int]:
    total, free = total_gib * 2**30, free_gib * 2**30
    return {"total": total, "reserved": 0, "used": total - free, "free": free}


def add(
    hub: HubApi,
    config: Mapping[str, Any] | None = None,
    files: Mapping[str, bytes] | None = None,
    **changes: Any,
) -> None:
    """The model on the Hub, with another configuration or other files."""
    hub.copy_repository("acme/Anvil-1B", MODEL, **{"siblings": [], **changes})
    told = {"config.json": json.dumps({**CONFIG, **(config or {})}).encode()}
    usual = {**told, **BESIDE, "model.safetensors": WEIGHTS}
    for name, data in (usual if files is None else {**told, **BESIDE, **files}).items():
        hub.add_file(MODEL, name, data)


def looked(places: Places, **wish: Any) -> Checked:
    return check(
        wished(**{"model": MODEL, "slot": 0, "with_gateway": False, "with_nginx": False, **wish}),
        places,
    )


def only(found: Checked) -> BerthError:
    [problem] = found.problems
    return problem


def test_a_server_where_all_is_well(places: Places, hub: HubApi, card: CardWorld) -> None:
    add(hub)
    found = looked(places)
    assert found.problems == ()
    assert found.plan is not None
    assert found.plan.cards[0].uuid.startswith("GPU-")
    assert found.plan.utilization == 0.92
    assert found.plan.context is None
    shown = table.table(found, places)
    assert "Fits." in shown
    assert "as many tokens as fit (auto)" in shown
    assert not places.models.exists()


def test_a_full_card_is_refused_with_numbers(places: Places, hub: HubApi, card: CardWorld) -> None:
    add(hub)
    card.card(0, nvmlDeviceGetMemoryInfo_v2=memory(24, 0))
    problem = only(looked(places))
    assert isinstance(problem, DoesNotFit)
    assert "free" in problem.message
    assert problem.fix


@pytest.mark.parametrize(
    ("repository", "kind", "said"),
    [
        (
            {"files": {"pytorch_model.bin": b"x"}},
            BadInput,
            "cannot be served. It has its weights as .bin",
        ),
        ({"files": {"model-q4_k_m.gguf": b"GGUF"}}, BadInput, "GGUF"),
        ({"config": REMOTE}, BadInput, "code"),
        ({"config": BITSANDBYTES}, BadInput, "bitsandbytes"),
        ({"config": {"architectures": ["OddForCausalLM"]}}, BadInput, "does not know"),
        ({"gated": "auto"}, NotFound, "gated"),
        ({"private": True}, NotFound, "not found"),
    ],
    ids=["bin", "gguf", "remote code", "bitsandbytes", "unknown", "gated", "private"],
)
def test_a_repository_that_cannot_be_served_says_why(
    places: Places,
    hub: HubApi,
    card: CardWorld,
    repository: dict[str, Any],
    kind: type[BerthError],
    said: str,
) -> None:
    add(hub, **repository)
    found = looked(places)
    problem = only(found)
    assert isinstance(problem, kind)
    assert said in problem.message
    assert problem.fix
    assert found.plan is None


def test_a_repository_that_is_not_there(places: Places, hub: HubApi, card: CardWorld) -> None:
    problem = only(looked(places, model="acme/None"))
    assert problem.exit_code == 4
    assert "acme/None was not found" in problem.message


def test_no_network(places: Places, card: CardWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert only(looked(places)).exit_code == 6


def test_awq_on_a_card_that_is_too_old(places: Places, hub: HubApi) -> None:
    add(hub, AWQ)
    with living_in("pascal") as world:
        world.card(0, nvmlDeviceGetMemoryInfo_v2=memory(24, 23))
        problems = looked(places).problems
    assert any(isinstance(p, DoesNotFit) and "compute capability" in p.message for p in problems)


def test_a_divided_card(places: Places, hub: HubApi) -> None:
    add(hub)
    with living_in("mig"):
        problems = looked(places).problems
    assert any("divided into parts (MIG)" in p.message for p in problems)


def test_memory_that_is_the_machines_own_is_shared_with_it(places: Places, hub: HubApi) -> None:
    add(hub)
    with living_in("unified"):
        found = looked(places)
    assert found.plan is not None
    assert found.plan.utilization <= 0.75
    assert any("three quarters" in note for note in found.notes)


def test_wsl_is_named(places: Places, hub: HubApi) -> None:
    add(hub)
    with living_in("wsl"):
        found = looked(places)
    assert found.plan is not None


def test_a_driver_of_cuda_12_gets_the_build_for_it(places: Places, hub: HubApi) -> None:
    add(hub)
    packages = places.programs / "vllm-0.33.0/lib/python3.11/site-packages"
    (packages / "nvidia_cuda_runtime-13.0.48.dist-info").mkdir()
    with living_in("one-card") as world:
        world.change(nvmlSystemGetCudaDriverVersion=12080)
        found = looked(places)
    assert found.plan is not None
    assert found.plan.program.version == "0.33.0+cu129"
    assert not found.plan.program.is_there


def test_a_driver_of_cuda_11_is_refused(places: Places, hub: HubApi) -> None:
    add(hub)
    with living_in("one-card") as world:
        world.change(nvmlSystemGetCudaDriverVersion=11040)
        problems = looked(places).problems
    assert any("knows CUDA 11.4" in p.message and "580" in p.fix for p in problems)


@pytest.mark.parametrize(
    ("world", "said"),
    [
        ("no-driver", "There is no NVIDIA driver"),
        ("not-loaded", "kernel module is not loaded"),
        ("mismatch", "was updated while the machine ran"),
        ("no-permission", "may not talk to the NVIDIA driver"),
    ],
)
def test_a_driver_in_trouble_is_a_line_and_the_plan_is_there_all_the_same(
    places: Places, hub: HubApi, world: str, said: str
) -> None:
    add(hub)
    with living_in(world):
        found = looked(places)
    assert any(said in problem.message and problem.fix for problem in found.problems)
    assert found.plan is not None
    assert found.plan.cards[0].name == "a card with 24 GiB"


def test_all_that_is_wrong_is_told_at_once(places: Places, hub: HubApi, tmp_path: Path) -> None:
    add(hub)
    (tmp_path / "include/Python.h").unlink()
    places.unit(0).write_text("[Service]\nExecStart=/bin/true\n")
    (places.root / "run/systemd/system").rmdir()
    with living_in("no-driver"):
        problems = looked(places).problems
    told = table.obstacles(problems)
    assert told[0] == "4 things stand in the way:"
    for words in ("systemd", "NVIDIA driver", "Berth's mark", "Python.h"):
        assert any(words in line for line in told[1:])
    last = table.summary(problems)
    assert isinstance(last, EngineError)
    assert last.message.startswith("4 things stand in the way. The first: ")
    assert last.fix == problems[0].fix


def test_two_cards_for_a_model_that_one_cannot_hold(places: Places, hub: HubApi) -> None:
    files = {"model.safetensors": safetensors({"model.layers.0.mlp.up_proj.weight": (8, 8)})}
    add(hub, files=files)
    with living_in("eight-cards"):
        found = looked(places, tensor_parallel=2)
        assert found.plan is not None
        assert len(found.plan.cards) == 2
        assert only(looked(places, slot=7, tensor_parallel=2)).exit_code == 2


def test_what_the_slots_own_engine_holds_is_as_good_as_free(
    places: Places, hub: HubApi, card: CardWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(hub)
    places.unit(0).write_text("[X-Berth]\nSlot=0\nModel=a/b\nServedName=b\nUtilization=0.5\n")
    card.card(0, nvmlDeviceGetMemoryInfo_v2=memory(24, 3))
    monkeypatch.setattr(neighbours, "is_of_slot", lambda pid, slot: (pid, slot) == (7, 0))
    for told, share in (((7, 20 * 2**30), 0.92), ((7, None), 0.59), ((8, 20 * 2**30), 0.09)):
        card.runs(0, [told])
        plan = looked(places).plan
        assert plan is not None
        assert plan.utilization == share
