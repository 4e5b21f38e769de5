"""Whether a file has been replaced, asked of a server that answers as the Hub does."""

import hashlib
import os

import pytest

from lib.core.errors import NetworkError
from lib.core.settings import settings
from lib.hub import look_up, revisions
from lib.hub.errors import Offline, RepositoryNotFound
from lib.hub.revisions import Held, newer
from tests.support.hub_api import Fault, HubApi

REPO, FILE, NEXT = "acme/Tiny-GGUF", "Tiny-Q8_0.gguf", "b" * 40
OLD, NEW = b"GGUF old", b"GGUF new"


@pytest.fixture
def old(hub: HubApi) -> str:
    """The commit that was fetched; the file was replaced since."""
    hub.copy_repository("acme/Anvil-1B-GGUF", REPO, siblings=[])
    hub.add_file(REPO, FILE, OLD)
    commit = str(hub.repositories[REPO]["sha"])
    hub.push(REPO, NEXT)
    hub.add_file(REPO, FILE, NEW)
    return commit


def sum_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_two_checksums_tell(old: str) -> None:
    found = newer(REPO, old, {FILE: Held(len(OLD), sum_of(OLD))})
    assert found is not None and found.commit == NEXT
    assert newer(REPO, old, {FILE: Held(len(OLD), sum_of(NEW))}) is None


def test_where_nobody_noted_one_the_hub_knows_that_of_the_commit(hub: HubApi, old: str) -> None:
    assert newer(REPO, old, {FILE: Held(len(OLD))}) is not None
    assert hub.asked_for(old)
    assert newer(REPO, NEXT, {FILE: Held(len(NEW))}) is None


def test_an_answer_of_yesterday_is_none(hub: HubApi, old: str) -> None:
    look_up(REPO)
    for kept in settings().hub_cache.iterdir():
        os.utime(kept, (1, 1))
    hub.faults[REPO] = Fault(503)
    with pytest.raises(NetworkError):
        newer(REPO, old, {FILE: Held(len(OLD), sum_of(OLD))})


def test_a_slow_hub_is_not_waited_for(
    hub: HubApi, old: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(revisions, "SECONDS", 0.4)
    hub.faults[REPO] = Fault(delay_seconds=20)
    with pytest.raises(NetworkError):
        newer(REPO, old, {FILE: Held(len(OLD), sum_of(OLD))})


def test_offline_nothing_is_asked(hub: HubApi, old: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(Offline):
        newer(REPO, old, {FILE: Held(len(OLD))})
    assert hub.requests == []


def test_a_repository_that_is_gone_is_told(hub: HubApi) -> None:
    with pytest.raises(RepositoryNotFound):
        newer("acme/Nothing", "a" * 40, {FILE: Held(1)})
