"""/v1/models: what runs and what can be started, with what a client chooses by."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import openai
import pytest

from tests.support import keys
from tests.support.engines import register
from tests.support.fake_engine import Running, running_fake
from tests.support.server import Server, running_server
from tests.support.tiny_gguf import write_tiny

ODD = "org/name:latest"


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One whose only model has `/` and `:` in its name, at an address elsewhere."""
    home: Path = tmp_path_factory.mktemp("berth")
    with running_fake("--model", ODD) as fake:
        settings = f'[[engine_addresses]]\nname = "lab"\nurl = "{fake.url}/v1"\n'
        (home / "settings.toml").write_text(settings)
        with running_server(home) as server:
            yield server


def test_the_list_names_what_runs_before_what_can_be_started(
    client: openai.OpenAI, fake: Running
) -> None:
    models = client.models.list().data
    assert [(model.id, model.owned_by) for model in models] == [
        ("fake", "llamacpp"),
        ("asleep", "llamacpp"),
    ]
    told = [model.model_extra or {} for model in models]
    assert [(one["state"], one["context_length"], one["task"]) for one in told] == [
        ("running", 4096, "chat"),
        ("stopped", told[1]["context_length"], "chat"),
    ]
    assert told[0]["modalities"] == {"input": ["text"], "output": ["text"]}


def test_one_model_is_told_by_its_name(client: openai.OpenAI, fake: Running) -> None:
    assert client.models.retrieve("fake").owned_by == "llamacpp"
    with pytest.raises(openai.NotFoundError, match="There is no model “nobody”"):
        client.models.retrieve("nobody")


def test_a_model_that_is_not_there_is_called_missing_by_openais_word(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as missing:
        client.chat.completions.create(model="nobody", messages=[{"role": "user", "content": "x"}])
    assert missing.value.code == "model_not_found"


@pytest.mark.parametrize("written", ["{}", "org%2F", "org%2fname%3Alatest"])
def test_a_name_may_have_strokes_and_colons(named: Server, written: str) -> None:
    listed = httpx.get(f"{named.url}/v1/models").json()["data"]
    [name] = [model["id"] for model in listed if model["id"].startswith("org/")]
    path = name if written == "{}" else name.replace("/", "%2F").replace(":", "%3A")
    assert httpx.get(f"{named.url}/v1/models/{path}").json()["id"] == name
    with openai.OpenAI(base_url=f"{named.url}/v1", api_key="x", max_retries=0) as client:
        assert client.models.retrieve(name).id == name


def test_a_model_that_was_added_is_listed_at_once(server: Server, fake: Running) -> None:
    write_tiny(server.home / "models" / "new.gguf")
    try:
        with running_fake() as another:
            register(server.home, another, "new")
            told = httpx.get(f"{server.url}/v1/models/new").json()
            assert (told["id"], told["state"]) == ("new", "running")
    finally:
        (server.home / "models" / "new.gguf").unlink()


def test_a_readable_name_is_as_good_as_the_exact_one(server: Server, fake: Running) -> None:
    titles_file = server.home / "titles.json"
    titles_file.write_text('{"llamacpp/fake": {"title": "My Helper"}}')
    try:
        rows = httpx.get(f"{server.url}/v1/models").json()["data"]
        assert {row["id"]: row["name"] for row in rows}["fake"] == "My Helper"
        body = {"messages": [{"role": "user", "content": "x"}]}
        for name in ("My Helper", "my helper", "MY-HELPER", "fake"):
            address = f"{server.url}/v1/chat/completions"
            answer = httpx.post(address, json={**body, "model": name})
            assert answer.status_code == 200, answer.text
            assert fake.record()[-1]["model"] == "fake"
        told = httpx.get(f"{server.url}/v1/models/My%20Helper").json()
        assert (told["id"], told["name"]) == ("fake", "My Helper")
        refused = httpx.post(address, json={**body, "model": "My Hel"})
        assert refused.status_code == 404
    finally:
        titles_file.unlink()


def test_what_a_key_may_use_is_judged_by_the_exact_name(server: Server, fake: Running) -> None:
    titles_file = server.home / "titles.json"
    titles_file.write_text('{"llamacpp/fake": {"title": "My Helper"}}')
    try:
        _, other = keys.made(server, "other", models=["asleep"])
        _, right = keys.made(server, "right", models=["fake"])
        body = {"model": "My Helper", "messages": [{"role": "user", "content": "x"}]}
        for secret, status in ((other, 403), (right, 200)):
            answer = httpx.post(
                f"{server.url}/v1/chat/completions", json=body, headers=keys.bearer(secret)
            )
            assert answer.status_code == status, answer.text
    finally:
        titles_file.unlink()
