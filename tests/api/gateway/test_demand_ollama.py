"""A model of Ollama's that is not in its memory, named by a program as Ollama takes it."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.support.fake_ollama import RunningOllama, running_ollama
from tests.support.gateway import post
from tests.support.server import Server, running_server

NAME = "thinker:latest"
SAID = [{"role": "user", "content": "Hello"}]


@pytest.fixture(scope="module")
def ollama() -> Iterator[RunningOllama]:
    with running_ollama("--models", NAME) as fake:
        yield fake


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, ollama: RunningOllama) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("berth")
    with running_server(home, {"OLLAMA_HOST": ollama.url}) as running:
        yield running


def told(server: Server, name: str) -> dict[str, Any]:
    row: dict[str, Any] = httpx.get(f"{server.url}/v1/models/{name}").json()
    return row


def test_it_is_loaded_by_its_short_name(server: Server, ollama: RunningOllama) -> None:
    assert told(server, NAME)["state"] == "stopped"
    answer = post(server, {"model": "thinker", "messages": SAID, "max_tokens": 4})
    assert answer.status_code == 200, answer.text
    assert told(server, NAME)["state"] == "running"


@pytest.mark.parametrize("name", [NAME, "thinker", "Thinker", "thinker%3Alatest"])
def test_it_is_told_by_each_of_its_names(server: Server, name: str) -> None:
    row = told(server, name)
    assert (row["id"], row["owned_by"], row["reasoning"]) == (NAME, "ollama", True)
