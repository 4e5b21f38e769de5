"""/api/deploy for graphics cards: the same routes, on a GPU server in a folder."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from lib.jobs import jobs
from tests.api.deploy.test_jobs import events, fault
from tests.support import checkpoint_configs, weight_shapes
from tests.support.checkpoint_repos import add_checkpoint
from tests.support.fake_hub import Manner
from tests.support.guests import shared_server, signed_in
from tests.support.hub_api import HubApi
from tests.support.server import Server, running_server
from tests.support.slots import MODEL, WEIGHTS, GpuServer, gpu_server
from tests.support.vllm_slots import free_slot, give_back
from tests.support.waiting import until

LARGE = "acme/Seventy-70B"
PROBLEM = "ValueError: No available memory for the cache blocks. Try increasing it."


@pytest.fixture(scope="module")
def hub() -> Iterator[HubApi]:
    with HubApi() as running:
        yield running


@pytest.fixture(scope="module")
def machine(hub: HubApi, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GpuServer]:
    with gpu_server(tmp_path_factory.mktemp("server"), hub, "two-cards") as found:
        found.add_model()
        config = checkpoint_configs.LLAMA_70B
        add_checkpoint(hub, LARGE, config, weight_shapes.dense(config), 4)
        yield found
    give_back()


@pytest.fixture(scope="module")
def server(machine: GpuServer) -> Iterator[Server]:
    with running_server(machine.home, machine.world()) as running:
        yield running


@pytest.fixture
def api(server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[httpx.Client]:
    monkeypatch.setenv("BERTH_HOME", str(server.home))
    with httpx.Client(base_url=f"{server.url}/api", timeout=60) as client:
        yield client
    for job in jobs.running():
        job.cancel()


@pytest.fixture
def body(machine: GpuServer) -> dict[str, Any]:
    """A deployment on the first card, on a slot of its own, nothing in front of the engine."""
    return {
        "model": MODEL,
        "slot": free_slot(),
        "cards": [machine.card],
        "with_gateway": False,
        "with_nginx": False,
    }


def begun(api: httpx.Client, body: dict[str, Any]) -> str:
    answer = api.post("/deploy", json=body)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


def test_a_deployment_on_a_slot_is_followed_from_its_start_to_its_end(
    api: httpx.Client, machine: GpuServer, body: dict[str, Any]
) -> None:
    job = begun(api, body)
    seen = events(api, job)
    assert seen[-1][1] == "end"
    shown = api.get(f"/deploy/{job}").json()
    assert (shown["state"], shown["diagnosis"]) == ("succeeded", None), shown["log"]
    assert [name for name, _ in shown["progress"]["phases"]] == [
        "check",
        "unload",
        "download",
        "service",
        "gateway",
        "start",
        "test",
    ]
    assert shown["request"]["slot"] == body["slot"]
    assert machine.runs(body["slot"]) == "Tiny-Instruct"
    assert api.get("/deploy").json()["deployments"][0]["id"] == job
    names = [model["name"] for model in api.get("/models").json()["models"]]
    assert "Tiny-Instruct" in names


def test_a_second_model_for_a_slot_waits_for_the_first_and_the_same_one_is_not_begun_twice(
    api: httpx.Client, machine: GpuServer, body: dict[str, Any]
) -> None:
    machine.hub.add_file(MODEL, "model.safetensors", WEIGHTS, Manner(bytes_per_second=5_000))
    first = begun(api, body)
    assert begun(api, body) == first
    second = begun(api, body | {"max_num_seqs": 8})
    assert second != first
    until(lambda: api.get(f"/deploy/{first}").json()["state"] == "running")
    assert api.get(f"/deploy/{second}").json()["state"] == "queued"
    other = begun(api, body | {"slot": free_slot()})
    until(lambda: api.get(f"/deploy/{other}").json()["state"] == "running")
    ended = [api.delete(f"/deploy/{job}").json()["state"] for job in (second, first, other)]
    assert ended == ["cancelled"] * 3
    machine.hub.add_file(MODEL, "model.safetensors", WEIGHTS)


def test_a_failed_deployment_tells_its_cause_and_is_repeated(
    api: httpx.Client, machine: GpuServer, body: dict[str, Any]
) -> None:
    machine.add_model("acme/Broken-Instruct", {"refuses": PROBLEM})
    job = begun(api, body | {"model": "acme/Broken-Instruct"})
    assert events(api, job)[-1][1] == "end"
    shown = api.get(f"/deploy/{job}").json()
    assert shown["state"] == "failed"
    assert "no memory for conversations" in shown["diagnosis"]["cause"], shown
    assert not machine.places.unit(body["slot"]).exists()
    machine.behave("acme/Broken-Instruct", {})
    again = api.post(f"/deploy/{job}/retry", json={}).json()["id"]
    assert events(api, again)[-1][1] == "end"
    assert api.get(f"/deploy/{again}").json()["state"] == "succeeded"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"slot": "x"}, "“x” is not a slot"),
        ({"slot": -1}, "“-1” is not a slot"),
        ({"slot": 99}, "There is no slot 99"),
        ({"slot": None}, "is not a slot"),
        ({"slot": [0]}, "is not a slot"),
        ({"model": "a/b; rm -rf ~"}, "not a repository name"),
        ({"model": "/models/x.gguf"}, "not a repository name"),
        ({"context": "many"}, "not a context length"),
        ({"context": 7}, "not a context length"),
        ({"cards": ["0"]}, "not the UUID of a card"),
        ({"cards": ["MIG-1"]}, "divided card"),
        ({"tensor_parallel": 3}, "cards are named"),
        ({"served_name": "a b"}, "not a model name"),
        ({"quantization": "Q4_K_M"}, "quantization"),
        ({"command": ["id"]}, "command"),
        ({"utilization": 2}, "utilization"),
    ],
)
def test_a_bad_request_starts_nothing(
    api: httpx.Client, body: dict[str, Any], wrong: dict[str, Any], said: str
) -> None:
    before = api.get("/deploy").json()
    error = fault(api.post("/deploy", json=body | wrong), 422)
    assert error["code"] == "bad_input"
    assert said in error["message"]
    assert api.get("/deploy").json() == before


def test_what_does_not_fit_or_is_not_there_is_refused_at_once(
    api: httpx.Client, body: dict[str, Any]
) -> None:
    before = api.get("/deploy").json()
    error = fault(api.post("/deploy", json=body | {"model": LARGE}), 409)
    assert error["code"] == "does_not_fit"
    assert f"{LARGE} does not fit" in error["message"]
    fault(api.post("/deploy", json=body | {"model": "acme/None"}), 404)
    assert api.get("/deploy").json() == before


def test_a_look_up_tells_what_a_slot_would_do_with_it(api: httpx.Client) -> None:
    asked = {"repo": MODEL, "slot": "1"}  # the other tests fill the first card
    told = api.get("/models/lookup", params=asked).json()["on_slot"]
    assert all(problem["message"] and problem["fix"] for problem in told["problems"])
    assert told["verdict"]["fits"]
    assert told["plan"]["cards"][0]["name"] == "NVIDIA GeForce RTX 3060"
    told = api.get("/models/lookup", params=asked | {"repo": LARGE}).json()["on_slot"]
    assert not told["verdict"]["fits"]
    assert "on_slot" not in api.get("/models/lookup", params={"repo": MODEL}).json()
    fault(api.get("/models/lookup", params=asked | {"slot": "x"}), 422)


def test_the_description_names_what_a_slot_takes(api: httpx.Client) -> None:
    described = api.get("/openapi.json").json()["components"]["schemas"]
    assert {"slot", "tensor_parallel", "kv_cache"} <= set(described["SlotRequest"]["properties"])


def test_a_guest_begins_nothing_on_a_slot(machine: GpuServer, body: dict[str, Any]) -> None:
    home = machine.home.with_name("shared")
    with shared_server(home, world=machine.world(BERTH_HOME=str(home))) as (_, url):
        sent = {"Cookie": signed_in(url), "Origin": url, "Content-Type": "application/json"}
        answer = httpx.post(f"{url}/api/deploy", content=json.dumps(body), headers=sent)
        assert answer.status_code == 403
        looked = httpx.get(f"{url}/api/models/lookup?repo={MODEL}&slot=0", headers=sent)
        assert looked.status_code == 403
