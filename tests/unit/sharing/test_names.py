"""What a guest is called: one short line that can do no harm, and nobody else's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.core.rate import Rate
from lib.sharing import guests, logins
from lib.sharing.guests import LONGEST_NAME


@pytest.fixture(autouse=True)
def _nobody_known(monkeypatch: pytest.MonkeyPatch) -> None:
    logins.forget()
    monkeypatch.setattr(guests, "_out", Rate(60))


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("Ada", "Ada"),
        ("  Ada\n\tLovelace \r\n", "Ada Lovelace"),
        ("<b>Ada</b>", "<b>Ada</b>"),  # each page escapes what it shows
        ("A\x00d\x1b[31ma\x7f", "Ad[31ma"),
        ("Ada\u202eevil\u200b", "Adaevil"),
        ("a" * 500, "a" * LONGEST_NAME),
        ("e\u0301", "é"),
        ("सुनीता", "सुनीता"),
        ("Z" + "\u0335" * 50, "Z\u0335\u0335"),
        ("\u2028\u2029", ""),
        ("", ""),
    ],
)
def test_a_name_is_one_short_line_that_shows(typed: str, meant: str) -> None:
    assert guests.guest_name(typed) == meant


@given(st.text(max_size=300))
def test_no_name_breaks_a_line_or_hides_anything(typed: str) -> None:
    name = guests.guest_name(typed)
    assert len(name) <= LONGEST_NAME
    assert len(name.splitlines()) <= 1
    assert not any(ord(one) < 32 or ord(one) in range(0x7F, 0xA0) for one in name)
    assert name == name.strip()


def called(name: str) -> str:
    proof = guests.proved(guests.sign_in(guests.access_code(), "192.168.1.7", name))
    assert proof is not None
    return proof.name


def test_two_guests_are_never_called_the_same() -> None:
    assert [called("Ada"), called("ada"), called("Ada")] == ["Ada", "ada 2", "Ada 3"]
    assert [called(""), called("  "), called("\u200b")] == ["Guest 1", "Guest 2", "Guest 3"]


@given(st.text(min_size=1, max_size=LONGEST_NAME))
def test_the_cookie_keeps_every_name_and_stays_short(name: str) -> None:
    logins.forget()
    cookie = guests.sign_in(guests.access_code(), "192.168.1.7", name)
    proof = guests.proved(cookie)
    assert proof is not None
    assert proof.name == (guests.guest_name(name) or "Guest 1")
    assert len(cookie) <= 1_024


def test_a_cookie_of_before_guests_had_names_still_counts() -> None:
    old = guests._signer(guests._secrets()).dumps("a" * 32)
    proof = guests.proved(old)
    assert proof is not None
    assert (proof.login, proof.name) == ("a" * 32, "")
