"""The secret of an API key: shown once, kept as a hash.

It is 256 random bits. One round of SHA-256 is right for those: a slow hash protects words that
people choose, by making each guess dear; nobody guesses 2^256, and a request must not wait.
"""

import base64
import hashlib
import re
import secrets

PREFIX = "berth-"
HINT_LETTERS = 4  # of the secret, for people to tell keys apart by; 20 of its bits
_BYTES = 32
_SECRET = re.compile(r"berth-[a-z2-7]{52}")


def made() -> str:
    """A new one, in letters that a double click selects and no address or shell changes."""
    letters = base64.b32encode(secrets.token_bytes(_BYTES)).decode().rstrip("=").lower()
    return f"{PREFIX}{letters}"


def is_one(text: str) -> bool:
    """Does it look like one that was made here?"""
    return _SECRET.fullmatch(text) is not None


def is_in(text: str) -> bool:
    """Does one stand somewhere in this text?"""
    return _SECRET.search(text) is not None


def hint(secret: str) -> str:
    """Its beginning, which may be shown."""
    return secret[: len(PREFIX) + HINT_LETTERS]


def digest(secret: str) -> bytes:
    """What is kept of it."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).digest()
