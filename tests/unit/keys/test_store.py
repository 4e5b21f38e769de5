"""Keys in berth.db and in memory: made, proved, changed, forgotten; by others too."""

import os
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lib.core import activity
from lib.core.access import NotSignedIn, Role, acting
from lib.core.activity import Kind
from lib.core.errors import BadInput, BerthError, Conflict, Forbidden, NotFound
from lib.keys import place, store
from lib.keys import secret as secret_of
from lib.keys.errors import KeyInUse
from lib.keys.key import KeyChange, NewKey
from tests.conftest import ROOT
from tests.support.keys import UNKNOWN, make
from tests.support.visitors import nobody_by_default
from tests.support.waiting import until


def test_a_secret_proves_its_key_and_no_other_does() -> None:
    key, secret = make(models=["fake"], per_minute=3, tokens_a_day=9)
    other, _ = make("phone")
    assert store.proved(secret) == key != other
    for wrong in (UNKNOWN, secret[:-1], secret + "a", secret.upper(), "", key.id, key.hint):
        assert store.proved(wrong) is None


def test_nothing_that_proves_a_key_stands_on_the_disk(home: Path) -> None:
    _, secret = make()
    kept = b"".join(path.read_bytes() for path in home.rglob("*") if path.is_file())
    assert secret.encode() not in kept
    assert secret.removeprefix("berth-").encode() not in kept
    assert secret[:10].encode() in kept  # by which its owner knows it again


def test_keys_are_listed_with_all_that_was_chosen() -> None:
    later = time.time() + 3600
    key, _ = make("phone", models=["org/a:q4", "b"], per_minute=5, expires_at=later)
    assert store.all_keys() == [key]
    assert (key.models, key.per_minute, key.expires_at) == (("org/a:q4", "b"), 5, later)
    assert key.tokens_a_day is None


def test_what_is_changed_is_changed_and_the_rest_stays() -> None:
    key, secret = make(models=["a"], per_minute=5)
    changed = store.change(key.id, KeyChange.model_validate({"name": "desk", "models": None}))
    assert changed == key._replace(name="desk", models=None) == store.proved(secret)
    assert store.known(key.id) == changed


def test_two_keys_have_two_names() -> None:
    make("laptop")
    other, _ = make("phone")
    with pytest.raises(BadInput, match="There is a key “LAPTOP” already"):
        make("LAPTOP")
    with pytest.raises(BadInput, match="already"):
        store.change(other.id, KeyChange(name="Laptop"))
    assert store.change(other.id, KeyChange(name="Phone")).name == "Phone"


def test_a_key_that_works_is_not_deleted() -> None:
    key, secret = make()
    with pytest.raises(KeyInUse, match="“laptop” is not disabled"):
        store.delete(key.id)
    store.change(key.id, KeyChange(is_disabled=True))
    store.delete(key.id)
    assert store.all_keys() == []
    assert (store.proved(secret), store.known(key.id)) == (None, None)


def test_a_time_that_is_over_is_no_time_to_choose() -> None:
    with pytest.raises(BadInput, match="expired already"):
        make(expires_at=1000.0)
    key, _ = make()
    with pytest.raises(BadInput, match="expired already"):
        store.change(key.id, KeyChange(expires_at=1000.0))


@pytest.mark.parametrize("key_id", ["", "none", "../berth.db", "' OR 1=1 --", "a" * 500])
def test_a_key_that_is_not_there_is_not_found(key_id: str) -> None:
    make()
    with pytest.raises(NotFound, match="There is no key"):
        store.change(key_id, KeyChange(is_disabled=True))
    with pytest.raises(NotFound):
        store.delete(key_id)
    assert [key.is_disabled for key in store.all_keys()] == [False]


@pytest.mark.parametrize("role", [Role.GUEST, Role.PROGRAM, None])
def test_only_the_owner_makes_and_sees_keys(
    role: Role | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, _ = make()
    nobody_by_default(monkeypatch)
    attempts = (
        store.all_keys,
        lambda: make("mine"),
        lambda: store.change(key.id, KeyChange(name="mine")),
        lambda: store.delete(key.id),
    )
    for attempt in attempts:
        if role is None:
            with pytest.raises(NotSignedIn):
                attempt()
        else:
            with pytest.raises(Forbidden), acting(role, key.id):
                attempt()
    with acting(Role.OWNER):
        assert store.all_keys() == [key]


def test_activity_tells_what_the_owner_did_and_no_secret() -> None:
    key, secret = make()
    store.change(key.id, KeyChange(name="desk"))
    store.change(key.id, KeyChange(is_disabled=True))
    store.change(key.id, KeyChange(is_disabled=False))
    store.change(key.id, KeyChange(is_disabled=True))
    store.delete(key.id)
    told = activity.recent()
    kinds = [Kind.KEY_DELETED, Kind.KEY_OFF, Kind.KEY_ON, Kind.KEY_OFF, Kind.KEY_MADE]
    assert [event.kind for event in told] == kinds
    assert {event.subject for event in told} == {"The key laptop", "The key desk"}
    assert secret not in str(told)


def test_what_another_process_writes_holds_within_a_second() -> None:
    key, secret = make()
    until(store.is_fresh)
    code = (
        "from lib.core import access\n"
        "from lib.keys import store\n"
        "from lib.keys.key import KeyChange\n"
        "access.own_process()\n"
        f"store.change({key.id!r}, KeyChange(is_disabled=True))\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, env=os.environ)
    until(lambda: not store.is_fresh() or _is_disabled(secret))
    store.look()
    assert _is_disabled(secret)


def _is_disabled(secret: str) -> bool:
    found = store.proved(secret)
    return found is not None and found.is_disabled


def test_a_request_reads_nothing_while_the_file_stays_as_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _, secret = make()
    until(lambda: store.is_fresh() and _is_settled())
    monkeypatch.setattr(sqlite3, "connect", _never)
    monkeypatch.setattr(store, "FRESH_SECONDS", 0.0)
    store.look()
    assert store.is_fresh()
    assert store.proved(secret)


def _is_settled() -> bool:
    """The copy was made well after the file was written."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "FRESH_SECONDS", 0.0)
        store.look()
        return store.is_fresh()


def _never(*_args: object, **_more: object) -> None:
    raise AssertionError("the file was opened")


def test_keys_that_cannot_be_read_now_are_those_of_before(monkeypatch: pytest.MonkeyPatch) -> None:
    key, secret = make()
    monkeypatch.setattr(store, "FRESH_SECONDS", 0.0)
    with monkeypatch.context() as patch:
        patch.setattr(sqlite3, "connect", _locked)
        os.utime(place.file())
        store.look()
        assert store.proved(secret) == key
        assert "database is locked" in store.problem()
        with pytest.raises(Conflict, match="cannot be read"):
            store.all_keys()
        with pytest.raises(Conflict, match="cannot be written"):
            make("phone")
    assert store.all_keys() == [key]
    assert store.problem() == ""


def _locked(*_args: object, **_more: object) -> None:
    raise sqlite3.OperationalError("database is locked")


def test_a_file_that_is_damaged_opens_no_door(home: Path) -> None:
    _, secret = make()
    place.file().write_bytes(b"no database" * 1000)
    until(lambda: not store.is_fresh())
    store.look()
    assert store.proved(secret) is None
    assert len(list(home.glob("berth.broken-*.db"))) == 1


def test_another_home_has_other_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, secret = make()
    monkeypatch.setenv("BERTH_HOME", str(tmp_path / "another"))
    assert not store.is_fresh()
    store.look()
    assert store.proved(secret) is None


def test_there_is_an_end_to_the_number_of_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "MOST", 2)
    make("a")
    make("b")
    with pytest.raises(Conflict, match="There are 2 keys"):
        make("c")


def test_whoever_waits_for_changes_is_told_of_each(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[int] = []
    monkeypatch.setattr(store, "_told", [lambda: told.append(len(store.all_keys()))])
    key, _ = make()
    store.change(key.id, KeyChange(is_disabled=True))
    store.delete(key.id)
    with pytest.raises(BerthError):
        store.delete(key.id)
    assert told == [1, 1, 0]


def test_a_name_cannot_write_into_the_table() -> None:
    name = "x', 0, '', 0); DROP TABLE api_keys; --"
    key, _ = make(name)
    assert store.all_keys() == [key]
    assert store.change(key.id, KeyChange(name=name + "2")).name == name + "2"


def test_a_new_key_takes_a_model_of_pydantic() -> None:
    key, _ = store.create(NewKey(name="laptop"))
    assert key.holds()


def test_a_secret_whose_hash_only_begins_like_a_keys_proves_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    key, _ = make()
    alike = secret_of.digest(UNKNOWN)[:8]
    copy = store._copy._replace(by_digest={alike: (alike + bytes(24), key)})
    monkeypatch.setattr(store, "_copy", copy)
    assert store.proved(UNKNOWN) is None
