"""Files of this machine, deployed from wherever another tool keeps them."""

from pathlib import Path

import pytest

from lib import deploy
from lib.core.errors import BadInput, NotFound
from lib.deploy import Plan, Tier
from lib.engines import find_model
from lib.engines.base import State
from lib.engines.llamacpp import ENGINE
from tests.support.blueprints_dense import dense
from tests.support.by_products import write_by_product
from tests.support.deployment import Script, last_line
from tests.support.headers import write
from tests.support.stores import hub_cache, ollama_store, studio
from tests.support.tiny_gguf import write_tiny

pytestmark = pytest.mark.usefixtures("no_ollama", "nothing_left_running")


def planned(path: Path, **fields: object) -> Plan:
    return deploy.plan(deploy.wished(model=str(path), engine="llamacpp", **fields))


def deployed(script: Script, path: Path, name: str, *more: str) -> None:
    done = script.run(str(path), "--engine", "llamacpp", *more)
    assert done.returncode == 0, done.stdout + done.stderr
    assert last_line(done).startswith(f"{name} is ready at")
    assert find_model(name).state == State.READY


def test_a_path_that_the_hubs_tool_printed_is_deployed(script: Script, tmp_path: Path) -> None:
    [link, _] = hub_cache(tmp_path / "hub", "acme/VL", "VL-1B-Q4_K_M.gguf", projector=True)
    assert planned(link).projector is not None
    assert "lets it see images" in planned(link).source
    deployed(script, link, "VL-1B-Q4_K_M")
    assert find_model("VL-1B-Q4_K_M").can_see
    ENGINE.remove("VL-1B-Q4_K_M")
    assert link.exists()


def test_a_divided_model_in_the_cache_is_deployed(
    script: Script, tmp_path: Path, home: Path
) -> None:
    parts = hub_cache(tmp_path / "hub", "acme/Big", "Big-Q8_0.gguf", parts=2)
    deployed(script, parts[0], "Big-Q8_0")
    ENGINE.remove("Big-Q8_0")
    assert not list((home / "models").rglob("*.gguf"))


@pytest.mark.parametrize("place", ["hub", "hub/models--acme--Anvil-GGUF", "hub/other"])
def test_a_whole_folder_is_a_list_to_choose_from(tmp_path: Path, place: str) -> None:
    hub_cache(tmp_path / "hub", "acme/Anvil-GGUF", "Anvil-1B-Q4_K_M.gguf", projector=True)
    hub_cache(tmp_path / "hub", "acme/Anvil-GGUF", "Anvil-1B-Q8_0.gguf")
    write_tiny(tmp_path / "hub/other" / "Anvil-1B-Q8_0.gguf")
    write_tiny(tmp_path / "hub/other" / "Anvil-1B-Q4_K_M.gguf")
    write_by_product(tmp_path / "hub/other" / "lora.gguf", "adapter")
    found = planned(tmp_path / place)
    assert (found.tier, found.title) == (Tier.FILE, "Q8_0")
    assert {row.name for row in found.rows} == {"Q8_0", "Q4_K_M"}
    chosen = planned(tmp_path / place, quantization="Q4_K_M")
    assert Path(chosen.files[0].path).name == "Anvil-1B-Q4_K_M.gguf"
    assert bool(found.projector) == (place != "hub/other")
    with pytest.raises(BadInput, match="has no Q6_K") as caught:
        planned(tmp_path / place, quantization="Q6_K")
    assert "Q8_0" in caught.value.fix


def test_a_folder_is_deployed_by_the_script(script: Script, tmp_path: Path) -> None:
    folder = studio(tmp_path, "acme/VL-1B-GGUF", "VL-1B-Q4_K_M.gguf", "VL-1B-Q8_0.gguf")
    deployed(script, folder, "VL-1B-Q4_K_M", "--quant", "Q4_K_M")
    assert find_model("VL-1B-Q4_K_M").can_see


def test_what_cannot_be_run_is_not_chosen_of_a_folder(tmp_path: Path) -> None:
    write_tiny(tmp_path / "mine" / "Anvil-1B-Q4_K_M.gguf")
    made = dense("t5", layers=2, width=64, forward=128, heads=2, kv=2, vocabulary=64, length=32)
    write(tmp_path / "mine" / "Other-T5-Q8_0.gguf", made)
    found = planned(tmp_path / "mine")
    assert found.title == "Anvil-1B-Q4_K_M"
    notes = {row.name: row.note for row in found.rows}
    assert notes["Other-T5-Q8_0"] == "Cannot be run here"


def test_ollamas_own_models_are_used_without_a_copy(
    script: Script, tmp_path: Path, home: Path
) -> None:
    store = tmp_path / "ollama"
    blob = ollama_store(store, "registry.ollama.ai/library/anvil/1b", projector=True)
    assert {row.name for row in planned(store).rows} == {"anvil-1b"}
    assert planned(blob).projector is not None
    deployed(script, blob, "anvil-1b")
    assert find_model("anvil-1b").can_see
    [link, _] = sorted((home / "models" / "local").iterdir())
    assert link.readlink() == blob


def test_a_folder_without_a_model_says_so(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(NotFound, match="no GGUF file"):
        planned(tmp_path / "empty")
    write_by_product(tmp_path / "empty" / "lora.gguf", "adapter")
    with pytest.raises(BadInput, match="an adapter"):
        planned(tmp_path / "empty")


def test_a_file_address_is_a_path(tmp_path: Path) -> None:
    [file] = write_tiny(tmp_path / "my models" / "m.gguf")
    found = deploy.plan(deploy.wished(model=file.as_uri(), engine="llamacpp"))
    assert found.files[0].path == str(file)
