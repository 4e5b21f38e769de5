"""The Hub's token: what is saved, where it is found, and what is refused."""

import stat
from pathlib import Path

import pytest

from lib.core.errors import (
    BadInput,
)
from lib.core.settings import settings
from lib.hub import TokenOrigin, forget_token, save_token, token_origin
from lib.hub.errors import NoAccess
from lib.hub.token import authorization

TOKEN = "hf_" + "a1B2" * 8


def test_a_saved_token_is_private_and_can_be_forgotten(home: Path) -> None:
    assert token_origin() == TokenOrigin.NOWHERE
    save_token(f" {TOKEN}\n")
    saved = settings().hf_token
    assert saved is not None
    assert saved.get_secret_value() == TOKEN
    assert stat.S_IMODE((home / "hf_token").stat().st_mode) == 0o600
    assert token_origin() == TokenOrigin.SAVED
    forget_token()
    forget_token()
    assert settings().hf_token is None


def test_a_token_in_the_environment_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    save_token(TOKEN)
    monkeypatch.setenv("HF_TOKEN", "hf_fromtheenvironment")
    assert token_origin() == TokenOrigin.ENVIRONMENT


def login(tmp_path: Path, token: str = "hf_ofthetool") -> Path:
    """What `hf auth login` leaves on the disk."""
    file = tmp_path / "hf" / "token"
    file.parent.mkdir(exist_ok=True)
    file.write_text(f"{token}\n")
    return file


def token_now() -> str:
    found = settings().hf_token
    return found.get_secret_value() if found else ""


def test_the_login_of_the_hubs_own_tool_is_found(tmp_path: Path) -> None:
    login(tmp_path)
    assert token_now() == "hf_ofthetool"
    assert token_origin() == TokenOrigin.LOGIN
    assert authorization() == {"Authorization": "Bearer hf_ofthetool"}
    save_token(TOKEN)
    assert (token_now(), token_origin()) == (TOKEN, TokenOrigin.SAVED)
    forget_token()
    assert token_origin() == TokenOrigin.LOGIN


@pytest.mark.parametrize(
    "variables",
    [
        {"HF_TOKEN_PATH": "{}/hf/token"},
        {"HF_HOME": "{}/hf"},
        {"HF_HOME": "", "XDG_CACHE_HOME": "{}/cache"},
        {"HF_HOME": "", "XDG_CACHE_HOME": "", "HOME": "{}/home"},
    ],
)
def test_the_login_is_where_the_tool_keeps_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]
) -> None:
    file = login(tmp_path)
    for place in ("cache/huggingface", "home/.cache/huggingface"):
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / "token").write_text(file.read_text())
    for name, value in variables.items():
        monkeypatch.setenv(name, value.format(tmp_path))
    assert token_now() == "hf_ofthetool"


def test_a_login_that_is_not_to_be_used_by_itself_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    login(tmp_path)
    monkeypatch.setenv("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")
    assert token_origin() == TokenOrigin.NOWHERE


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hf_",
        "hf_short",
        "sk-" + "a" * 40,
        f"{TOKEN} {TOKEN}",
        f"{TOKEN}\r\nX: y",
        "hf_" + "é" * 30,
        "hf_" + "a" * 10_000,
        "hf_" + "a" * 30 + "\0",
    ],
)
def test_what_is_no_token_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(BadInput) as caught:
        save_token(text)
    assert len(text) < 4 or text not in str(caught.value)
    assert settings().hf_token is None


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff\xfe"])
def test_a_token_file_that_holds_none_is_as_if_there_were_no_file(
    home: Path, content: bytes
) -> None:
    home.mkdir()
    (home / "hf_token").write_bytes(content)
    assert token_origin() == TokenOrigin.NOWHERE


@pytest.mark.parametrize("token", ["hf_ünsendable", "hf_two words", "hf_a\tb"])
def test_a_token_that_no_header_can_hold_is_refused_before_it_is_sent(
    token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", token)
    with pytest.raises(NoAccess) as caught:
        authorization()
    assert caught.value.code == "token_refused"
    assert token not in str(caught.value)
