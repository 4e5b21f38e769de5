"""Newer revisions of what is on this machine, asked of a server that answers as the Hub does."""

import hashlib
import os
import time
from pathlib import Path

import pytest

from lib.core.access import Role, acting
from lib.core.errors import Forbidden
from lib.core.settings import settings
from lib.download.hub_files import fetch
from lib.engines.llamacpp import ENGINE, files
from lib.engines.llamacpp.adopt import adopt
from lib.fleet import newer
from lib.fleet.newer import Revisions
from lib.hub import look_up
from lib.jobs.report import Report
from tests.support.download import HASTE
from tests.support.hub_api import FAULTS, Fault, HubApi
from tests.support.stores import COMMIT, hub_cache
from tests.support.tiny_gguf import write_tiny

pytestmark = pytest.mark.usefixtures("no_ollama", "models")

REPO, NEXT = "acme/Tiny-GGUF", "b" * 40
FILE = "Tiny-Q8_0.gguf"


@pytest.fixture
def model(tmp_path: Path) -> bytes:
    return write_tiny(tmp_path / "made.gguf")[0].read_bytes()


@pytest.fixture
def repo(hub: HubApi, model: bytes) -> str:
    """A repository with a model that was fetched from it."""
    hub.copy_repository("acme/Anvil-1B-GGUF", REPO, siblings=[])
    hub.add_file(REPO, FILE, model)
    hub.add_small_file(REPO, "README.md", b"# A card")
    fetch(look_up(REPO), [FILE], Report(), HASTE)
    return REPO


def changed(model: bytes) -> bytes:
    """As many bytes, one of them another."""
    return model[:-1] + bytes([model[-1] ^ 1])


def a_day_later() -> None:
    """Let all that was heard and found be older than a day."""
    for path in [*settings().hub_cache.glob("*"), settings().home / "cache" / "revisions.json"]:
        if path.exists():
            then = path.stat().st_mtime - 90_000
            os.utime(path, (then, then))
    known = newer._known()
    newer._keep(known.model_copy(update={"at": known.at - 90_000, "tried": known.tried - 90_000}))


def test_a_file_that_was_replaced_is_told_with_its_repository(
    hub: HubApi, repo: str, model: bytes
) -> None:
    assert newer.check() == []
    hub.push(repo, NEXT)
    hub.add_file(repo, FILE, changed(model))
    a_day_later()
    assert newer.check() == ["Tiny-Q8_0"]
    [(name, found)] = newer.by_name().items()
    assert (name, found.repository, found.commit) == ("Tiny-Q8_0", repo, NEXT)
    assert found.changed_at is not None
    assert time.gmtime(found.changed_at).tm_year == 2026


def test_a_change_of_the_card_is_no_newer_model(hub: HubApi, repo: str) -> None:
    hub.push(repo, NEXT)
    hub.add_small_file(repo, "README.md", b"# Another card")
    a_day_later()
    assert newer.check() == []


def test_another_quantization_that_was_replaced_is_none_of_this_one(hub: HubApi, repo: str) -> None:
    hub.push(repo, NEXT)
    hub.add_file(repo, "Tiny-Q4_0.gguf", b"GGUF other")
    a_day_later()
    assert newer.check() == []


def test_where_the_hub_has_forgotten_the_commit_the_size_tells(
    hub: HubApi, repo: str, model: bytes
) -> None:
    hub.push(repo, NEXT)
    hub.earlier.clear()
    for kept in settings().hub_cache.glob("*"):
        kept.unlink()
    assert newer.check() == []
    hub.add_file(repo, FILE, model + b"\0" * 32)
    a_day_later()
    assert newer.check() == ["Tiny-Q8_0"]


def test_a_file_that_is_gone_from_the_repository_has_no_newer_one(hub: HubApi, repo: str) -> None:
    hub.push(repo, NEXT)
    hub.repositories[repo]["siblings"] = []
    a_day_later()
    assert newer.check() == []


def test_where_the_newer_one_is_here_too_nothing_is_said(
    hub: HubApi, repo: str, model: bytes
) -> None:
    hub.push(repo, NEXT)
    hub.add_file(repo, FILE, changed(model))
    a_day_later()
    assert newer.check() == ["Tiny-Q8_0"]
    fetch(look_up(repo), [FILE], Report(), HASTE)
    assert len(files.all_files()) == 2
    assert newer.by_name() == {}


def test_a_link_into_the_cache_of_the_hubs_tool_is_compared_by_the_files_checksum(
    hub: HubApi, tmp_path: Path, model: bytes
) -> None:
    [link] = hub_cache(tmp_path / "cache", REPO, FILE)
    blob = link.resolve()
    real = blob.with_name(hashlib.sha256(blob.read_bytes()).hexdigest())
    blob.rename(real)
    link.unlink()
    link.symlink_to(f"../../blobs/{real.name}")
    name = adopt(link).name
    hub.copy_repository("acme/Anvil-1B-GGUF", REPO, siblings=[], sha=NEXT)
    hub.add_file(REPO, FILE, real.read_bytes())
    assert newer.check() == []
    hub.add_file(REPO, FILE, changed(real.read_bytes()))
    a_day_later()
    assert newer.check() == [name]
    assert not hub.asked_for(COMMIT), "the cache tells the checksum itself"
    ENGINE.remove(name)
    assert newer.by_name() == {}
    assert link.exists()


def test_of_a_divided_model_every_part_counts(hub: HubApi, tmp_path: Path) -> None:
    parts = write_tiny(tmp_path / "Big-Q8_0.gguf", parts=3)
    hub.copy_repository("acme/Anvil-1B-GGUF", REPO, siblings=[])
    for part in parts:
        hub.add_file(REPO, f"Q8_0/{part.name}", part.read_bytes())
    fetch(look_up(REPO), [f"Q8_0/{part.name}" for part in parts], Report(), HASTE)
    hub.push(REPO, NEXT)
    hub.add_file(REPO, f"Q8_0/{parts[2].name}", changed(parts[2].read_bytes()))
    a_day_later()
    assert newer.check() == ["Big-Q8_0"]


def test_it_is_asked_once_a_day_and_not_where_that_is_switched_off(
    hub: HubApi, repo: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = Revisions()
    a_day_later()
    hub.requests.clear()
    newer.set_checking(False)
    watch.look()
    newer.set_checking(True)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    watch.look()
    assert hub.requests == []
    monkeypatch.delenv("HF_HUB_OFFLINE")
    watch.look()
    assert len(hub.asked_for(REPO)) == 1
    watch.look()
    assert len(hub.asked_for(REPO)) == 1
    a_day_later()
    watch.look()
    assert len(hub.asked_for(REPO)) == 2


def test_what_was_found_is_not_shown_once_it_is_switched_off(
    hub: HubApi, repo: str, model: bytes
) -> None:
    hub.push(repo, NEXT)
    hub.add_file(repo, FILE, changed(model))
    a_day_later()
    newer.check()
    newer.set_checking(False)
    assert newer.by_name() == {}


@pytest.mark.parametrize(
    "fault", [FAULTS["acme/limited"], FAULTS["acme/broken"], FAULTS["acme/malformed"]]
)
def test_a_hub_that_does_not_answer_changes_nothing_and_is_asked_an_hour_later(
    hub: HubApi, repo: str, model: bytes, fault: Fault
) -> None:
    hub.push(repo, NEXT)
    hub.add_file(repo, FILE, changed(model))
    a_day_later()
    newer.check()
    a_day_later()
    hub.faults[repo] = fault
    watch = Revisions()
    watch.look()
    assert list(newer.by_name()) == ["Tiny-Q8_0"]
    hub.requests.clear()
    watch.look()
    assert hub.requests == []


@pytest.mark.parametrize("change", [{"private": True}, {"disabled": True}])
def test_a_repository_that_is_gone_keeps_nobody_from_asking_about_the_others(
    hub: HubApi, repo: str, model: bytes, change: dict[str, bool]
) -> None:
    other = "acme/Other-GGUF"
    hub.copy_repository("acme/Anvil-1B-GGUF", other, siblings=[])
    hub.add_file(other, "Other-Q8_0.gguf", model)
    fetch(look_up(other), ["Other-Q8_0.gguf"], Report(), HASTE)
    hub.repositories[repo] |= change
    hub.push(other, NEXT)
    hub.add_file(other, "Other-Q8_0.gguf", changed(model))
    a_day_later()
    assert newer.check() == ["Other-Q8_0"]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"newer": 7}'])
def test_a_broken_note_counts_as_none(home: Path, repo: str, text: str) -> None:
    (home / "cache").mkdir(parents=True, exist_ok=True)
    (home / "cache" / "revisions.json").write_text(text)
    assert newer.by_name() == {}
    assert newer.check() == []


def test_models_that_tell_no_origin_are_not_asked_about(
    hub: HubApi, models: Path, tmp_path: Path
) -> None:
    write_tiny(models / "plain.gguf")
    write_tiny(models / "acme" / "Name" / "main" / "branch.gguf")
    write_tiny(models / "a..b" / "x--y" / ("c" * 40) / "odd.gguf")
    odd = write_tiny(tmp_path / "models--x" / "snapshots" / ("d" * 40) / "m.gguf")
    adopt(odd[0])
    (models / "gone.gguf").symlink_to(tmp_path / "nowhere")
    assert newer.check() == []
    assert hub.requests == []


def test_a_guest_switches_nothing() -> None:
    with acting(Role.GUEST, "g"), pytest.raises(Forbidden):
        newer.set_checking(False)
