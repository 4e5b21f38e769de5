"""/api/models on the real server: a tiny model in the real built-in engine, and bad requests."""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from lib.engines import find_model
from lib.fleet import removals, removing
from lib.fleet.removals import UNDO_SECONDS
from tests.support.server import Server, running_server
from tests.support.tiny_gguf import write_tiny, write_truncated
from tests.support.waiting import until

ODD_NAMES = [
    "nobody",
    "a" * 10_000,
    "a;rm -rf ~",
    "$(id)",
    "\u202egpt",
    "%00",
    "a%00b",
    "..%2f..%2fetc%2fpasswd",
    "%2e%2e/%2e%2e/x",
    "a b",
    "a//b",
    "a/",
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("berth")
    write_tiny(home / "models" / "tiny.gguf")
    write_truncated(home / "models" / "cut.gguf")
    with running_server(home) as running:
        yield running
        for name in ("tiny", "again"):
            httpx.post(f"{running.url}/api/models/{name}/stop", json={}, timeout=30)


@pytest.fixture
def api(server: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{server.url}/api", timeout=60) as client:
        yield client


def state(api: httpx.Client, name: str) -> str:
    return str(api.get(f"/models/{name}").json()["state"])


def fault(answer: httpx.Response) -> dict[str, Any]:
    """The error of a failed answer, whole."""
    error: dict[str, Any] = answer.json()["error"]
    assert set(error) == {"code", "message", "fix"}
    assert error["message"]
    return error


def test_every_model_is_listed_with_its_state(api: httpx.Client) -> None:
    models = {model["name"]: model for model in api.get("/models").json()["models"]}
    assert set(models) >= {"tiny", "cut"}
    assert models["tiny"]["state"] == "Stopped"
    assert models["cut"]["state"] == "Failed"
    assert models["cut"]["problem"]


def test_a_model_is_shown_with_the_gateways_address(server: Server, api: httpx.Client) -> None:
    model = api.get("/models/tiny").json()
    assert model["engine"] == "llamacpp"
    assert model["size_bytes"] > 0
    assert model["gateway_url"] == f"{server.url}/v1"


def test_a_model_starts_answers_and_stops(server: Server, api: httpx.Client) -> None:
    started = api.post("/models/tiny/start", json={"context": 512, "slots": 1})
    assert started.status_code == 200
    assert started.json()["state"] == "Ready"
    assert started.json()["context"] == 512
    assert started.json()["url"].startswith("http://127.0.0.1:")
    asked = {"model": "tiny", "prompt": "a", "max_tokens": 3, "ignore_eos": True}
    answer = httpx.post(f"{server.url}/v1/completions", json=asked, timeout=60)
    assert answer.status_code == 200
    assert answer.json()["usage"]["completion_tokens"] == 3
    assert httpx.get(f"{server.url}/v1/models").json()["data"][0]["id"] == "tiny"
    memory = api.get("/system").json()["engines"]["llamacpp"]["memory_bytes"]
    assert memory > 2**20
    stopped = api.post("/models/tiny/stop", json={})
    assert stopped.json()["state"] == "Stopped"
    [listed] = httpx.get(f"{server.url}/v1/models").json()["data"]
    assert (listed["id"], listed["state"]) == ("tiny", "stopped")
    again = httpx.post(f"{server.url}/v1/completions", json=asked, timeout=60)
    assert again.status_code == 200  # who asks for it has it started
    api.post("/models/tiny/stop", json={})


def test_a_start_without_options_takes_the_defaults(api: httpx.Client) -> None:
    started = api.post("/models/tiny/start", headers={"Content-Type": "application/json"})
    assert started.json()["state"] == "Ready"
    api.post("/models/tiny/stop", json={})


def test_an_engine_outlives_the_server_and_is_found_again(home: Path, server: Server) -> None:
    write_tiny(home / "models" / "tiny.gguf")
    with running_server(home) as first:
        started = httpx.post(f"{first.url}/api/models/tiny/start", json={}, timeout=60)
        assert started.json()["state"] == "Ready"
    with running_server(home) as second:
        again = httpx.get(f"{second.url}/api/models/tiny").json()
        assert (again["state"], again["url"]) == ("Ready", started.json()["url"])
        httpx.post(f"{second.url}/api/models/tiny/stop", json={}, timeout=30)


def test_stopping_what_does_not_run_changes_nothing(api: httpx.Client) -> None:
    assert api.post("/models/tiny/stop", json={}).json()["state"] == "Stopped"


def test_a_broken_file_does_not_start_and_says_why(api: httpx.Client) -> None:
    answer = api.post("/models/cut/start", json={})
    assert answer.status_code == 422
    assert fault(answer)["code"] == "broken_file"
    assert fault(answer)["fix"]


def test_a_removed_model_is_gone_with_its_file(server: Server, api: httpx.Client) -> None:
    file = server.home / "models" / "again.gguf"
    write_tiny(file)
    assert state(api, "again") == "Stopped"
    size = file.stat().st_size
    answer = api.delete("/models/again")
    assert answer.json() == {"removed": "again", "freed_bytes": size}
    assert not file.exists()
    assert api.get("/models/again").status_code == 404


def test_a_removal_that_waits_refuses_a_start_and_the_next_server_carries_it_out(
    home: Path,
) -> None:
    write_tiny(home / "models" / "tiny.gguf")
    with running_server(home) as first:
        removing.remove_soon(find_model("tiny"))
        refused = httpx.post(f"{first.url}/api/models/tiny/start", json={}, timeout=60)
        assert refused.status_code == 409
        assert "about to be removed" in fault(refused)["message"]
    [removal] = removals.waiting().values()
    [mark] = (home / "removals").iterdir()
    earlier = removal.model_copy(update={"asked_at": time.time() - UNDO_SECONDS})
    mark.write_text(earlier.model_dump_json())
    with running_server(home):
        until(lambda: not (home / "models" / "tiny.gguf").exists(), "the removal")
    assert removals.waiting() == {}


@pytest.mark.parametrize("name", ODD_NAMES, ids=lambda name: ascii(name[:20]))
@pytest.mark.parametrize(
    ("method", "ending"), [("GET", ""), ("DELETE", ""), ("POST", "/start"), ("POST", "/stop")]
)
def test_a_name_without_a_model_is_refused_and_harms_nothing(
    server: Server, name: str, method: str, ending: str
) -> None:
    url = f"{server.url}/api/models/{name}{ending}"
    headers = {"Content-Type": "application/json"}
    answer = httpx.request(method, url, headers=headers)
    assert answer.status_code in (400, 404, 405, 422)
    assert len(answer.content) < 1_000
    assert (server.home / "models" / "tiny.gguf").exists()


def test_an_engine_that_is_none_is_not_found(api: httpx.Client) -> None:
    assert api.get("/models/tiny", params={"engine": "nonsense"}).status_code == 404
    assert api.get("/models/tiny", params={"engine": "llamacpp"}).status_code == 200


@pytest.mark.parametrize(
    "options",
    [
        {"context": 1},
        {"context": "many"},
        {"context": 10**12},
        {"slots": 0},
        {"threads": -1},
        {"kv_type": "f8; rm -rf ~"},
        {"trust_remote_code": True},
        {"context": 512, "path": "/etc/passwd"},
        [],
        "text",
        7,
    ],
    ids=str,
)
def test_options_that_make_no_sense_are_refused_by_name(api: httpx.Client, options: Any) -> None:
    answer = api.post("/models/tiny/start", json=options)
    assert answer.status_code == 422
    if isinstance(options, dict):
        assert list(options)[-1] in fault(answer)["message"]
    assert state(api, "tiny") == "Stopped"


@pytest.mark.parametrize("body", [b"{", b"\xff", b"[" * 100_000, b'{"context": 512'], ids=len)
def test_a_body_that_is_no_json_is_refused(api: httpx.Client, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    answer = api.post("/models/tiny/start", content=body, headers=headers)
    assert answer.status_code == 400
    assert fault(answer)["code"] == "not_json"


def test_a_body_that_is_too_large_is_refused(api: httpx.Client) -> None:
    headers = {"Content-Type": "application/json"}
    answer = api.post("/models/tiny/start", content=b" " * (9 * 2**20), headers=headers)
    assert answer.status_code == 413
    assert fault(answer)["code"] == "too_large"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/models"),
        ("DELETE", "/models"),
        ("PUT", "/models/tiny"),
        ("PATCH", "/models/tiny"),
        ("DELETE", "/health"),
        ("POST", "/system"),
    ],
)
def test_a_wrong_method_is_told_the_right_one(api: httpx.Client, method: str, path: str) -> None:
    answer = api.request(method, path, headers={"Content-Type": "application/json"})
    assert answer.status_code == 405
    assert "Use " in fault(answer)["fix"]
    assert answer.headers["allow"]


@pytest.mark.parametrize("path", ["", "/", "/nothing", "/health/x", "/%2e%2e/lib"])
def test_an_unknown_path_is_a_json_404(server: Server, path: str) -> None:
    answer = httpx.get(f"{server.url}/api{path}")
    assert answer.status_code in (400, 404)
    if answer.status_code == 404:
        assert fault(answer)["code"] == "not_found"


def test_a_models_folder_that_is_gone_is_an_empty_list(home: Path) -> None:
    with running_server(home) as server:
        shutil.rmtree(home / "models", ignore_errors=True)
        assert httpx.get(f"{server.url}/api/models").json() == {"models": []}
        (home / "models").write_text("a file where a folder should be")
        assert httpx.get(f"{server.url}/api/models").json() == {"models": []}


def test_health_names_every_engine(api: httpx.Client) -> None:
    health = api.get("/health").json()
    assert health["ok"] is True
    assert health["version"]
    [built_in] = [s for s in health["services"] if s["name"] == "llamacpp"]
    assert built_in["up"] is True
    assert built_in["version"]


def test_system_tells_facts_and_load(api: httpx.Client) -> None:
    system = api.get("/system").json()
    assert system["machine"]["threads"] >= 1
    assert 0 < system["now"]["memory_available_bytes"] <= system["machine"]["memory_bytes"]
    assert abs(system["now"]["at"] - time.time()) < 60


def test_the_description_names_every_route_with_a_sentence(api: httpx.Client) -> None:
    described = api.get("/openapi.json").json()
    operations = [
        (method, path, operation)
        for path, methods in described["paths"].items()
        for method, operation in methods.items()
    ]
    named = {(method, path) for method, path, _ in operations}
    assert ("post", "/api/models/{name}/start") in named
    assert ("delete", "/api/models/{name}") in named
    assert ("post", "/v1/chat/completions") in named
    assert all(operation["summary"].strip() for _, _, operation in operations)
    start = described["paths"]["/api/models/{name}/start"]["post"]
    assert "context" in str(start["requestBody"])
    page = api.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    assert all(path in page.text for _, path in named)
