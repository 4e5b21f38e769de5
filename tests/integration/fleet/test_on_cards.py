"""Which model a process on a card runs: by its own pid, its parents', its service, or Ollama's."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lib.engines.base import Model, State
from lib.fleet import on_cards
from lib.fleet.on_cards import model_names
from lib.machine.cards import Card, CardProcess
from tests.support.berth import lay_fake
from tests.support.fake_engine import Running, running_fake

PARENT = (
    "import subprocess, sys; child = subprocess.Popen([sys.executable, '-c',"
    " 'import sys; sys.stdin.read()'], stdin=subprocess.PIPE);"
    " print(child.pid, flush=True); sys.stdin.read(); child.stdin.close(); child.wait()"
)


@pytest.fixture
def fake(home: Path) -> Iterator[Running]:
    """The engine of the model fake."""
    with running_fake() as engine:
        lay_fake(home, engine)
        yield engine


def cards(*pids: int) -> list[Card]:
    return [Card(index=0, name="L4", processes=tuple(CardProcess(pid=pid) for pid in pids))]


def ollama(name: str, state: State = State.READY) -> Model:
    return Model(name=name, engine="ollama", state=state)


@pytest.fixture
def family(tmp_path: Path) -> Iterator[tuple[int, int]]:
    """A process called ollama and its child."""
    program = tmp_path / "ollama"
    shutil.copy(os.path.realpath(sys.executable), program)
    with subprocess.Popen(
        [program, "-S", "-c", PARENT],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={"PYTHONHOME": sys.base_prefix},
    ) as parent:
        assert parent.stdin is not None
        assert parent.stdout is not None
        yield parent.pid, int(parent.stdout.readline())
        parent.stdin.close()
        parent.wait(30)


def test_a_child_of_the_built_in_engine_is_its_model(fake: Running) -> None:
    assert model_names(cards(fake.process.pid), []) == {fake.process.pid: "fake"}


def test_what_a_child_has_started_is_its_model_too(home: Path, family: tuple[int, int]) -> None:
    parent, child = family
    assert on_cards._of_child(child, {parent: "large"}) == "large"


@pytest.mark.usefixtures("fake")
def test_foreign_processes_and_those_that_are_over_have_no_model() -> None:
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait(30)
    assert model_names(cards(os.getpid(), done.pid, 4_194_303), []) == {}


def test_a_card_without_processes_asks_nobody() -> None:
    assert model_names(cards(), []) == {}


def test_ollamas_runner_is_the_one_model_that_is_loaded(family: tuple[int, int]) -> None:
    _, child = family
    models = [ollama("qwen3:4b"), ollama("other", State.STOPPED)]
    assert model_names(cards(child), models) == {child: "qwen3:4b"}


@pytest.mark.parametrize("loaded", [[], ["one", "two"]], ids=str)
def test_where_several_or_none_are_loaded_it_is_ollama(
    family: tuple[int, int], loaded: list[str]
) -> None:
    _, child = family
    assert model_names(cards(child), [ollama(name) for name in loaded]) == {child: "Ollama"}


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("0::/system.slice/berth-slot-1.service\n", "large"),
        ("0::/system.slice/berth-slot-1.service/workers\n", "large"),
        ("0::/system.slice/berth-slot-2.service\n", "slot 2"),
        ("0::/system.slice/other-berth-slot-1.service\n", ""),
        ("0::/system.slice/berth-slot-1.service.d\n", ""),
        ("0::/user.slice\n", ""),
        ("", ""),
    ],
    ids=str.strip,
)
def test_a_process_of_a_slots_service_is_the_model_at_its_port(line: str, name: str) -> None:
    assert on_cards.of_slot(line, {8105: "large"}) == name


def test_the_port_is_that_of_the_models_address() -> None:
    url = "http://127.0.0.1:8105/v1"
    model = Model(name="large", engine="vllm", state=State.READY, url=url)
    assert on_cards._port(model) == 8105
    assert on_cards._port(ollama("none")) == 0
