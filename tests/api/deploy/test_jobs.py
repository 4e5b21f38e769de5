"""/api/deploy and /api/models/lookup on the real server, against a Hub of the test's making."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from lib.jobs import jobs
from tests.support.berth import stop_engines
from tests.support.deployment import REPOSITORY, add_tiny
from tests.support.fake_hub import Manner
from tests.support.hub_api import HubApi
from tests.support.server import Server, running_server
from tests.support.shapes import add_model
from tests.support.waiting import until

BODY = {"model": REPOSITORY, "quantization": "Q4_K_M"}
SLOW = Manner(bytes_per_second=100_000)


@pytest.fixture(scope="module")
def hub() -> Iterator[HubApi]:
    with HubApi() as running:
        yield running


@pytest.fixture(scope="module")
def server(hub: HubApi, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    world = {"HF_ENDPOINT": hub.url, "OLLAMA_HOST": "127.0.0.1:9"}
    with running_server(tmp_path_factory.mktemp("berth"), world) as running:
        yield running


@pytest.fixture(autouse=True)
def as_it_was(
    hub: HubApi, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """The repository as every test finds it; at the end neither jobs nor engines run."""
    monkeypatch.setenv("BERTH_HOME", str(server.home))
    add_tiny(hub, tmp_path / "files")
    yield
    for job in jobs.running():
        job.cancel()
    stop_engines()
    shutil.rmtree(server.home / "models", ignore_errors=True)


@pytest.fixture
def api(server: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{server.url}/api", timeout=60) as client:
        yield client


def fault(answer: httpx.Response, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    error: dict[str, Any] = answer.json()["error"]
    assert set(error) == {"code", "message", "fix"}
    return error


def begun(api: httpx.Client, **changes: object) -> str:
    answer = api.post("/deploy", json=BODY | changes)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


def events(api: httpx.Client, job: str, last: str = "") -> list[tuple[str, str, Any]]:
    """Every event of the stream up to its end: id, name, data."""
    headers = {"Last-Event-ID": last} if last else {}
    answer = api.get("/deploy/stream", params={"job": job}, headers=headers)
    assert answer.headers["content-type"].startswith("text/event-stream")
    found = []
    for block in answer.text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if line[:1] != ":")
        if "event" in fields:
            found.append((fields.get("id", ""), fields["event"], json.loads(fields["data"])))
    return found


def test_a_deployment_is_followed_from_its_start_to_its_end(api: httpx.Client) -> None:
    job = begun(api)
    seen = events(api, job)
    log = "".join(data for _, name, data in seen if name == "log")
    assert log.startswith("Looking at this machine.")
    assert "is ready at" in log
    states = [data["state"] for _, name, data in seen if name == "state"]
    assert states[-1] == "succeeded"
    assert seen[-1][1] == "end"
    shown = api.get(f"/deploy/{job}").json()
    assert (shown["state"], shown["exit_code"], shown["diagnosis"]) == ("succeeded", 0, None)
    assert shown["request"]["model"] == REPOSITORY
    assert api.get("/deploy").json()["deployments"][0]["id"] == job


def test_a_stream_goes_on_where_it_was_broken_off(api: httpx.Client) -> None:
    job = begun(api)
    whole = events(api, job)
    logs = [(where, data) for where, name, data in whole if name == "log"]
    rest = events(api, job, last=logs[0][0])
    said = "".join(data for _, name, data in rest if name == "log")
    assert logs[0][1] + said == "".join(data for _, data in logs)


@pytest.mark.parametrize("last", ["x", "-1", "9" * 30, "99999999"])
def test_an_odd_last_event_id_is_survived(api: httpx.Client, last: str) -> None:
    job = begun(api)
    assert events(api, job, last=last)[-1][1] == "end"


def test_a_deployment_is_paused_repeated_and_cancelled(
    api: httpx.Client, hub: HubApi, tmp_path: Path
) -> None:
    add_tiny(hub, tmp_path / "files", manner=SLOW)
    job = begun(api)
    until(lambda: api.get(f"/deploy/{job}").json()["progress"]["phase"] == "download")
    paused = api.post(f"/deploy/{job}/pause", json={}).json()
    assert (paused["state"], paused["is_paused"]) == ("cancelled", True)
    again = api.post(f"/deploy/{job}/retry", json={})
    assert again.status_code == 202
    assert again.json()["id"] != job
    until(lambda: api.get(f"/deploy/{again.json()['id']}").json()["state"] == "running")
    ended = api.delete(f"/deploy/{again.json()['id']}")
    assert (ended.json()["state"], ended.json()["is_paused"]) == ("cancelled", False)


def test_a_failed_deployment_tells_its_cause(
    api: httpx.Client, hub: HubApi, tmp_path: Path
) -> None:
    assert api.get("/models/lookup", params={"repo": REPOSITORY}).json()["plan"]  # its header
    add_tiny(hub, tmp_path / "files", manner=Manner(is_wrong=True))
    job = begun(api)
    assert events(api, job)[-1][1] == "end"
    found = api.get(f"/deploy/{job}").json()["diagnosis"]
    assert (found["action"], found["argument"]) == ("retry", "")
    assert "damaged" in found["cause"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"model": ""},
        {"model": "a/b; rm -rf ~"},
        {"model": "../../etc"},
        {"model": "/etc/passwd"},
        {"model": "a/" + "b" * 10_000},
        {"model": "a/\u202eb"},
        {"model": "a/b\0"},
        {"model": 7},
        BODY | {"quantization": "Q99"},
        BODY | {"context": -1},
        BODY | {"context": "many"},
        BODY | {"engine": "vllm"},
        BODY | {"command": ["id"]},
    ],
)
def test_a_bad_request_starts_nothing(api: httpx.Client, body: dict[str, Any]) -> None:
    before = api.get("/deploy").json()
    assert fault(api.post("/deploy", json=body), 422)["code"] == "bad_input"
    assert api.get("/deploy").json() == before


def test_what_is_not_there_or_does_not_fit_starts_nothing(api: httpx.Client, hub: HubApi) -> None:
    before = api.get("/deploy").json()
    fault(api.post("/deploy", json={"model": "acme/None"}), 404)
    fault(api.post("/deploy", json={"model": "/nowhere/x.gguf"}), 422)
    add_model(hub, "acme/Huge-GGUF", {"Q8_0": 10**14})
    error = fault(api.post("/deploy", json={"model": "acme/Huge-GGUF"}), 409)
    assert error["code"] == "does_not_fit"
    assert api.get("/deploy").json() == before


@pytest.mark.parametrize("job", ["nobody", "a b", "x" * 10_000, "20260101-000000-000000-abcd"])
def test_a_job_that_is_not_there_is_404(api: httpx.Client, job: str) -> None:
    fault(api.get(f"/deploy/{job}"), 404)
    fault(api.delete(f"/deploy/{job}"), 404)
    fault(api.get("/deploy/stream", params={"job": job}), 404)


def test_a_job_of_another_kind_is_no_deployment(api: httpx.Client) -> None:
    job = jobs.start(["true"], title="Other", kind="other")
    fault(api.get(f"/deploy/{job.id}"), 404)
    fault(api.delete(f"/deploy/{job.id}"), 404)


def test_a_foreign_page_cannot_begin_a_deployment(api: httpx.Client) -> None:
    foreign = {"Origin": "https://evil.example"}
    fault(api.post("/deploy", json=BODY, headers=foreign), 403)
    form = {"Content-Type": "text/plain"}
    answer = api.post("/deploy", content=json.dumps(BODY), headers=form | foreign)
    fault(answer, 403)


def test_a_repository_is_looked_up_with_its_files_and_verdicts(api: httpx.Client) -> None:
    found = api.get("/models/lookup", params={"repo": REPOSITORY}).json()
    assert found["card"]["id"] == REPOSITORY
    assert {row["quantization"] for row in found["plan"]["rows"]} == {"Q4_K_M", "Q8_0"}
    assert found["plan"]["verdict"]["word"]
    assert found["problem"] is None


@pytest.mark.parametrize(
    ("text", "more"),
    [
        (f"hf.co/{REPOSITORY}:Q4_K_M", {}),
        (f"https://huggingface.co/{REPOSITORY}/blob/main/Tiny-Q4_K_M.gguf", {}),
        (f"hf download {REPOSITORY} Tiny-Q4_K_M.gguf", {}),
        (REPOSITORY, {"file": "Tiny-Q4_K_M.gguf"}),
        (REPOSITORY, {"quant": "Tiny-Q4_K_M"}),
    ],
)
def test_a_file_is_looked_up_by_whatever_names_it(
    api: httpx.Client, text: str, more: dict[str, str]
) -> None:
    found = api.get("/models/lookup", params={"repo": text, **more}).json()
    assert found["card"]["id"] == REPOSITORY
    assert found["plan"]["files"][0]["path"] == "Tiny-Q4_K_M.gguf"


def test_a_file_that_is_not_there_is_told_so_and_not_replaced(api: httpx.Client) -> None:
    address = f"https://huggingface.co/{REPOSITORY}/blob/main/Tiny-Q6_K.gguf"
    found = api.get("/models/lookup", params={"repo": address}).json()
    assert found["plan"] is None
    assert "Tiny-Q6_K.gguf" in found["problem"]["message"]
    assert "Q4_K_M" in found["problem"]["fix"]


def test_a_deployment_may_be_asked_for_as_other_tools_do(api: httpx.Client) -> None:
    answer = api.post("/deploy", json={"model": f"ollama run hf.co/{REPOSITORY}:q4_k_m"})
    assert answer.status_code == 202, answer.text
    request = answer.json()["request"]
    assert (request["model"], request["quantization"]) == (REPOSITORY, "Q4_K_M")


def test_a_model_that_cannot_be_deployed_is_looked_up_with_the_reason(
    api: httpx.Client, hub: HubApi
) -> None:
    hub.copy_repository("acme/Anvil-1B", "acme/Alone", tags=[])
    found = api.get("/models/lookup", params={"repo": "acme/Alone"}).json()
    assert found["plan"] is None
    assert "GGUF" in found["problem"]["message"]


@pytest.mark.parametrize("repo", ["", "some words", "a/b;c", "https://evil.example/a/b"])
def test_what_is_no_repository_is_not_looked_up(api: httpx.Client, repo: str) -> None:
    fault(api.get("/models/lookup", params={"repo": repo}), 422)


def test_the_description_has_the_routes(api: httpx.Client) -> None:
    described = api.get("/openapi.json").json()["paths"]
    schema = described["/api/deploy"]["post"]["requestBody"]["content"]["application/json"]
    named = [choice["$ref"].rpartition("/")[2] for choice in schema["schema"]["anyOf"]]
    assert named == ["DeployRequest", "SlotRequest"]
    assert {"get", "delete"} <= set(described["/api/deploy/{id}"])
    assert "/api/models/lookup" in described


def test_a_stream_does_not_hold_up_the_servers_end(
    hub: HubApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_tiny(hub, tmp_path / "files", manner=SLOW)
    world = {"HF_ENDPOINT": hub.url, "OLLAMA_HOST": "127.0.0.1:9"}
    monkeypatch.setenv("BERTH_HOME", str(tmp_path / "other"))
    with (
        running_server(tmp_path / "other", world) as server,
        httpx.Client(base_url=f"{server.url}/api", timeout=60) as client,
    ):
        job = begun(client)
        with client.stream("GET", "/deploy/stream", params={"job": job}) as answer:
            assert next(answer.iter_text())
            server.stop()  # fails where it takes long
        assert jobs.find(job).is_active
