"""Which of the programs on a graphics card is a model of Berth's, and which one."""

import contextlib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil

from lib.engines.base import Model, State
from lib.engines.llamacpp import records
from lib.machine.cards import Card

FIRST_SLOT_PORT = 8104  # slot N answers at 8104 + N
_UNIT = re.compile(r"/berth-slot-([0-9]{1,3})\.service(?=/|$)", re.MULTILINE)


def model_names(cards: Sequence[Card], models: Sequence[Model]) -> dict[int, str]:
    """The model that each process on these cards runs, by pid; foreign processes are left out.

    A process is a model's when it is the model's own, or began as a child of it, or belongs to the
    service of a slot.
    """
    pids = {process.pid for card in cards for process in card.processes}
    if not pids:
        return {}
    children = {record.pid: record.model for record in records.read_all()}
    slots = {_port(model): model.name for model in models if not model.is_elsewhere}
    loaded = [m.name for m in models if m.engine == "ollama" and m.state == State.READY]
    found = {}
    for pid in pids:
        name = of_slot(_cgroup(pid), slots) or _of_child(pid, children) or _of_ollama(pid, loaded)
        if name:
            found[pid] = name
    return found


def of_slot(cgroup: str, models: dict[int, str]) -> str:
    """By the service that this cgroup line names, of models by port; empty for any other."""
    unit = _UNIT.search(cgroup)
    return models.get(FIRST_SLOT_PORT + int(unit[1]), f"slot {unit[1]}") if unit else ""


def _cgroup(pid: int) -> str:
    """What /proc says; empty where there is none, as on a Mac."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cgroup").read_text(encoding="utf-8", errors="replace")
    return ""


def _of_child(pid: int, models: dict[int, str]) -> str:
    return next((models[p.pid] for p in _line(pid) if p.pid in models), "")


def _of_ollama(pid: int, loaded: Sequence[str]) -> str:
    """Ollama does not tell which of its runners has which model."""
    if not any(_name(process).startswith("ollama") for process in _line(pid)):
        return ""
    return loaded[0] if len(loaded) == 1 else "Ollama"


def _line(pid: int) -> Iterator[psutil.Process]:
    """The process and those it descends from, the nearest first."""
    with contextlib.suppress(psutil.Error):
        process = psutil.Process(pid)
        yield process
        yield from process.parents()


def _name(process: psutil.Process) -> str:
    with contextlib.suppress(psutil.Error):
        return process.name()
    return ""


def _port(model: Model) -> int:
    """Of its address; 0 while it has none."""
    found = re.search(r":([0-9]+)(?:/|$)", model.url)
    return int(found[1]) if found else 0
