"""A slot's model over HTTP: started, asked through /v1, left in mid-stream, stopped."""

from collections.abc import Iterator

import httpx
import openai
import pytest

from tests.support.fake_server import Running
from tests.support.fake_vllm import running_vllm
from tests.support.gateway import events, post
from tests.support.server import Server, running_server
from tests.support.vllm_slots import Box, Fake
from tests.support.waiting import until

HELLO = {"model": "tiny", "messages": [{"role": "user", "content": "Hello there"}]}


@pytest.fixture(scope="module")
def lab() -> Iterator[Running]:
    with running_vllm("--key", "k-lab") as fake:
        yield fake


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    box = Box(tmp_path_factory.mktemp("machine"))
    yield box
    box.systemd.end()


@pytest.fixture(scope="module")
def server(
    tmp_path_factory: pytest.TempPathFactory, machine: Box, lab: Running
) -> Iterator[Server]:
    """A Berth with one slot, whose model runs, and one server elsewhere."""
    home = tmp_path_factory.mktemp("berth")
    settings = f'[[engine_addresses]]\nname = "lab"\nurl = "{lab.url}/v1"\n'
    (home / "settings.toml").write_text(settings)
    (home / "engine_keys").mkdir()
    (home / "engine_keys" / "lab").write_text("k-lab\n")
    machine.slot(slot=None)
    with running_server(home, machine.systemd.world()) as running:
        answer = httpx.post(f"{running.url}/api/models/tiny/start", json={}, timeout=60)
        assert answer.status_code == 200, answer.text
        yield running


@pytest.fixture
def fake(machine: Box, server: Server) -> Fake:
    """The engine of the slot, well-behaved again."""
    [unit] = [path.name for path in machine.systemd.units.iterdir()]
    slot = int(unit.removeprefix("berth-slot-").removesuffix(".service"))
    fake = machine.fake(slot)
    fake.behave(tokens=20, text="", gap_ms=0, error_after=-1, reasoning=0)
    return fake


@pytest.fixture
def client(server: Server) -> Iterator[openai.OpenAI]:
    base = f"{server.url}/v1"
    with openai.OpenAI(base_url=base, api_key="key-of-the-client", max_retries=0) as made:
        yield made


def test_the_list_has_the_slots_model_and_that_of_the_server_elsewhere(
    client: openai.OpenAI, fake: Fake
) -> None:
    models = client.models.list().data
    assert [(model.id, model.owned_by) for model in models] == [
        ("tiny", "vllm"),
        ("tiny@lab", "vllm"),
    ]


def test_a_stream_arrives_whole_and_the_engine_sees_its_own_key(
    client: openai.OpenAI, fake: Fake
) -> None:
    stream = client.chat.completions.create(**HELLO, stream=True, max_tokens=5)  # type: ignore[call-overload]
    text = "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)
    assert text == "t0 t1 t2 t3 t4 "
    assert fake.record()[-1]["authorization"] == "Bearer key-of-the-slot"


def test_thoughts_pass_under_the_name_that_the_engine_gives_them(
    server: Server, fake: Fake
) -> None:
    fake.behave(text="hm Paris", reasoning=1)
    said = events(post(server, {**HELLO, "stream": True}))
    deltas = [event["choices"][0]["delta"] for event in said if event != "[DONE]"]
    assert {"reasoning": "hm "} in deltas and {"content": "Paris "} in deltas


def test_the_server_elsewhere_is_asked_by_its_own_name_for_the_model(
    server: Server, lab: Running
) -> None:
    answer = post(server, {**HELLO, "model": "tiny@lab", "max_tokens": 2})
    assert answer.json()["choices"][0]["message"]["content"] == "t0 t1 "
    call = lab.record()[-1]
    assert (call["model"], call["authorization"]) == ("tiny", "Bearer k-lab")


def test_an_engine_that_dies_in_mid_stream_sends_its_error_through(
    client: openai.OpenAI, fake: Fake
) -> None:
    fake.behave(error_after=2)
    stream = client.chat.completions.create(**HELLO, stream=True)  # type: ignore[call-overload]
    with pytest.raises(openai.APIError, match="EngineCore encountered an issue"):
        list(stream)


def test_a_client_that_leaves_ends_the_engines_work(server: Server, fake: Fake) -> None:
    fake.behave(tokens=2_000, gap_ms=20)
    body = {**HELLO, "stream": True}
    with httpx.stream("POST", f"{server.url}/v1/chat/completions", json=body) as answer:
        next(answer.iter_lines())
    assert fake.last_call("left")["tokens_sent"] < 1_000
    until(lambda: "vllm:num_requests_running 0\n" in httpx.get(f"{fake.url}/metrics").text)


def test_the_model_is_told_without_its_key(server: Server, fake: Fake) -> None:
    told = httpx.get(f"{server.url}/api/models/tiny").json()
    assert (told["engine"], told["state"], told["is_elsewhere"]) == ("vllm", "Ready", False)
    assert told["place"].startswith("slot ")
    everything = httpx.get(f"{server.url}/api/models").text + server.output
    assert "key-of-the-slot" not in everything and "k-lab" not in everything


def test_what_is_stopped_is_started_when_it_is_named(server: Server, fake: Fake) -> None:
    answer = httpx.post(f"{server.url}/api/models/tiny/stop", json={}, timeout=60)
    assert answer.json()["state"] == "Stopped"
    assert httpx.get(f"{server.url}/v1/models/tiny").json()["state"] == "stopped"
    assert post(server, HELLO).status_code == 200
    assert httpx.get(f"{server.url}/v1/models/tiny").json()["state"] == "running"


def test_health_tells_of_it(server: Server) -> None:
    services = httpx.get(f"{server.url}/api/health").json()["services"]
    [vllm] = [service for service in services if service["name"] == "vllm"]
    assert (vllm["up"], vllm["version"]) == (True, "0.33.0")


def test_removing_takes_all_of_the_slot_as_a_job(server: Server, machine: Box) -> None:
    """The last of this file: nothing is left to be asked."""
    as_json = {"Content-Type": "application/json"}
    answer = httpx.delete(f"{server.url}/api/models/tiny", headers=as_json, timeout=30)
    assert answer.status_code == 202, answer.text
    address = f"{server.url}/api/deploy/{answer.json()['job']}"
    until(lambda: httpx.get(address).json()["state"] not in ("queued", "running"), "the removal")
    job = httpx.get(address).json()
    assert job["state"] == "succeeded", job
    assert list(machine.systemd.units.iterdir()) == []
    assert httpx.get(f"{server.url}/api/models/tiny").status_code == 404
