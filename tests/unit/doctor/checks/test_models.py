"""Models, downloads, settings and the token, judged by planted facts; and what is gathered."""

import os
import time
from pathlib import Path

import pytest

from lib.core import locks
from lib.doctor import left_behind
from lib.doctor.checks import all_checks, files, left_over, preferences, token
from lib.doctor.left_behind import Partial
from lib.engines.llamacpp.files import ModelFile
from lib.hub.token import TokenOrigin

DAY = 86_400.0


def broken(**more: str) -> ModelFile:
    return ModelFile(
        name="m", path="m.gguf", size_bytes=10**9, changed="", problem="It is cut.", **more
    )


def test_a_damaged_file_a_file_that_is_gone_and_a_link_are_three_findings() -> None:
    found = files.judged(files.Facts((broken(fix="Resume."),), ("gone",), ("a/link.gguf",)))
    assert [one.fix.action for one in found] == ["remove_damaged", "stop_model", "remove_link"]
    assert "1.0 GB" in found[0].fix.asks and found[0].wanted == "Resume."
    assert not found[1].fix.asks and not found[2].fix.asks
    assert files.judged(files.Facts()) == []


def test_partial_downloads_are_one_finding_with_what_they_free() -> None:
    many = [Partial(f"o/m/{n}.gguf.part", 10**9, 0.0) for n in range(5)]
    [found] = left_over.judged(many)
    assert "5 partial downloads (5.0 GB) lie" in found.title and "and 2 more" in found.title
    assert found.fix.label == "Remove (frees 5.0 GB)" and found.fix.asks
    assert left_over.judged([]) == []


def test_another_partial_download_is_another_finding() -> None:
    [before] = left_over.judged([Partial("a.part", 5, 0.0)])
    [after] = left_over.judged([Partial("a.part", 5, 0.0), Partial("b.part", 5, 0.0)])
    assert before.id == after.id and before.fingerprint != after.fingerprint


def test_broken_settings_are_found_with_their_reason() -> None:
    [found] = preferences.judged("settings.toml is no TOML file.")
    assert found.fix.action == "renew_preferences"
    assert preferences.judged("") == []


@pytest.mark.parametrize(
    ("origin", "action", "command"),
    [
        (TokenOrigin.SAVED, "forget_token", ""),
        (TokenOrigin.ENVIRONMENT, "", "unset HF_TOKEN"),
        (TokenOrigin.LOGIN, "", "hf auth logout"),
    ],
)
def test_what_mends_a_refused_token_depends_on_where_it_is_from(
    origin: TokenOrigin, action: str, command: str
) -> None:
    [found] = token.judged(token.Facts(origin, True, "mark"))
    assert (found.fix.action, found.fix.command) == (action, command)


def test_a_token_that_was_not_refused_is_fine() -> None:
    assert token.judged(token.Facts(TokenOrigin.SAVED, False)) == []
    assert token.judged(token.Facts(TokenOrigin.NOWHERE, True)) == []


@pytest.fixture
def models(home: Path) -> Path:
    folder = home / "models"
    folder.mkdir(parents=True)
    return folder


def part(path: Path, age: float = DAY) -> Path:
    path.write_bytes(b"abc")
    os.utime(path, (time.time() - age,) * 2)
    return path


def test_only_a_download_that_rests_and_that_nobody_holds_is_left_behind(models: Path) -> None:
    part(models / "old.gguf.part")
    part(models / "new.gguf.part", age=60)
    held = part(models / "held.gguf.part")
    with locks.locked(held):
        os.utime(held, (time.time() - DAY,) * 2)
        assert [one.path for one in left_behind.partials()] == ["old.gguf.part"]
        assert left_behind.remove_partial("held.gguf.part") == 0
    assert held.exists()


def test_a_partial_download_goes_with_its_note(models: Path) -> None:
    part(models / "old.gguf.part")
    (models / "old.gguf.part.json").write_text("{}")
    assert left_behind.remove_partial("old.gguf.part") == 3
    assert list(models.iterdir()) == []


@pytest.mark.parametrize("path", ["../outside.part", "linked/outside.part", "model.gguf"])
def test_nothing_else_can_be_removed_as_a_partial_download(
    models: Path, tmp_path: Path, path: str
) -> None:
    outside = part(tmp_path / "away.part").parent
    for file in (models.parent / "outside.part", outside / "outside.part", models / "model.gguf"):
        part(file)
    (models / "linked").symlink_to(outside)
    assert left_behind.remove_partial(path) == 0
    assert (models / path).exists()


def test_a_link_goes_only_while_it_leads_nowhere(models: Path, tmp_path: Path) -> None:
    link = models / "m.gguf"
    link.symlink_to(tmp_path / "there.gguf")
    assert left_behind.dangling() == ["m.gguf"]
    (tmp_path / "there.gguf").write_bytes(b"GGUF")
    assert left_behind.dangling() == []
    assert not left_behind.remove_dangling("m.gguf")
    (tmp_path / "there.gguf").unlink()
    assert left_behind.remove_dangling("m.gguf") and not link.is_symlink()


def test_every_check_has_a_name_of_its_own() -> None:
    names = [check.name for check in all_checks()]
    assert len(names) == len(set(names)) >= 16
