"""Models that Berth's own tables do not know, or that do not chat: told before the download."""

import struct
from pathlib import Path

import pytest

from lib import deploy
from lib.core.errors import CannotRun
from lib.deploy import Plan
from lib.deploy.__main__ import main
from lib.engines.base import State
from lib.engines.llamacpp import ENGINE, oracle
from lib.fit import gguf
from lib.fit.engine_tables import CHECKED
from lib.fit.kinds import Task
from lib.fit.memory import Load, Room
from tests.support.blueprints_dense import dense
from tests.support.deployment import Script, last_line
from tests.support.headers import Blueprint, write
from tests.support.hub_api import HubApi
from tests.support.ollama import faking
from tests.support.shapes import PATTERN
from tests.support.tiny_encoder import write_encoder
from tests.support.tiny_gguf import write_tiny

pytestmark = pytest.mark.usefixtures("no_ollama")

REPO = "acme/Odd-GGUF"
ROOM = Room(free_bytes=64 * 2**30, total_bytes=128 * 2**30)


def shape(architecture: str, layers: int = 4) -> Blueprint:
    return dense(
        architecture, layers=layers, width=512, forward=1024, heads=8, kv=8, vocabulary=4_096,
        length=64,
    )  # fmt: skip


def with_type(path: Path, number: int) -> Path:
    """The tiny model with the last tensor stored as this type."""
    [file] = write_tiny(path)
    found = gguf.read_file(file)
    data, name = file.read_bytes(), found.tensors[-1].name.encode()
    at = data.index(struct.pack("<Q", len(name)) + name) + 8 + len(name)
    place = at + 4 + 8 * len(found.tensors[-1].shape)
    file.write_bytes(data[:place] + struct.pack("<I", number) + data[place + 4 :])
    return file


def on_hub(hub: HubApi, file: Path, name: str = "Odd-1B-Q8_0.gguf") -> str:
    hub.copy_repository(PATTERN, REPO, siblings=[], tags=["gguf"])
    with file.open("rb") as whole:
        beginning = whole.read(2**20)
    hub.add_file(REPO, name, beginning, size=file.stat().st_size)
    return REPO


def planned(model: Path | str, **fields: object) -> Plan:
    return deploy.plan(deploy.wished(model=str(model), **fields), ROOM)


@pytest.mark.parametrize(
    ("architecture", "said"),
    [
        ("t5", "encoder-decoder"),
        ("dream", "diffusion"),
        ("llada-moe", "diffusion"),
        ("qwen3tts", "makes speech"),
        ("wavtokenizer-dec", "makes speech"),
        ("t5encoder", "text encoder"),
        ("flux", "pictures"),
        ("unheard-of", "does not know models of the kind “unheard-of”"),
    ],
)
def test_what_cannot_be_run_here_is_refused_with_the_reason_before_the_download(
    hub: HubApi, tmp_path: Path, home: Path, architecture: str, said: str
) -> None:
    file = write(tmp_path / f"{architecture}.gguf", shape(architecture))
    for model in (file, on_hub(hub, file)):
        with pytest.raises(CannotRun, match=said) as caught:
            planned(model)
        assert "cannot be run here" in caught.value.message
        assert caught.value.fix
        with pytest.raises(CannotRun):
            deploy.start(deploy.wished(model=str(model)))
    assert main(["fit", str(file)]) == 7
    assert not (home / "jobs").exists()


def test_without_figures_that_make_sense_the_reason_is_the_same(tmp_path: Path) -> None:
    made = shape("flux")
    made.set(block_count=0)
    with pytest.raises(CannotRun, match="pictures"):
        planned(write(tmp_path / "flux.gguf", made))


@pytest.mark.parametrize("number", [31, 77, 200])
def test_a_type_of_tensor_that_the_engine_does_not_know_is_refused(
    tmp_path: Path, number: int
) -> None:
    file = with_type(tmp_path / "odd.gguf", number)
    with pytest.raises(CannotRun, match=f"does not know tensors of type {number}") as caught:
        planned(file)
    assert "Download it again" not in str(caught.value)


def test_the_script_says_the_same_and_ends(tmp_path: Path) -> None:
    file = write(tmp_path / "anvil-t5.gguf", shape("t5"))
    script = Script(tmp_path / "script")
    for more in ([], ["--dry-run"]):
        done = script.run(str(file), "--engine", "llamacpp", *more)
        assert done.returncode == 7
        assert "“anvil-t5.gguf” cannot be run here" in last_line(done)


def test_a_file_in_the_models_folder_says_why_it_cannot_be_started(home: Path) -> None:
    (home / "models").mkdir(parents=True)
    write(home / "models" / "anvil-t5.gguf", shape("t5"))
    with_type(home / "models" / "odd.gguf", 77)
    problems = {model.name: model.problem for model in ENGINE.models()}
    assert "encoder-decoder" in problems["anvil-t5"]
    assert "type 77" in problems["odd"]
    assert {model.state for model in ENGINE.models()} == {State.FAILED}


def test_what_an_ollama_knows_nobody_can_tell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write(tmp_path / "new.gguf", shape("unheard-of"))
    with faking(monkeypatch):
        found = planned(file, engine="ollama")
        with pytest.raises(CannotRun):
            planned(write(tmp_path / "t5.gguf", shape("t5")), engine="ollama")
    assert any("Whether Ollama knows it cannot be told" in said for said in found.warnings)


def test_where_our_arithmetic_is_not_checked_the_engine_is_asked(tmp_path: Path) -> None:
    assert "maincoder" not in CHECKED
    file = write(tmp_path / "new.gguf", shape("llama-embed"))
    found = planned(file)
    assert found.estimate == "These figures are the engine's own plan."
    header = gguf.read_file(file)
    start = file.read_bytes()[: header.data_offset]
    theirs = oracle.ask(header, lambda: start, Load(context=found.context, batch=2_048, reads=True))
    assert found.need.kv_cache == theirs.context
    assert found.need.compute == theirs.compute
    assert found.rows[0].need == found.need


def test_what_only_our_arithmetic_cannot_do_goes_on_without_it(
    hub: HubApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = shape("granite")
    made.set(block_count=600)
    file = write(tmp_path / "new.gguf", made)
    found = planned(file)
    assert found.estimate.startswith("Not estimated: Berth cannot tell what a token costs")
    assert found.estimate.endswith("Only the file itself is counted.")
    assert found.verdict.fits
    assert found.need.weights > 0
    assert planned(on_hub(hub, file)).estimate == found.estimate


@pytest.mark.parametrize(
    ("pooling", "task", "said"),
    [(2, Task.EMBEDDING, "/v1/embeddings"), (4, Task.RANKING, "/v1/rerank")],
)
def test_an_encoder_is_offered_for_what_it_can_do(
    hub: HubApi, tmp_path: Path, pooling: int, task: Task, said: str
) -> None:
    file = write_encoder(tmp_path / "Odd-Q8_0.gguf", pooling=pooling)
    for model in (file, on_hub(hub, file)):
        found = planned(model)
        assert found.task == task
        assert found.need.kv_cache == 0
        assert found.need.prompt_cache == 0
        assert any(said in warning for warning in found.warnings)
        assert not any("chat template" in warning for warning in found.warnings)


def test_an_encoder_is_deployed_and_tested_for_what_it_does(tmp_path: Path) -> None:
    script = Script(tmp_path / "script")
    for pooling, said in ((2, "passed: it makes a vector"), (4, "passed: it ranks two texts")):
        file = write_encoder(tmp_path / f"reader-{pooling}.gguf", pooling=pooling)
        done = script.run(str(file), "--engine", "llamacpp")
        assert done.returncode == 0, done.stdout + done.stderr
        assert said in done.stdout
        ENGINE.stop(f"reader-{pooling}")
