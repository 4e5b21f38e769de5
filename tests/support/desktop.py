"""Desktop entries read as the Desktop Entry Specification says, whoever writes them."""

import re
from collections.abc import Iterator

KNOWN = frozenset(
    {
        *("Type", "Version", "Name", "GenericName", "Comment", "TryExec", "Exec", "Path", "Icon"),
        *("Terminal", "StartupNotify", "Categories", "Hidden", "X-GNOME-Autostart-enabled"),
    }
)
RESERVED = set(" \t\n\"'\\><~|&;$*?#()`")
STRING = {"s": " ", "n": "\n", "t": "\t", "r": "\r", "\\": "\\"}


def parsed(text: str) -> dict[str, str]:
    """The keys of the one group that an entry of ours has, strings' escapes undone."""
    lines = [line for line in text.split("\n") if line and not line.startswith("#")]
    assert lines.pop(0) == "[Desktop Entry]"
    found: dict[str, str] = {}
    for line in lines:
        key, sign, value = line.partition("=")
        assert sign and key not in found and key in KNOWN, line
        found[key] = re.sub(r"\\(.)", lambda escape: STRING[escape[1]], value)
    for key in ("Terminal", "StartupNotify"):
        assert found[key] in ("true", "false")
    assert found["Categories"].endswith(";")
    assert found["Type"] == "Application" and found["Name"]
    return found


def executed(entry: dict[str, str]) -> list[str]:
    """The arguments that `Exec=` leads to, where no file was dropped on it."""
    return [_without_field_codes(word) for word in _words(entry["Exec"])]


def _without_field_codes(word: str) -> str:
    assert re.fullmatch(r"(?:[^%]|%%)*", word), f"a field code in {word!r}"
    return word.replace("%%", "%")


def _words(text: str) -> Iterator[str]:
    """Arguments are quoted whole or not at all."""
    at = 0
    while at < len(text):
        if text[at] == " ":
            at += 1
        elif text[at] == '"':
            found = re.compile(r'"((?:[^"\\$`]|\\["`$\\])*)"( |$)').match(text, at)
            assert found, f"not quoted as it should be: {text[at:]!r}"
            yield re.sub(r"\\(.)", r"\1", found[1])
            at = found.end()
        else:
            word = text[at:].partition(" ")[0]
            assert not RESERVED & set(word), f"has to be quoted: {word!r}"
            yield word
            at += len(word)
