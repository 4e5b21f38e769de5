"""Every known failure, provoked: the script's code and last line, and what is made of them."""

from collections.abc import Callable
from pathlib import Path

import pytest

from lib.deploy.diagnosis import Action, explained
from tests.support.deployment import Script, last_line
from tests.support.failures import FAILURES, Done, Stage
from tests.support.hub_api import HubApi


@pytest.fixture
def stage(hub: HubApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    monkeypatch.setenv("OLLAMA_HOST", "127.0.0.1:9")
    return Stage(Script(tmp_path / "script"), hub, tmp_path / "files")


@pytest.mark.parametrize(
    ("provoke", "code", "action"), FAILURES, ids=[case[0].__name__ for case in FAILURES]
)
def test_a_failure_has_its_code_its_words_and_its_button(
    stage: Stage, provoke: Callable[[Stage], Done], code: int, action: Action
) -> None:
    stage.folder.mkdir()
    done = provoke(stage)
    said = done.stdout + done.stderr
    assert done.returncode == code, said
    assert last_line(done).endswith("."), said
    found = explained(said, code)
    assert found.action == action, found
    assert found.line
    assert "Traceback" not in said
