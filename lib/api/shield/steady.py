"""Lines of a system prompt that change with every request are put where they do no harm.

An engine keeps what it has read of a prompt and reads on where the next one differs. Coding agents
put a number of their own, or the time, at the very front: then all of a long prompt is read anew in
each turn. Claude Code's `x-anthropic-billing-header` tells a model nothing and is left out (of it
llama-server overlooks one of two numbers, in /v1/messages alone); a line with the time of day goes
to the end of the last message, after all that stays the same.
"""

import logging
import re
from collections.abc import Iterator
from itertools import takewhile
from typing import Any

from lib.api.shield.told import Told
from lib.core.preferences import preferences

Fields = dict[str, Any]
PATHS = frozenset({"/chat/completions", "/responses", "/messages", "/messages/count_tokens"})
LONGEST_LINE = 200  # characters; a longer one is no stamp
LEFT_OUT = "a line of the agent's own that changes every time was left out of the system prompt"
MOVED = "a line with the time was moved from the system prompt to the end of the last message"

_NUMBER = re.compile(r"^[ \t]*x-anthropic-billing-header:[^\n]*\n?", re.MULTILINE | re.IGNORECASE)
# A short line that tells the time now: `Current time: 2026-11-28T10:15:02Z`, `It is now 10:15.`
_CLOCK = re.compile(
    rf"^(?=[^\n]{{1,{LONGEST_LINE}}}$)[^\n]*\b(?:current|now|today|local)\b"
    r"[^\n]*[0-2]?[0-9]:[0-5][0-9][^\n]*\n?",
    re.MULTILINE | re.IGNORECASE,
)
_SIGN = re.compile(r"x-anthropic-billing-header:|[0-9]:[0-5][0-9]", re.IGNORECASE)
_FIRST = ("system", "instructions")  # the names of what stands before all messages
_SYSTEM = ("system", "developer")
_log = logging.getLogger(__name__)
_logged: set[str] = set()  # each kind once; the client is told every time


def steady(fields: Fields, told: Told) -> Fields:
    """The same request with a beginning that stays; `fields` itself is not changed.

    Where the last message is not a person's, there is no place for the time, and it stays.
    """
    if not any(map(_SIGN.search, _first_texts(fields))) or not preferences().steady_prompts:
        return fields
    numbers: list[str] = []
    clocks: list[str] = []
    fields = _without(fields, _NUMBER, numbers)
    if _has_place(fields):
        fields = _with_last(_without(fields, _CLOCK, clocks), clocks)
    for found, sentence in ((numbers, LEFT_OUT), (clocks, MOVED)):
        if found:
            _tell(sentence, told)
    return fields


def _tell(sentence: str, told: Told) -> None:
    told.note(sentence)
    if sentence not in _logged:
        _logged.add(sentence)
        _log.warning("So that prompts need not be read anew, %s; see Settings.", sentence)


def _first_texts(fields: Fields) -> Iterator[str]:
    for name in _FIRST:
        yield from _texts(fields.get(name))
    for message in takewhile(lambda message: message.get("role") in _SYSTEM, _messages(fields)):
        yield from _texts(message.get("content"))


def _texts(content: Any) -> Iterator[str]:
    parts = [{"text": content}] if isinstance(content, str) else content or []
    return (part["text"] for part in parts if isinstance(part.get("text"), str))


def _messages(fields: Fields) -> list[Fields]:
    found = fields.get(_name(fields))
    return found if isinstance(found, list) else []


def _name(fields: Fields) -> str:
    return "messages" if "messages" in fields else "input"


def _without(fields: Fields, line: re.Pattern[str], taken: list[str]) -> Fields:
    """Without such lines in what stands first; they are added to `taken`."""
    made = {name: value for name, value in fields.items() if name not in _FIRST}
    for name in filter(fields.get, _FIRST):
        if cleared := _cleared(fields[name], line, taken):
            made[name] = cleared
    if messages := _messages(fields):
        first = [*takewhile(lambda message: message.get("role") in _SYSTEM, messages)]
        cleared = [{**one, "content": _cleared(one.get("content"), line, taken)} for one in first]
        kept = [one for one in cleared if one["content"]]
        made[_name(fields)] = [*kept, *messages[len(first) :]]
    return made


def _cleared(content: Any, line: re.Pattern[str], taken: list[str]) -> Any:
    """A part that held nothing else goes."""
    taken += [found.strip() for text in _texts(content) for found in line.findall(text)]
    if not isinstance(content, list):
        return line.sub("", content) if content else content
    cleared = [
        {**part, "text": line.sub("", part["text"])} if isinstance(part.get("text"), str) else part
        for part in content
    ]
    return [part for part in cleared if part.get("text", "…")]


def _has_place(fields: Fields) -> bool:
    if isinstance(fields.get("input"), str):
        return True
    last = (_messages(fields) or [{}])[-1]
    return last.get("role") == "user" and bool(last.get("content"))


def _with_last(fields: Fields, lines: list[str]) -> Fields:
    """With these at the end of the last message."""
    if not lines:
        return fields
    text, name = "\n".join(lines), _name(fields)
    if isinstance(said := fields[name], str):
        return {**fields, name: f"{said}\n\n{text}"}
    last = said[-1]
    content = last["content"]
    kind = "text" if name == "messages" else "input_text"
    more = (
        f"{content}\n\n{text}"
        if isinstance(content, str)
        else [*content, {"type": kind, "text": text}]
    )
    return {**fields, name: [*said[:-1], {**last, "content": more}]}
