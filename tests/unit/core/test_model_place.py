"""Which folders hold the models, as the note in BERTH_HOME tells."""

import errno
import json
from pathlib import Path

import pytest

from lib.core import model_place
from lib.core.errors import Conflict
from lib.core.model_place import MARKER, NAME


def note(home: Path, now: object, before: object = None) -> None:
    home.mkdir(parents=True, exist_ok=True)
    fresh = home / "fresh"
    fresh.write_text(json.dumps({"now": now, "before": before}))
    fresh.replace(home / NAME)


def test_without_a_note_models_lie_in_the_home(home: Path) -> None:
    assert model_place.place(home) == (home / "models", None, True)
    assert model_place.gone(home) == ()


def test_a_note_is_read_again_when_it_has_changed(home: Path) -> None:
    note(home, "/disk/a")
    assert model_place.place(home).roots == (Path("/disk/a"),)
    note(home, "/disk/b", "")
    assert model_place.place(home).roots == (Path("/disk/b"), home / "models")


def test_a_folder_without_its_marker_is_not_there(home: Path, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    note(home, str(disk), "")
    assert model_place.gone(home) == (disk,)
    with pytest.raises(Conflict, match="is not there"):
        model_place.require_there(home)
    model_place.require_there(home, home / "models")
    (disk / MARKER).write_text("")
    assert model_place.gone(home) == ()
    model_place.require_there(home)


def test_nothing_is_written_below_a_folder_that_is_not_there(home: Path, tmp_path: Path) -> None:
    note(home, str(tmp_path / "disk"))
    for folder in (tmp_path / "disk", tmp_path / "disk" / "acme"):
        with pytest.raises(OSError) as error:
            model_place.require_written(folder, home)
        assert error.value.errno == errno.ENODEV
    model_place.require_written(home / "jobs", home)
    model_place.require_written(tmp_path / "disk-2", home)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"now": 1}', '{"before": ""}', "\x00"])
def test_a_damaged_note_is_told_and_lets_nothing_be_written(home: Path, text: str) -> None:
    home.mkdir(parents=True)
    (home / NAME).write_text(text)
    assert not model_place.place(home).is_readable
    assert model_place.gone(home) == (home / "models",)
    with pytest.raises(OSError, match="not there"):
        model_place.require_written(home / "models" / "acme", home)
