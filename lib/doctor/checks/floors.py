"""Engines below their security floor."""

import contextlib
import importlib.metadata
from typing import NamedTuple

from lib.core.errors import BerthError
from lib.doctor import floors
from lib.doctor.finding import Check, Finding, Fix, Severity
from lib.engines.llamacpp import program
from lib.engines.ollama import api
from lib.engines.vllm.places import places
from lib.machine.sampler import SAMPLER
from lib.slots.services import services

NAME = "floors"


class Installed(NamedTuple):
    """An engine as it is here."""

    engine: str  # as floors.py calls it
    version: str
    place: str = ""  # for people
    is_wheel: bool = False  # it came with Berth, and goes only with Berth


def gathered() -> list[Installed]:
    """What runs is asked; of what came with Berth the installation tells."""
    return [*_brought_along(), *_own(), *_ollama(), *_services()]


def _brought_along() -> list[Installed]:
    found = []
    for package, engine in (("xllamacpp", floors.LLAMACPP), ("streamlit", floors.STREAMLIT)):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            version = importlib.metadata.version(package)
            found.append(Installed(engine, version, "the built-in engine", is_wheel=True))
    return found


def _own() -> list[Installed]:
    own = program.known()
    return [Installed(floors.LLAMACPP, own.version, own.path)] if own and own.version else []


def _ollama() -> list[Installed]:
    with contextlib.suppress(BerthError):
        return [Installed(floors.OLLAMA, api.ask("/api/version", api.Version).version)]
    return []


def _services() -> list[Installed]:
    found = []
    for service in services(SAMPLER.cards(), places()):
        engine, _, version = service.version.rpartition(" ")
        if service.title == floors.LITELLM:
            engine = floors.LITELLM
        if version and engine in (floors.VLLM, floors.LITELLM):
            found.append(Installed(engine, version, service.title))
    return found


def judged(facts: list[Installed]) -> list[Finding]:
    """What came with Berth is a hint: its owner can only give another engine the work."""
    own = any(one.engine == floors.LLAMACPP and not one.is_wheel for one in facts)
    asked = [one for one in facts if not (own and one.is_wheel and one.engine == floors.LLAMACPP)]
    told = [(one, floors.objection(one.engine, one.version)) for one in asked]
    return [_finding(one, what) for one, what in told if what]


def _finding(one: Installed, what: str) -> Finding:
    where = f" ({one.place})" if one.place and one.place != one.engine else ""
    return Finding(
        id=f"{NAME}:{one.engine}:{'wheel' if one.is_wheel else one.place}",
        severity=Severity.HINT if one.is_wheel else Severity.WARNING,
        title=what.replace(" is older", f"{where} is older", 1),
        wanted=_wanted(one),
        why=_why(one),
        fix=_fix(one),
        facts=(one.version,),
    )


def _why(one: Installed) -> str:
    if one.engine == floors.LITELLM:
        return "It is the door that programs of others come through."
    said = "Berth keeps engines on this machine, but what guests and programs send reaches them."
    return f"{said} {floors.shield_of(one.engine)}".strip()


def _wanted(one: Installed) -> str:
    if one.is_wheel:
        return "The next version of Berth that brings a newer one, or a llama-server of your own."
    return f"{one.engine} at its floor or newer."


def _fix(one: Installed) -> Fix:
    commands = {
        floors.OLLAMA: "curl -fsSL https://ollama.com/install.sh | sh",
        floors.LLAMACPP: "brew upgrade llama.cpp",
    }
    if one.is_wheel:
        return Fix(label="Update Berth", command="git pull && ./setup.sh")
    if command := commands.get(one.engine):
        return Fix(label="Update it, by what installed it", command=command)
    return Fix(label="Deploy again: the newest is installed", page="Deploy")


CHECK = Check(NAME, gathered, judged)
