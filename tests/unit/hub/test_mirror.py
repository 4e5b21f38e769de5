"""A mirror that the owner chose is asked in place of the Hub; the environment goes before it."""

import pytest

from lib.core.access import Role, acting
from lib.core.errors import BadInput, BerthError
from lib.core.settings import HUB, settings
from lib.hub import mirror

MIRROR = "https://mirror.example/hub"


@pytest.fixture(autouse=True)
def _no_variable(home: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_ENDPOINT", raising=False)


def test_it_is_used_at_once_and_empty_goes_back() -> None:
    assert settings().hf_endpoint == HUB
    with acting(Role.OWNER):
        mirror.choose(f" {MIRROR}/ ")
        assert settings().hf_endpoint == MIRROR
        mirror.choose("")
    assert settings().hf_endpoint == HUB


def test_the_environment_goes_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with acting(Role.OWNER):
        mirror.choose(MIRROR)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9/")
    assert settings().hf_endpoint == "http://127.0.0.1:9"
    assert mirror.is_fixed()


@pytest.mark.parametrize(
    "wrong", ["mirror.example", "ftp://mirror.example", "https://", "https://a:b@c", "http://[1"]
)
def test_what_is_no_web_address_is_refused(wrong: str) -> None:
    with acting(Role.OWNER), pytest.raises(BadInput, match="no web address"):
        mirror.choose(wrong)


def test_a_guest_cannot_choose_it() -> None:
    with acting(Role.GUEST), pytest.raises(BerthError):
        mirror.choose(MIRROR)
