"""schemathesis against the running server: what the description says is what the routes do."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from lib.api.gateway_operations import MODEL
from tests.support.berth import lay_fake
from tests.support.fake_engine import running_fake
from tests.support.hub_api import HubApi
from tests.support.server import Server, running_server

COMMAND = Path(sys.executable).with_name("schemathesis")
CONFORMS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "unsupported_method",
    "allow_header_conformance",
)
# The gateway leaves out what it does not know: to take too much is no fault there.
STRICT = ("negative_data_rejection", "missing_required_header", "ignored_auth", "use_after_free")
SECONDS = 300  # it takes forty where nothing else runs


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A Berth with a model of the name that the examples use, and a Hub that has little."""
    home = tmp_path_factory.mktemp("berth")
    with (
        HubApi() as hub,
        running_fake() as fake,
        running_server(home, {"HF_ENDPOINT": hub.url, "OLLAMA_HOST": "127.0.0.1:1"}) as running,
    ):
        lay_fake(home, fake, MODEL)
        fake.behave(model=MODEL)
        yield running
        for job in httpx.get(f"{running.url}/api/deploy").json()["deployments"]:
            httpx.delete(f"{running.url}/api/deploy/{job['id']}", timeout=30)


def tried(server: Server, folder: Path, *options: str) -> None:
    """Fails with what schemathesis has found."""
    given = ("--seed", "1", "--no-color", "--warnings", "off", "--request-timeout", "30")
    command = [str(COMMAND), "run", f"{server.url}/api/openapi.json", *given, *options]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 0, f"{done.stdout[-20_000:]}\n{done.stderr[-2_000:]}"
    assert " passed" in done.stdout
    assert "Traceback" not in server.output


def test_the_products_own_routes_keep_to_their_description(server: Server, tmp_path: Path) -> None:
    tried(
        server,
        tmp_path,
        *("--include-path-regex", "^/api/", "--exclude-path-regex", "^/api/(login|quit)$"),
        *("--checks", ",".join(CONFORMS + STRICT), "--max-examples", "4"),
        *("--phases", "examples,coverage,fuzzing"),
    )


def test_the_gateways_routes_keep_to_theirs(server: Server, tmp_path: Path) -> None:
    tried(
        server,
        tmp_path,
        *("--include-path-regex", "^/v1/", "--checks", ",".join(CONFORMS)),
        *("--phases", "examples,fuzzing", "--max-examples", "8"),
    )
