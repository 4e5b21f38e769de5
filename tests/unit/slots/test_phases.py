"""What one account's run leaves in another's records: by way of the script's own folder."""

import json
from pathlib import Path

import pytest
from pydantic import SecretStr

from lib.core.settings import settings
from lib.engines.vllm import keys
from lib.engines.vllm.places import Places
from lib.slots import measured, phases
from lib.slots.probe import Engine
from tests.unit.slots.test_measured import GIVEN, plan

ENGINE = Engine(base_url="http://127.0.0.1:8104", name="anvil", key=SecretStr("k" * 43))


def test_root_leaves_the_key_for_whoever_called_who_keeps_it(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.mkdir()
    folder = tmp_path / "of the script"
    folder.mkdir()
    monkeypatch.setattr("os.geteuid", lambda: home.stat().st_uid + 1)
    phases._keep(measured.measured(plan(), GIVEN, {}), ENGINE, folder)
    assert list(home.iterdir()) == []
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    monkeypatch.undo()
    monkeypatch.setenv("BERTH_HOME", str(home))
    phases.remember(3, folder)
    copy = keys.key_copy(settings().home, 3)
    assert copy.stat().st_mode & 0o777 == 0o600
    kept = keys.slot_key(3, Places(root=tmp_path))
    assert kept is not None
    assert kept.get_secret_value() == "k" * 43
    phases.forget(3)
    phases.forget(3)
    assert not copy.exists()


def test_whoever_deploys_into_a_home_of_their_own_reads_the_key_where_it_is(
    home: Path, tmp_path: Path
) -> None:
    home.mkdir()
    phases._keep(measured.measured(plan(), GIVEN, {}), ENGINE, tmp_path)
    assert not (tmp_path / phases.KEY).exists()
    assert "k" * 43 not in json.dumps([p.read_text() for p in home.rglob("*") if p.is_file()])
