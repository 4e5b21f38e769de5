"""The Hub token: given in the environment, which wins; saved from the browser; or the login that
the Hub's own tool keeps on this machine."""

import os
import re
from enum import StrEnum

from lib.core.access import Action, require
from lib.core.errors import BadInput
from lib.core.files import write_text
from lib.core.settings import login_token, settings
from lib.hub.errors import token_refused

_TOKEN = re.compile(r"hf_[A-Za-z0-9]{20,200}")
_SENDABLE = re.compile(r"[!-~]{1,4096}")  # a mirror's token may look otherwise


class TokenOrigin(StrEnum):
    """Where the token comes from."""

    NOWHERE = "nowhere"
    ENVIRONMENT = "environment"
    SAVED = "saved"
    LOGIN = "login"  # of the Hub's own tool


def save_token(text: str) -> None:
    """Keep the token for this and later runs; BadInput, which does not repeat it, for others."""
    require(Action.CONFIGURE)
    token = text.strip()
    if not _TOKEN.fullmatch(token):
        raise BadInput(
            "This is not a Hub token.",
            "A token begins with hf_ and has letters and digits alone. Copy it whole.",
        )
    write_text(settings().token_file, f"{token}\n")


def forget_token() -> None:
    """Remove the saved token; one in the environment stays."""
    require(Action.CONFIGURE)
    settings().token_file.unlink(missing_ok=True)


def use_login() -> None:
    """Save the token of the Hub's own tool as Berth's; BadInput where there is none."""
    save_token(login_token())


def has_login() -> bool:
    """Has somebody logged in with the Hub's own tool on this machine?"""
    return bool(login_token())


def token_origin() -> TokenOrigin:
    """Where the token that is used comes from."""
    if not settings().hf_token:
        return TokenOrigin.NOWHERE
    if os.environ.get("HF_TOKEN", "").strip():
        return TokenOrigin.ENVIRONMENT
    saved = settings().token_file
    has_saved = saved.is_file() and saved.stat().st_size > 0
    return TokenOrigin.SAVED if has_saved else TokenOrigin.LOGIN


def authorization() -> dict[str, str]:
    """The header for the Hub's own host. TokenRefused for what cannot be sent in a header."""
    token = settings().hf_token
    if token is None:
        return {}
    if not _SENDABLE.fullmatch(token.get_secret_value()):
        raise token_refused()
    return {"Authorization": f"Bearer {token.get_secret_value()}"}
