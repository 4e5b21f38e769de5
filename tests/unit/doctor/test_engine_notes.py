"""The line beside models of an engine that should be replaced."""

import time
from pathlib import Path

import pytest

from lib.core.access import Role, acting
from lib.doctor import ignored, registry
from lib.doctor.checks.floors import Installed, judged
from lib.doctor.engine_notes import engine_note
from lib.doctor.registry import REGISTRY


@pytest.fixture(autouse=True)
def looked(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A look that has found old engines of two kinds, and none of a third."""
    old = [Installed("Ollama", "0.1.2"), Installed("llama.cpp", "b100", "/usr/bin/llama-server")]
    monkeypatch.setattr(REGISTRY, "_checks", lambda: ())
    monkeypatch.setattr(REGISTRY, "_home", home)
    monkeypatch.setattr(REGISTRY, "_looked", time.monotonic())
    monkeypatch.setattr(
        REGISTRY, "_last", registry.Look(at=time.time(), findings=tuple(judged(old)))
    )


def test_an_engine_below_its_floor_has_a_line_and_another_has_none() -> None:
    assert engine_note("ollama").startswith("Ollama 0.1.2 is older than")
    assert "(/usr/bin/llama-server) is older than b12405" in engine_note("llamacpp")
    assert engine_note("vllm") == engine_note("elsewhere") == ""


def test_what_is_ignored_is_not_said(home: Path) -> None:
    home.mkdir()
    for finding in REGISTRY.seen().findings:
        ignored.ignore(finding)
    assert engine_note("ollama") == ""


def test_a_guest_is_told_none_of_it() -> None:
    with acting(Role.GUEST, "g"):
        assert engine_note("ollama") == ""
