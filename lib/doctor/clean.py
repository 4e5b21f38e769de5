"""What goes into a support bundle goes through here: no secret, no name of account or machine."""

import json
import os
import re
import socket
from collections.abc import Iterable, Mapping
from getpass import getuser
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from lib.core.files import read_json
from lib.core.preferences import preferences
from lib.core.redact import known_secrets, redact
from lib.core.settings import ROOT, login_file, settings

MASK = "***"
SHORTEST_NAME = 3  # shorter ones are parts of ordinary words
_HEADER = re.compile(r"\b((?:set-)?cookie[\"']?\s*[:=]\s*)[^\r\n]+", re.IGNORECASE)
_COOKIE = re.compile(r"\b((?:berth|_streamlit)_\w{1,64}=)[^\s;,\"'&]+")
# payload.time.signature, as itsdangerous writes guests' cookies; a JWT looks the same.
_SIGNED = re.compile(r"\b[\w-]{8,4096}\.[\w-]{5,2048}\.[\w-]{25,512}")
_PASSWORD = re.compile(r"://[^\s/:@]*:([^\s/@]+)@")
_SECRET_NAME = re.compile(
    r"(?:token|key|keys|code|secret|password|passwd|cookie|webhook)$", re.IGNORECASE
)


class Cleaner:
    """Knows the secrets and names of this machine, as they were when it was made."""

    def __init__(self) -> None:
        self._secrets = sorted(_all_secrets(), key=len, reverse=True)
        self._places = _places()
        self._names = _names()

    def text(self, text: str) -> str:
        """The text without them."""
        text = _HEADER.sub(rf"\1{MASK}", text)
        text = _COOKIE.sub(rf"\1{MASK}", text)
        text = _SIGNED.sub(MASK, text)
        text = redact(text, self._secrets)
        for place, name in self._places:
            text = text.replace(place, name)
        for pattern, name in self._names:
            text = pattern.sub(name, text)
        return text

    def json(self, value: Any) -> str:
        """The value as JSON, where what is named like a secret is one."""
        plain = json.dumps(_masked(value), ensure_ascii=False, indent=1, default=str)
        return f"{self.text(plain)}\n"


def environment(variables: Mapping[str, str]) -> dict[str, str]:
    """Those that change what Berth and its engines do, secrets only as being there."""
    wanted = ("BERTH_", "OLLAMA_", "HF_", "GGML_", "OMP_", "CUDA_VISIBLE", "VLLM_")
    found = {name: value for name, value in variables.items() if name.startswith(wanted)}
    return {name: MASK if _SECRET_NAME.search(name) else value for name, value in found.items()}


def _masked(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {
            str(key): MASK if _SECRET_NAME.search(str(key)) and _is_text(one) else _masked(one)
            for key, one in value.items()
        }
    return [_masked(one) for one in value] if isinstance(value, list | tuple) else value


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _all_secrets() -> set[str]:
    """By value: of the environment, of all that Berth keeps in files of their own, of guests."""
    home = settings().home
    found = set(known_secrets({**os.environ, "BERTH_HOME": str(home)}))
    for path in (*home.glob("engines/*.key"), *home.glob("slots/*.key"), login_file()):
        found.add(_read(path))
    if token := settings().hf_token:
        found.add(token.get_secret_value())
    found |= set(_strings(read_json(home / "guests.json")))
    found |= _of_address(preferences().webhook)
    found |= {word for value in os.environ.values() for word in _PASSWORD.findall(value)}
    found |= {f"{code[:4]}-{code[4:]}" for code in found if len(code) == 8}  # as it is shown
    return {secret for secret in found if len(secret) >= 6}


def _of_address(address: str) -> set[str]:
    """A web hook is told by whoever knows its path."""
    parts = urlsplit(address)
    return {address, parts.path, parts.query}


def _strings(value: Any) -> Iterable[str]:
    """Every text in it, names too: logins that were put out are names."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        texts = [one for one in value.values() if isinstance(one, str)]
        logins = [str(key) for one in value.values() if isinstance(one, Mapping) for key in one]
        yield from (*texts, *logins)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        return ""


def _places() -> list[tuple[str, str]]:
    """Folders whose names tell who somebody is, the longest first."""
    known = {settings().home: "BERTH_HOME", ROOT: "BERTH", Path.home(): "~"}
    given = os.environ.get("BERTH_HOME", "")
    found = {str(path): name for path, name in known.items()}
    found |= {str(path.resolve()): name for path, name in known.items()}
    found |= {given: "BERTH_HOME"} if given.startswith("/") else {}
    found |= {quote(place): name for place, name in found.items()}
    usable = {place: name for place, name in found.items() if len(place) > 1}
    return sorted(usable.items(), key=lambda item: -len(item[0]))


def _names() -> list[tuple[re.Pattern[str], str]]:
    """Of the account and of the machine, as whole words, in any case."""
    host = socket.gethostname()
    users, hosts = (_user(), Path.home().name), (host, host.partition(".")[0])
    known = {**dict.fromkeys(users, "USER"), **dict.fromkeys(hosts, "HOST")}
    names = {name: word for name, word in known.items() if len(name) >= SHORTEST_NAME}
    return [
        (re.compile(rf"(?<![A-Za-z0-9]){re.escape(name)}(?![A-Za-z0-9])", re.IGNORECASE), word)
        for name, word in sorted(names.items(), key=lambda item: -len(item[0]))
        if name != "localhost"
    ]


def _user() -> str:
    try:
        return getuser()
    except (KeyError, OSError):  # an account without a name
        return ""
