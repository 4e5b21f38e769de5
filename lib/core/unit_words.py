"""Words of systemd's unit files: what is written is what is started, to the letter."""

import re

from lib.core.errors import BadInput
from lib.core.names import shown

_PLAIN = re.compile(r"[A-Za-z0-9_./:=,@+-]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def quoted(word: str) -> str:
    """A word of a command line for `ExecStart=`: one word, and nothing in it is expanded."""
    require_visible(word)
    plain = word.replace("%", "%%").replace("$", "$$")
    if _PLAIN.fullmatch(plain):
        return plain
    return '"' + plain.replace("\\", "\\\\").replace('"', '\\"') + '"'


def assigned(name: str, value: str) -> str:
    """A variable for `Environment=`, where `$` means nothing and `%` does."""
    require_visible(value)
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'Environment="{name}={escaped}"'


def require_visible(text: str) -> None:
    """BadInput for what no unit file can hold."""
    if _CONTROL.search(text):
        raise BadInput(
            f"“{shown(text)}” has characters that a service file cannot hold.",
            "Use visible characters only.",
        )
