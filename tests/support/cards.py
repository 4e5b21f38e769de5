"""Machines with graphics cards, where there are none: a stand-in for `pynvml` and what it answers.

    with card_world("two-cards") as world, running_server(home, world.environment) as server:
        world.card(0, nvmlDeviceGetUtilizationRates={"gpu": 12, "memory": 3})

The worlds are the files in tests/support/nvml/worlds, written by hand as NVML's documentation says
that such machines answer; tests/support/nvml/pynvml.py says how they are read. A world can be
changed while a server runs: the next look sees it.
"""

import contextlib
import importlib.util
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

import pytest

from lib.machine import cards

STUB = Path(__file__).parent / "nvml"
WORLDS = sorted(path.stem for path in (STUB / "worlds").glob("*.json"))

Processes = Sequence[tuple[int, int | None]]  # pid and bytes


class CardWorld:
    """What the driver of one machine answers; `environment` makes a process live there."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def environment(self) -> dict[str, str]:
        """To be added to that of a process."""
        search = [str(STUB), *filter(None, [os.environ.get("PYTHONPATH")])]
        return {"PYTHONPATH": os.pathsep.join(search), "BERTH_TEST_NVML": str(self.path)}

    @property
    def answers(self) -> dict[str, Any]:
        """As they stand."""
        told: dict[str, Any] = json.loads(self.path.read_text(encoding="utf-8"))
        return told

    def become(self, answers: Mapping[str, Any]) -> None:
        """Answer this from now on; a reader sees the old answers or the new ones, never half."""
        new = self.path.with_suffix(".new")
        new.write_text(json.dumps(answers), encoding="utf-8")
        new.replace(self.path)

    def change(self, **answers: Any) -> None:
        """Answers that concern the whole driver, by function; None takes one away."""
        self.become({k: v for k, v in (self.answers | answers).items() if v is not None})

    def card(self, index: int, **answers: Any) -> None:
        """Answers of one card, by function."""
        told = self.answers
        told["cards"][index] |= answers
        self.become(told)

    def runs(self, index: int, processes: Processes, kind: str = "Compute") -> None:
        """These processes hold memory of the card, and no others of this kind."""
        function = f"nvmlDeviceGet{kind}RunningProcesses_v3"
        self.card(index, **{function: [list(process) for process in processes]})

    def fail(self, function: str, error: str = "UNKNOWN", index: int | None = None) -> None:
        """Have one function fail with NVML's error of this name, for one card or the driver."""
        failure = {function: {"error": error}}
        if index is None:
            self.change(**failure)
        else:
            self.card(index, **failure)


@contextlib.contextmanager
def card_world(name: str) -> Iterator[CardWorld]:
    """The world of this name, for processes that get its environment."""
    with tempfile.TemporaryDirectory() as folder:
        world = CardWorld(Path(folder) / "world.json")
        world.become(json.loads((STUB / "worlds" / f"{name}.json").read_text(encoding="utf-8")))
        yield world


@contextlib.contextmanager
def living_in(name: str) -> Iterator[CardWorld]:
    """The same for this very process, whose readers of cards begin anew."""
    with (
        card_world(name) as world,
        mock.patch.dict(os.environ, world.environment),
        _imported("pynvml", stub()),
        mock.patch.object(cards, "READER", cards.Reader()),
    ):
        yield world


@contextlib.contextmanager
def _imported(name: str, module: ModuleType) -> Iterator[None]:
    """This module under this name; what else is imported meanwhile stays."""
    before = sys.modules.get(name)
    sys.modules[name] = module
    try:
        yield
    finally:
        del sys.modules[name]
        if before is not None:
            sys.modules[name] = before


def in_world(name: str) -> pytest.MarkDecorator:
    """For tests with a fixture `world` that makes the world of this name."""
    return pytest.mark.parametrize("world", [name], indirect=True)


def stub() -> ModuleType:
    """The stand-in, as new."""
    spec = importlib.util.spec_from_file_location("pynvml", STUB / "pynvml.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
