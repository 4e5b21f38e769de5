"""Where a planned model comes from: its own repository, another one, Ollama's library."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from lib import deploy
from lib.core.errors import (
    BadInput,
    EngineError,
    NotFound,
)
from lib.deploy import DeployRequest, Tier, library
from lib.hub.errors import TokenNeeded
from tests.support.deployment import REPOSITORY, add_tiny
from tests.support.hub_api import OWNER, HubApi
from tests.support.ollama import faking
from tests.support.ollama_library import OllamaLibrary
from tests.support.tiny_gguf import write_tiny

pytestmark = pytest.mark.usefixtures("no_ollama", "fast")


def test_tier_1_is_the_repositorys_own_files(hub: HubApi, tmp_path: Path) -> None:
    [file, _] = add_tiny(hub, tmp_path)
    found = deploy.plan(DeployRequest(model=REPOSITORY, quantization="Q4_K_M"))
    assert (found.tier, found.repository) == (Tier.OWN, REPOSITORY)
    [planned] = found.files
    assert (planned.path, planned.bytes) == (file.name, file.stat().st_size)
    assert planned.sha256 in str(hub.repositories[REPOSITORY])
    assert found.revision == hub.repositories[REPOSITORY]["sha"]
    assert found.engine.name == "llamacpp"


def test_tier_2_is_the_most_used_repository_of_exactly_this_model(
    hub: HubApi, tmp_path: Path
) -> None:
    tags = ["gguf", "base_model:acme/Anvil-1B", "base_model:quantized:acme/Anvil-1B"]
    for repository, downloads in (("some/One-GGUF", 10**7), ("some/Two-GGUF", 10**8)):
        changes = {"downloads": downloads, "tags": tags}
        add_tiny(hub, tmp_path, repository=repository, changes=changes)
    add_tiny(
        hub,
        tmp_path,
        repository="some/Tune-GGUF",
        changes={"downloads": 10**9, "tags": ["gguf", "base_model:finetune:acme/Anvil-1B"]},
    )
    found = deploy.plan(DeployRequest(model="acme/Anvil-1B"))
    assert (found.tier, found.repository) == (Tier.QUANTIZED, "some/Two-GGUF")
    assert "some/Two-GGUF" in found.source


def test_a_quantization_that_a_repository_lacks_is_taken_from_one_that_has_it(
    hub: HubApi, tmp_path: Path
) -> None:
    add_tiny(hub, tmp_path, "Q4_K_M")
    add_tiny(hub, tmp_path, "Q5_K_M", repository="some/Other-GGUF", changes={"downloads": 10**9})
    found = deploy.plan(DeployRequest(model=REPOSITORY, quantization="Q5_K_M"))
    assert (found.tier, found.repository) == (Tier.QUANTIZED, "some/Other-GGUF")


def test_a_quantization_that_nobody_has_is_refused_with_those_there_are(
    hub: HubApi, tmp_path: Path
) -> None:
    add_tiny(hub, tmp_path, "Q4_K_M", changes={"tags": ["gguf"]})
    with pytest.raises(BadInput) as caught:
        deploy.plan(DeployRequest(model=REPOSITORY, quantization="TQ1_0"))
    assert "Q4_K_M" in caught.value.fix


def test_a_model_without_gguf_files_is_not_replaced_by_another(hub: HubApi) -> None:
    hub.copy_repository("acme/Anvil-1B", "acme/Alone", tags=[])
    with pytest.raises(NotFound) as caught:
        deploy.plan(DeployRequest(model="acme/Alone"))
    assert "GGUF" in caught.value.message


def test_a_gated_model_asks_for_a_token(
    hub: HubApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_tiny(hub, tmp_path, changes={"gated": "manual"})
    with pytest.raises(TokenNeeded):
        deploy.plan(DeployRequest(model=REPOSITORY))
    monkeypatch.setenv("HF_TOKEN", OWNER)
    assert deploy.plan(DeployRequest(model=REPOSITORY)).tier == Tier.OWN


def test_a_divided_model_is_planned_with_all_its_parts(hub: HubApi, tmp_path: Path) -> None:
    files = add_tiny(hub, tmp_path, "Q4_K_M", parts=3)
    found = deploy.plan(DeployRequest(model=REPOSITORY))
    assert [file.path for file in found.files] == [file.name for file in files]
    assert found.bytes == sum(file.stat().st_size for file in files)


@pytest.fixture
def ollamas_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OllamaLibrary]:
    [file] = write_tiny(tmp_path / "library.gguf")
    with OllamaLibrary() as registry:
        monkeypatch.setenv("BERTH_OLLAMA_REGISTRY", registry.url)
        registry.add_model("smollm2:135m-instruct-q4_K_M", file.read_bytes())
        yield registry


@pytest.mark.usefixtures("ollamas_library")
def test_tier_3_is_ollamas_library_under_its_name_for_exactly_this_model(
    hub: HubApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    for size in ("135M", "360M"):
        hub.copy_repository("acme/Anvil-1B", f"HuggingFaceTB/SmolLM2-{size}-Instruct", tags=[])
    with faking(monkeypatch):
        found = deploy.plan(DeployRequest(model="HuggingFaceTB/SmolLM2-135M-Instruct"))
        with pytest.raises(NotFound):
            deploy.plan(DeployRequest(model="HuggingFaceTB/SmolLM2-360M-Instruct"))
    assert (found.tier, found.name) == (Tier.LIBRARY, "smollm2:135m-instruct-q4_K_M")
    assert found.is_pulled
    assert found.quantization == "Q4_K_M"


@pytest.mark.usefixtures("ollamas_library")
def test_the_library_is_for_ollama_alone(hub: HubApi) -> None:
    hub.copy_repository("acme/Anvil-1B", "HuggingFaceTB/SmolLM2-135M-Instruct", tags=[])
    with pytest.raises(NotFound):
        deploy.plan(DeployRequest(model="HuggingFaceTB/SmolLM2-135M-Instruct"))


@pytest.mark.parametrize(
    ("repository", "name"),
    [
        ("Qwen/Qwen3-0.6B", "qwen3:0.6b-q4_K_M"),
        ("qwen/qwen3-0.6b", "qwen3:0.6b-q4_K_M"),
        ("Qwen/Qwen3-0.6B-Base", ""),
        ("someone/Qwen3-0.6B", ""),
    ],
)
def test_the_librarys_names_are_exact(repository: str, name: str) -> None:
    assert library.library_name(repository, "Q4_K_M") == name


def test_ollama_is_used_where_it_runs_and_can_pull_the_files(
    hub: HubApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_tiny(hub, tmp_path)
    with faking(monkeypatch):
        by_itself = deploy.plan(DeployRequest(model=REPOSITORY))
        wished = deploy.plan(DeployRequest(model=REPOSITORY, engine="ollama"))
        other = deploy.plan(DeployRequest(model=REPOSITORY, engine="llamacpp"))
    assert (by_itself.engine.name, other.engine.name) == ("llamacpp", "llamacpp")
    assert "HF_ENDPOINT" in by_itself.engine.reason  # it would ask another Hub
    assert (wished.engine.name, wished.is_pulled) == ("ollama", False)
    assert wished.name == f"hf.co/{REPOSITORY}:Q8_0"


def test_an_ollama_that_is_too_old_is_not_used(
    hub: HubApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_tiny(hub, tmp_path)
    with faking(monkeypatch, "--version", "0.5.0"):
        assert deploy.plan(DeployRequest(model=REPOSITORY)).engine.name == "llamacpp"
        with pytest.raises(EngineError) as caught:
            deploy.plan(DeployRequest(model=REPOSITORY, engine="ollama"))
    assert "0.17.1" in caught.value.message
