"""The access code and the cookie: only what was made here counts, and not for ever."""

import json
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.core.errors import Conflict
from lib.core.rate import Rate
from lib.sharing import guests
from lib.sharing.guests import (
    LETTERS,
    TRIES,
    TooManyTries,
    WrongCode,
)


@pytest.fixture(autouse=True)
def _no_tries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guests, "_tries", Rate(60))
    monkeypatch.setattr(guests, "_shown", Rate(60))


def test_the_code_is_readable_and_stays() -> None:
    code = guests.access_code()
    first, _, second = code.partition("-")
    assert len(first) == len(second) == 4
    assert set(first + second) <= set(LETTERS)
    assert guests.access_code() == code


def test_the_file_is_private(home: Path) -> None:
    guests.access_code()
    assert stat.S_IMODE((home / "guests.json").stat().st_mode) == 0o600


@pytest.mark.parametrize("change", [str.upper, "  {} ".format, lambda code: code.replace("-", "")])
def test_case_spaces_and_hyphens_do_not_matter(change: object) -> None:
    assert callable(change)
    assert guests.login_of(guests.sign_in(change(guests.access_code()), "a"))


@given(st.text(max_size=80))
def test_no_other_text_is_the_code(tmp_path_factory: pytest.TempPathFactory, typed: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BERTH_HOME", str(tmp_path_factory.mktemp("home")))
        patch.setattr(guests, "_tries", Rate(60))
        with pytest.raises(WrongCode):
            guests.sign_in(typed, "a")


@pytest.mark.parametrize("typed", ["\0", "\ud800", "x" * 10_000, "‮" * 8, "ａbcdefgh"])
def test_odd_text_is_a_wrong_code(typed: str) -> None:
    with pytest.raises(WrongCode):
        guests.sign_in(typed, "a")


def test_every_login_is_another() -> None:
    logins = {guests.login_of(guests.sign_in(guests.access_code(), "a")) for _ in range(10)}
    assert len(logins) == 10
    assert "" not in logins


@given(st.text(max_size=300))
def test_a_cookie_that_was_not_made_here_proves_nothing(
    tmp_path_factory: pytest.TempPathFactory, cookie: str
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BERTH_HOME", str(tmp_path_factory.mktemp("home")))
        assert guests.login_of(cookie) == ""


def test_a_changed_cookie_proves_nothing() -> None:
    cookie = guests.sign_in(guests.access_code(), "a")
    for at in range(len(cookie)):
        other = "A" if cookie[at] != "A" else "B"
        changed = cookie[:at] + other + cookie[at + 1 :]
        # The last character of base64 has bits that mean nothing.
        is_last = at == len(cookie) - 1
        assert guests.login_of(changed) in ("", guests.login_of(cookie) if is_last else "")


def test_a_cookie_is_good_for_a_week(monkeypatch: pytest.MonkeyPatch) -> None:
    cookie = guests.sign_in(guests.access_code(), "a")
    monkeypatch.setattr(guests, "LOGIN_SECONDS", -1)
    assert guests.login_of(cookie) == ""


def test_another_code_ends_logins_and_the_old_code() -> None:
    old = guests.access_code()
    cookie = guests.sign_in(old, "a")
    guests.change_code()
    assert guests.access_code() != old
    assert guests.login_of(cookie) == ""
    with pytest.raises(WrongCode):
        guests.sign_in(old, "a")


def test_ending_logins_keeps_the_code() -> None:
    code = guests.access_code()
    cookie = guests.sign_in(code, "a")
    guests.end_logins()
    assert guests.login_of(cookie) == ""
    assert guests.login_of(guests.sign_in(code, "a"))


def test_after_some_wrong_codes_even_the_right_one_waits() -> None:
    for _ in range(TRIES):
        with pytest.raises(WrongCode):
            guests.sign_in("wrong", "a")
    with pytest.raises(TooManyTries):
        guests.sign_in(guests.access_code(), "a")
    assert guests.sign_in(guests.access_code(), "b")


def test_wrong_codes_from_many_addresses_keep_nobody_out_and_are_told() -> None:
    for number in range(60):
        with pytest.raises(WrongCode):
            guests.sign_in("wrong", f"address {number % 12}")
    assert guests.sign_in(guests.access_code(), "another")
    assert guests.wrong_codes() == {f"address {number}": 5 for number in range(12)}


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"key": "x", "code": "y"}', '{"key": "", "code": ""}']
)
def test_a_broken_file_is_replaced(home: Path, text: str) -> None:
    home.mkdir()
    (home / "guests.json").write_text(text)
    assert guests.sign_in(guests.access_code(), "a")
    assert len(json.loads((home / "guests.json").read_text())["key"]) == 64


def test_a_home_that_cannot_be_written_is_told(home: Path) -> None:
    home.write_text("a file where the folder should be")
    with pytest.raises(Conflict, match="cannot be written"):
        guests.access_code()


@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.floats(0, 30)), max_size=40),
    st.floats(0.1, 10),
)
def test_a_rate_counts_what_is_recent(happened: list[tuple[str, float]], seconds: float) -> None:
    rate, now = Rate(seconds), 0.0
    moments: list[tuple[str, float]] = []
    for key, wait in happened:
        now += wait
        rate.count(key, now)
        moments.append((key, now))
        expected = sum(k == key and at > now - seconds for k, at in moments)
        assert rate.lately(key, now) == expected
    assert rate.lately("a", now + seconds + 1) == 0
