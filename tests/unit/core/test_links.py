"""Folders that people name: followed, bounded, and never a raw error of the system."""

from pathlib import Path

import pytest

from lib.core import links
from lib.core.errors import BadInput


def test_a_link_that_leads_back_is_looked_at_once(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "m.gguf").touch()
    (tmp_path / "a" / "back").symlink_to(tmp_path)
    assert sum("m.gguf" in names for _, names in links.walk(tmp_path / "a")) == 1


def test_half_of_a_disk_is_not_looked_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(links, "MOST_FOLDERS", 3)
    for number in range(5):
        (tmp_path / f"f{number}").mkdir()
    with pytest.raises(BadInput, match="Name a folder that is nearer"):
        list(links.walk(tmp_path, bounds=links.Bounds()))
    assert len(list(links.walk(tmp_path))) == 6


@pytest.mark.parametrize("path", ["/" + "a" * 300, "/proc/1/root/nothing", "/nowhere/at/all", "\0"])
def test_what_cannot_be_looked_at_is_neither_folder_nor_file(path: str) -> None:
    assert not links.is_folder(Path(path))
    assert not links.is_file(Path(path))
