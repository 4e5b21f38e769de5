"""What checks gather from real servers, and that each of them looks at any machine and lives."""

from pathlib import Path

import pytest

from lib.core.errors import BerthError
from lib.doctor.checks import all_checks, floors, gpu_layers, ports, token
from lib.doctor.finding import Check
from lib.engines import llamacpp, ollama
from lib.engines.base import StartOptions
from lib.engines.llamacpp import records
from lib.hub import heard
from lib.hub import token as hub_token
from lib.hub.lookups import look_up
from tests.support.cards import living_in
from tests.support.fake_ollama import running_ollama
from tests.support.hub_api import OWNER, HubApi
from tests.support.tiny_gguf import write_tiny

MODEL = "hf.co/Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF:Q4_K_M"
REFUSED = "hf_" + "y" * 30


@pytest.mark.parametrize("check", all_checks(), ids=lambda check: check.name)
def test_a_check_looks_at_an_empty_machine(check: Check) -> None:
    assert all(finding.fix.label for finding in check.run())


def test_a_model_that_ollama_keeps_beside_the_card_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with running_ollama("--models", MODEL) as fake, living_in("one-card"):
        monkeypatch.setenv("OLLAMA_HOST", fake.url)
        ollama.ENGINE.start(MODEL, StartOptions())
        [found] = gpu_layers.CHECK.run()
    assert found.id == f"gpu-layers:{MODEL}" and "nothing is there (Ollama)" in found.title


def test_a_model_of_ours_that_has_memory_of_a_card_is_on_it(models: Path) -> None:
    write_tiny(models / "tiny.gguf")
    llamacpp.ENGINE.start("tiny", StartOptions(context=256))
    record = records.read("tiny")
    assert record is not None
    with living_in("one-card") as world:
        assert [one.id for one in gpu_layers.CHECK.run()] == ["gpu-layers:tiny"]
        world.runs(0, [(record.pid, 2**30)])
        assert gpu_layers.CHECK.run() == []


def test_an_old_ollama_is_told_by_its_own_version(monkeypatch: pytest.MonkeyPatch) -> None:
    with running_ollama("--version", "0.16.0") as fake:
        monkeypatch.setenv("OLLAMA_HOST", fake.url)
        found = [one.title for one in floors.CHECK.run() if "Ollama" in one.title]
        assert ports.CHECK.run() == []
    assert len(found) == 1 and "0.16.0 is older than 0.17.1" in found[0]


def test_an_ollama_that_is_only_busy_is_no_stranger(monkeypatch: pytest.MonkeyPatch) -> None:
    with running_ollama("--stuck", "/api/version") as fake:
        monkeypatch.setenv("OLLAMA_HOST", fake.url)
        assert ports.CHECK.run() == []


def test_the_hubs_clock_is_known_from_its_answers(hub: HubApi) -> None:
    hub.copy_repository("Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF", "org/name")
    look_up("org/name")
    skew = heard.clock_skew()
    assert skew is not None and abs(skew) < 60


def test_a_token_that_does_well_again_is_no_finding(hub: HubApi) -> None:
    hub.copy_repository("Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF", "org/name")
    hub_token.save_token(REFUSED)
    with pytest.raises(BerthError):
        look_up("org/name")
    assert [one.fix.action for one in token.CHECK.run()] == ["forget_token"]
    hub_token.save_token(OWNER)
    look_up("org/name")
    assert token.CHECK.run() == []
