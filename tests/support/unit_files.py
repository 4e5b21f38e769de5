"""Unit files read as systemd.syntax(7) and systemd.service(5) say, whoever writes them."""

from collections.abc import Iterator

ESCAPES = {"n": "\n", "t": "\t", "s": " ", '"': '"', "'": "'", "\\": "\\"}


def parsed(text: str) -> dict[str, list[tuple[str, str]]]:
    """Keys and values by section, in order; a line that ends in a backslash goes on in the next."""
    sections: dict[str, list[tuple[str, str]]] = {}
    section, whole = "", ""
    for line in text.split("\n"):
        if not whole and line.lstrip().startswith(("#", ";")):
            continue
        whole += line
        if whole.endswith("\\"):
            whole = whole[:-1] + " "
            continue
        stripped, whole = whole.strip(), ""
        if stripped.startswith("[") and stripped.endswith("]"):
            section = stripped[1:-1]
            assert section not in sections, f"twice: {section}"
            sections[section] = []
        elif stripped:
            key, sign, value = stripped.partition("=")
            assert sign, f"no assignment: {stripped!r}"
            sections[section].append((key, value))
    return sections


def words(value: str) -> list[str]:
    """The words of ExecStart= or Environment=, quotes and escapes undone."""
    return list(_words(value))


def executed(value: str) -> list[str]:
    """The arguments that ExecStart= leads to, where no variable is set and no specifier known."""
    found = words(value)
    for word in found:
        rest = word.replace("$$", "").replace("%%", "")
        assert "$" not in rest, f"expanded: {word!r}"
        assert "%" not in rest, f"a specifier: {word!r}"
    return [word.replace("$$", "$").replace("%%", "%") for word in found]


def _words(value: str) -> Iterator[str]:
    at, quote, word = 0, "", None
    while at < len(value):
        character = value[at]
        if character == "\\" and at + 1 < len(value):
            at += 1
            word = (word or "") + ESCAPES[value[at]]
        elif quote and character == quote:
            quote = ""
        elif not quote and character in "\"'":
            quote, word = character, word or ""
        elif not quote and character in " \t":
            if word is not None:
                yield word
            word = None
        else:
            word = (word or "") + character
        at += 1
    assert not quote, f"not closed: {value!r}"
    if word is not None:
        yield word
