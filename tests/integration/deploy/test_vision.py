"""Deploying models that see: their projector comes along, counts, and goes with them."""

from pathlib import Path

import pytest

from lib import deploy
from lib.core.settings import settings
from lib.deploy import Plan
from lib.engines import all_models, find_model
from lib.engines.base import ChatOptions, Message, State
from lib.engines.llamacpp import ENGINE
from lib.engines.ollama import ENGINE as OLLAMA
from lib.fit import gguf
from lib.fit.image_work import image_bytes
from lib.fit.memory import Room
from lib.hub import cache, look_up
from tests.support.deployment import REPOSITORY, Script, add_tiny
from tests.support.hub_api import ANSWERS, HubApi
from tests.support.ollama import faking, ignore
from tests.support.tiny_gguf import write_tiny
from tests.support.tiny_projector import data_uri, png, write_projector

pytestmark = pytest.mark.usefixtures("no_ollama", "nothing_left_running")

PROJECTOR = "mmproj-F16.gguf"
BIG = "acme/Anvil-70B-Vision-GGUF"


@pytest.fixture
def projector(hub: HubApi, tmp_path: Path) -> bytes:
    """Of a repository of tiny models that see; there is a larger one, too."""
    add_tiny(hub, tmp_path / "files")
    data = write_projector(tmp_path / "files" / PROJECTOR).read_bytes()
    hub.add_file(REPOSITORY, PROJECTOR, data)
    hub.add_file(REPOSITORY, "mmproj-F32.gguf", data + b"more")
    return data


def planned(**fields: object) -> Plan:
    room = Room(free_bytes=8 * 2**30, total_bytes=16 * 2**30)
    return deploy.plan(deploy.wished(**{"model": REPOSITORY, "engine": "llamacpp", **fields}), room)


def asked_to_look(model: str) -> str:
    question = Message(role="user", content="What is this?", images=(data_uri(png()),))
    options = ChatOptions(temperature=0, max_tokens=4)
    return "".join(delta.text for delta in ENGINE.chat(model, [question], options))


def test_a_deployed_model_sees_and_leaves_nothing_when_removed(
    hub: HubApi, projector: bytes, tmp_path: Path, home: Path
) -> None:
    script = Script(tmp_path / "script")
    done = script.run(REPOSITORY, "--engine", "llamacpp", "--quant", "Q8_0")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{PROJECTOR} (" in done.stdout
    assert "lets it see images" in done.stdout
    model = find_model("Tiny-Q8_0")
    assert (model.state, model.can_see) == (State.READY, True)
    assert asked_to_look(model.name)
    again = planned(quantization="Q8_0").room.free_bytes - 8 * 2**30
    assert again == pytest.approx(find_model(model.name).memory_bytes, rel=0.2), "it makes room"
    folder = home / "models" / REPOSITORY / look_up(REPOSITORY).sha
    assert {path.name for path in folder.iterdir()} == {"Tiny-Q8_0.gguf", PROJECTOR}
    ENGINE.remove(model.name)
    assert list((home / "models").iterdir()) == []


def test_a_projector_counts_on_the_disk_and_in_memory(
    hub: HubApi, projector: bytes, tmp_path: Path
) -> None:
    seeing = planned(quantization="Q8_0")
    assert [file.path for file in seeing.files] == ["Tiny-Q8_0.gguf", PROJECTOR]
    assert seeing.projector is not None
    assert seeing.projector.sha256
    work = image_bytes(gguf.read_file(tmp_path / "files" / PROJECTOR))
    assert seeing.need.projector == len(projector) + work
    add_tiny(hub, tmp_path / "blind", repository="acme/Blind-GGUF")
    blind = planned(model="acme/Blind-GGUF", quantization="Q8_0")
    assert (blind.projector, blind.need.projector) == (None, 0)
    assert seeing.need.total == blind.need.total + seeing.need.projector
    assert seeing.verdict.need == seeing.need
    assert {row.need.projector for row in seeing.rows} == {seeing.need.projector}
    assert seeing.disk.needed == blind.disk.needed + len(projector)
    assert "images" not in blind.source


def test_a_model_that_was_there_without_its_projector_fetches_that_alone(
    hub: HubApi, projector: bytes, tmp_path: Path
) -> None:
    rows = hub.repositories[REPOSITORY]["siblings"]
    script = Script(tmp_path / "script")
    arguments = (REPOSITORY, "--engine", "llamacpp", "--quant", "Q8_0")
    hub.repositories[REPOSITORY]["siblings"] = [r for r in rows if "mmproj" not in r["rfilename"]]
    assert script.run(*arguments).returncode == 0
    assert not find_model("Tiny-Q8_0").can_see
    hub.repositories[REPOSITORY]["siblings"] = rows
    for kept in settings().hub_cache.iterdir():
        kept.unlink()
    hub.requests.clear()
    assert script.run(*arguments).returncode == 0
    assert find_model("Tiny-Q8_0").can_see
    fetched = [r for r in hub.asked_for("Tiny-Q8_0") if "Range" not in r.headers]
    assert hub.asked_for(PROJECTOR)
    assert fetched == []


def test_a_projector_in_a_sister_folder_is_anothers(
    hub: HubApi, projector: bytes, tmp_path: Path
) -> None:
    data = (tmp_path / "files" / "Tiny-Q8_0.gguf").read_bytes()
    hub.add_file(REPOSITORY, "small/Tiny-Q6_K.gguf", data)
    card = look_up(REPOSITORY)
    by_name = {variant.quantization: card.projector(variant) for variant in card.variants}
    assert {quantization: file and file.path for quantization, file in by_name.items()} == {
        "Q8_0": PROJECTOR,
        "Q6_K": PROJECTOR,
        "Q4_K_M": PROJECTOR,
    }
    hub.copy_repository(REPOSITORY, "acme/Two-GGUF", siblings=[])
    hub.add_file("acme/Two-GGUF", "one/Tiny-Q8_0.gguf", data)
    hub.add_file("acme/Two-GGUF", f"other/{PROJECTOR}", projector)
    card = look_up("acme/Two-GGUF")
    assert [card.projector(variant) for variant in card.variants] == [None]


def test_a_file_of_this_machine_sees_with_what_lies_beside_it(tmp_path: Path) -> None:
    [path] = write_tiny(tmp_path / "own" / "anvil.gguf")
    assert planned(model=str(path)).projector is None
    beside = write_projector(tmp_path / "own" / PROJECTOR)
    found = planned(model=str(path))
    assert found.projector is not None
    assert found.projector.path == str(beside.resolve())
    assert found.need.projector > found.projector.bytes
    assert found.is_installed


def test_ollama_is_handed_the_projector_with_the_model(
    hub: HubApi, projector: bytes, tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with faking(monkeypatch) as fake:  # it pulls nothing from a Hub of another address
        script = Script(tmp_path / "script")
        done = script.run(REPOSITORY, "--engine", "ollama", "--quant", "Q8_0")
        assert done.returncode == 0, done.stdout + done.stderr
        [created] = fake.bodies("/api/create")[:1]
        assert created["files"].keys() == {"model.gguf", "mmproj.gguf"}
        [model] = [m for m in all_models() if m.engine == "ollama"]
        assert model.can_see
        assert list((home / "models").iterdir()) == [], "no second copy stays"


def test_ollama_is_handed_a_model_alone_where_it_has_no_projector(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    [path] = write_tiny(tmp_path / "own" / "anvil.gguf")
    with faking(monkeypatch) as fake:
        OLLAMA.create_from_file(path, "anvil", ignore)
        write_projector(path.with_name(PROJECTOR), sees=False)
        OLLAMA.create_from_file(path, "hears", ignore)
        assert [body["files"].keys() for body in fake.bodies("/api/create")] == [
            {"model.gguf"},
            {"model.gguf"},
        ]


def test_what_ollama_pulls_with_its_projector_is_counted_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (ANSWERS / f"{BIG.replace('/', '__')}.json").read_text("utf-8")
    cache.write(f"/api/models/{BIG}/revision/main?blobs=true", text)  # as if asked just now
    header = gguf.read_model(write_tiny(tmp_path / "any.gguf")[0]).model_dump_json()
    for part in text.split('"sha256": "')[1:]:
        cache.write(f"header {part[:64]}", header)
    with faking(monkeypatch):
        plan = planned(model=BIG, engine="ollama")
    assert plan.is_pulled
    assert plan.projector is not None
    assert plan.projector.path not in [file.path for file in plan.files], "Ollama fetches it itself"
    assert plan.disk.needed >= plan.bytes + plan.projector.bytes
    assert plan.need.projector > plan.projector.bytes
    assert not plan.warnings
