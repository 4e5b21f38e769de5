"""Every text of the endpoints works as it is pasted: against a real gateway and real models."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright._impl._driver import compute_driver_executable

from lib.core import owner_key
from lib.core.access import Role, acting
from lib.core.errors import Forbidden
from lib.core.settings import settings
from lib.engines import find_model
from lib.engines.base import Model
from lib.fleet import contents, endpoints
from lib.fleet.endpoints import Way
from tests.support.fake_ollama import running_ollama
from tests.support.server import Server, running_server
from tests.support.tiny_encoder import write_encoder
from tests.support.tiny_gguf import write_tiny

KINDS = ("chats", "continues", "embeds", "ranks")
NODE = compute_driver_executable()[0]  # Playwright brings one
SMALL = {"context": 256, "threads": 1, "prompt_cache_mib": 0}
SECONDS = 120


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A Berth below a folder with a space and a quote in its name, with a model of each kind."""
    home = tmp_path_factory.mktemp("the owner's berth") / "home"
    models = home / "models"
    write_tiny(models / "chats.gguf")
    write_tiny(models / "continues.gguf", template=None)
    write_encoder(models / "embeds.gguf")
    write_encoder(models / "ranks.gguf", pooling=4)
    with running_server(home) as running:
        for name in KINDS:
            made = httpx.post(f"{running.url}/api/models/{name}/start", json=SMALL, timeout=SECONDS)
            assert made.is_success, made.text
        yield running
        for name in KINDS:
            httpx.post(f"{running.url}/api/models/{name}/stop", headers=running.key, timeout=30)


@pytest.fixture(params=["open", "with the owner's key"])
def way(
    server: Server, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Way]:
    """The gateway's, before and after the owner asks everybody for the key."""
    monkeypatch.setenv("BERTH_HOME", str(server.home))
    is_asked = request.param != "open"
    with acting(Role.OWNER):
        owner_key.choose(is_asked)
        yield Way(f"{server.url}/v1", "", str(settings().owner_key) if is_asked else "")
        owner_key.choose(False)


def pasted(*command: str, text: str = "", world: dict[str, str] | None = None) -> str:
    """What it prints; it has to end well."""
    done = subprocess.run(
        command,
        input=text,
        env={**os.environ, **(world or {})},
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def model_of(name: str) -> Model:
    return find_model(name)


def is_an_answer(kind: str, answer: object) -> bool:
    """Of what a model of this kind says, as JSON."""
    assert isinstance(answer, dict), answer
    if kind == "chats":
        return isinstance(answer["choices"][0]["message"]["content"], str)
    if kind == "continues":
        return isinstance(answer["choices"][0]["text"], str)
    if kind == "embeds":
        return len(answer["data"][0]["embedding"]) == 64
    return {one["index"] for one in answer["results"]} == {0, 1}


@pytest.mark.parametrize("kind", KINDS)
def test_curl(kind: str, way: Way) -> None:
    call = endpoints.call_of(model_of(kind))
    said = pasted("bash", text=endpoints.curl(call, way._replace(model=kind)))
    assert is_an_answer(kind, json.loads(said))


@pytest.mark.parametrize("kind", KINDS)
def test_python(kind: str, way: Way) -> None:
    call = endpoints.call_of(model_of(kind))
    said = pasted(sys.executable, "-", text=endpoints.python(call, way._replace(model=kind)))
    assert said.strip()
    assert said != "None\n"
    if kind == "embeds":
        assert len(json.loads(said)) == 64
    if kind == "ranks":
        assert "relevance_score" in said


@pytest.mark.parametrize("kind", KINDS)
def test_javascript(kind: str, way: Way, tmp_path: Path) -> None:
    script = tmp_path / "ask.mjs"
    call = endpoints.call_of(model_of(kind))
    script.write_text(endpoints.javascript(call, way._replace(model=kind)), encoding="utf-8")
    said = pasted(NODE, str(script))
    assert said.strip() not in ("", "undefined")
    if kind == "ranks":
        assert "relevance_score" in said


def test_environment(way: Way) -> None:
    ask = (
        "import os, openai; answer = openai.OpenAI().chat.completions.create("
        "model=os.environ['OPENAI_MODEL'], messages=[{'role': 'user', 'content': 'Hello'}]);"
        "print(answer.choices[0].message.role)"
    )
    text = endpoints.environment(way._replace(model="chats"))
    said = pasted("bash", text=f'{text}\n"$PYTHON" -c "$ASK"', world=_world(ask))
    assert said == "assistant\n"


def _world(ask: str) -> dict[str, str]:
    return {"PYTHON": sys.executable, "ASK": ask}


@pytest.mark.parametrize("kind", KINDS)
def test_the_engine_itself(kind: str, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BERTH_HOME", str(server.home))
    with acting(Role.OWNER):
        own = contents.own_way(model_of(kind))
        call = endpoints.call_of(model_of(kind))
    assert own is not None
    assert own.base_url.removesuffix("/v1") != server.url
    assert is_an_answer(kind, json.loads(pasted("bash", text=endpoints.curl(call, own))))


def test_no_text_has_a_key_in_it(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BERTH_HOME", str(server.home))
    model = model_of("chats")
    with acting(Role.OWNER):
        own = contents.own_way(model)
    assert own is not None
    key = Path(own.key_file).read_text(encoding="ascii").strip()
    call = endpoints.call_of(model)
    texts = [make(call, own) for make in (endpoints.curl, endpoints.python, endpoints.javascript)]
    assert not any(key in text for text in (*texts, endpoints.environment(own)))


@pytest.mark.parametrize("name", ["llama3.2:1b", "embedder:latest"])
def test_ollamas_own_dialect(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with running_ollama("--models", name) as fake:
        monkeypatch.setenv("OLLAMA_HOST", fake.url)
        call = endpoints.call_of(find_model(name, "ollama"))
        said = json.loads(pasted("bash", text=endpoints.ollama(call, fake.url, name)))
    assert said["message"]["content"] if name == "llama3.2:1b" else said["embeddings"]


def test_nobody_but_the_owner_learns_where_keys_are(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BERTH_HOME", str(server.home))
    with acting(Role.GUEST, "guest-1"), pytest.raises(Forbidden):
        contents.own_way(model_of("chats"))
