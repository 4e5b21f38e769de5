"""The one filter between secrets and the disk: tokens, keys and passwords become `***`.

It knows them by their look, by the name before them, and by value where the environment holds them.
Standard library only: the job runner uses it.
"""

import contextlib
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

MASK = b"***"
SHORTEST_KNOWN, SHORTEST_NAMED = 8, 6  # shorter values are words of every log
LONGEST_SECRET = 4096
OVERLONG = 65_536  # bytes without a line end before a part of them is let through
HELD_BACK = 2 * LONGEST_SECRET

_SECRET_NAME = re.compile(r"(?:TOKEN|KEY|SECRET|PASSWORD|PASSWD)$")
_VALUE = rb"[^\s\"'`,;&<>()\[\]{}]{%d,%d}" % (SHORTEST_NAMED, LONGEST_SECRET)
_ASSIGNED = rb"[\"']?[ \t]*[:=][ \t]*[\[(\"']{0,3}"
_NAMED = rb"|".join(
    (
        rb"\b(?i:bearer)[ \t]+(?!(?i:token|auth))",
        rb"\b(?i:authorization)[ \t]*[:=][ \t]*[\"']?(?i:basic|token)?[ \t]*(?!(?i:bearer|basic))",
        rb"(?i:api|access|auth|hf|refresh|secret|client)[_-]?(?i:key|token|secret)" + _ASSIGNED,
        rb"(?i:password|passwd)" + _ASSIGNED,
        rb"\b[A-Z][A-Z0-9_]{0,64}(?:TOKEN|_KEY|SECRET|PASSWORD)=[\"']?",
        rb"--(?i:api-key|hf-token|token|password)[= \t][\"']?",
        rb"[?&](?i:token|key|sig|signature|policy|x-amz-[a-z-]{1,32})=",
    )
)
_LOOKS = (
    rb"(?P<named>" + _NAMED + rb")" + _VALUE,
    rb"(?P<user>://[^\s/:@]{0,256}:)[^\s/@]{1,%d}(?=@)" % LONGEST_SECRET,
    rb"\b(?:hf|api_org)_[A-Za-z0-9]{20,%d}" % LONGEST_SECRET,
    rb"\bsk-[A-Za-z0-9_-]{16,%d}" % LONGEST_SECRET,
    rb"\bberth-[a-z2-7]{52}",  # an API key of our own, see lib/keys/secret.py
)


def known_secrets(environ: Mapping[str, str]) -> list[str]:
    """The values of variables named …TOKEN, …KEY, …SECRET or …PASSWORD, and what is saved.

    That is the Hub token, the owner's key, and the keys of engines.
    """
    found = [value.strip() for name, value in environ.items() if _SECRET_NAME.search(name)]
    home = Path(environ.get("BERTH_HOME") or "~/.berth").expanduser()
    single = home / "hf_token", home / "owner.key"
    for path in (*single, *home.glob("engine_keys/*"), *home.glob("slots/*.key")):
        with contextlib.suppress(OSError, ValueError):
            found.append(path.read_text(encoding="utf-8").strip())
    return [value for value in found if SHORTEST_KNOWN <= len(value) <= LONGEST_SECRET]


def redact(text: str, secrets: Iterable[str] | None = None) -> str:
    """The text without secrets; those of this process's environment unless others are given."""
    known = known_secrets(os.environ) if secrets is None else secrets
    clean = _masked(_pattern(known), text.encode("utf-8", "surrogatepass"))
    return clean.decode("utf-8", "surrogatepass")


class Redactor:
    """The filter for output that comes in pieces: no secret slips through between two of them."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._pattern = _pattern(secrets)
        self._rest = b""

    def feed(self, data: bytes) -> bytes:
        """The clean text that is complete now; a line that has not ended is held back."""
        text = self._rest + data
        cut = max(text.rfind(b"\n"), text.rfind(b"\r")) + 1
        if len(text) - cut > OVERLONG:
            cut = self._safe_cut(text)
        self._rest = text[cut:]
        return _masked(self._pattern, text[:cut])

    def flush(self) -> bytes:
        """What was held back."""
        text, self._rest = self._rest, b""
        return _masked(self._pattern, text)

    def _safe_cut(self, text: bytes) -> int:
        """A place well before the end that lies inside no secret."""
        cut = len(text) - HELD_BACK
        for match in self._pattern.finditer(text):
            if match.start() < cut < match.end():
                return match.start()
        return cut


def _pattern(secrets: Iterable[str]) -> re.Pattern[bytes]:
    exact = sorted({re.escape(os.fsencode(secret)) for secret in secrets}, key=len, reverse=True)
    return re.compile(rb"|".join((*exact, *_LOOKS)))


def _masked(pattern: re.Pattern[bytes], text: bytes) -> bytes:
    return pattern.sub(lambda match: (match["named"] or match["user"] or b"") + MASK, text)
