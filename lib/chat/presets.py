"""System prompts to choose from, and what new conversations begin with: `chat.toml` in BERTH_HOME.

Everybody may use them, the owner alone changes them. What cannot be used in the file is passed
over, and `problem` tells of it.
"""

import unicodedata
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import tomli_w
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from lib.chat import settings as chat_settings
from lib.chat.settings import LONGEST_PROMPT, ChatSettings
from lib.core import toml_file
from lib.core.access import Action, require
from lib.core.errors import BadInput, Conflict, NotFound
from lib.core.names import shown
from lib.core.settings import settings

LONGEST_NAME = 60
MOST = 100


def _name(text: str) -> str:
    """One line that shows as it is."""
    line = " ".join(text.split())
    if not line or any(unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co", "Cn") for c in line):
        raise ValueError("a name has letters that can be seen")
    return line


def _lines(text: str) -> str:
    if not text.strip():
        raise ValueError("a prompt says something")
    return text.replace("\r\n", "\n").replace("\r", "\n")


class Preset(BaseModel):
    """A system prompt with a name."""

    model_config = ConfigDict(frozen=True)

    name: Annotated[str, Field(max_length=LONGEST_NAME), AfterValidator(_name)]
    text: Annotated[str, Field(max_length=LONGEST_PROMPT), AfterValidator(_lines)]


BUILT_IN = tuple(
    Preset(name=name, text=text)
    for name, text in {
        "Concise": "Answer in as few words as the question allows. No introduction, no summary, "
        "no repetition of the question. If one word or one number is enough, give only that.",
        "Explain simply": "Explain so that somebody who has never met the subject understands it. "
        "Use short sentences and everyday words, give one concrete example, and explain every "
        "technical term the first time it appears.",
        "Code reviewer": "You review code. Name the real problems first: mistakes, unhandled "
        "cases, security holes, then what makes the code hard to read. Quote the line, say what "
        "goes wrong and when, and show the smallest change that mends it. Where nothing is wrong, "
        "say so.",
        "Programmer": "You write code. Give complete code that runs as it stands, with the "
        "imports it needs, in the language asked for. Prefer the standard library and the "
        "simplest way that works. Explain only what is not plain from the code.",
        "Translator": "You translate. If the text is in English, translate it into the language "
        "that was named last, or into German if none was; translate any other language into "
        "English. Keep tone, names, numbers and formatting. Reply with the translation alone.",
        "Editor": "Improve the text you are given: correct spelling and grammar, shorten what is "
        "long-winded, and keep the author's voice and meaning. Reply with the improved text, "
        "then list the changes that matter.",
        "Summarize": "Summarize what you are given. Begin with one sentence that says the most "
        "important thing, then at most five points. Add nothing that is not in the text.",
        "JSON only": "Reply with one valid JSON value and nothing else: no explanation, no "
        "Markdown, no code fence. Where something is unknown, use null.",
    }.items()
)
_BUILT_IN_NAMES = frozenset(preset.name.casefold() for preset in BUILT_IN)


def own() -> list[Preset]:
    """Those that the owner wrote, by name."""
    return _read()[0]


def problem() -> str:
    """What is wrong with the file, in a sentence; "" where nothing is."""
    return _read()[2]


def defaults() -> ChatSettings:
    """What new conversations begin with."""
    return _read()[1]


def save(name: str, text: str) -> Preset:
    """Keep a prompt under a name; one of that name is replaced, but not one that Berth brings."""
    new = _checked(name, text)

    def put(kept: list[Preset]) -> list[Preset]:
        rest = [preset for preset in kept if not _is_named(preset, new.name)]
        if len(rest) >= MOST:
            raise Conflict(f"There are {MOST} presets already.", "Delete one first.")
        return [*rest, new]

    _change(put)
    return new


def rename(old: str, new: str) -> Preset:
    """Give a prompt of the owner's another name, which must be free."""

    def put(kept: list[Preset]) -> list[Preset]:
        found = _find(kept, old)
        rest = [preset for preset in kept if preset is not found]
        renamed = _checked(new, found.text)
        if any(_is_named(preset, renamed.name) for preset in rest):
            raise Conflict(f"There is a preset “{shown(renamed.name)}”.", "Choose another name.")
        return [*rest, renamed]

    return _find(_change(put), " ".join(new.split()))


def delete(name: str) -> None:
    """Remove a prompt of the owner's."""

    def put(kept: list[Preset]) -> list[Preset]:
        found = _find(kept, name)
        return [preset for preset in kept if preset is not found]

    _change(put)


def use_for_new(chosen: ChatSettings) -> None:
    """Begin new conversations with these settings."""
    require(Action.CONFIGURE)
    with toml_file.writing(settings().chat):
        kept, _, wrong = _read()
        _write(kept, chosen, wrong)


def _change(change: Callable[[list[Preset]], list[Preset]]) -> list[Preset]:
    """The owner's prompts as they are afterwards."""
    require(Action.CONFIGURE)
    with toml_file.writing(settings().chat):
        kept, begins_with, wrong = _read()
        new = change(kept)
        _write(new, begins_with, wrong)
    return new


def _write(kept: Sequence[Preset], begins_with: ChatSettings, wrong: str) -> None:
    values: dict[str, Any] = {}
    if stored := begins_with.stored():
        values["new_conversations"] = stored
    values["prompts"] = [preset.model_dump() for preset in kept]
    text = tomli_w.dumps(values, multiline_strings=True)  # to be read and written by hand too
    toml_file.replace(settings().chat, text, is_broken=bool(wrong))


def _find(kept: Sequence[Preset], name: str) -> Preset:
    for preset in kept:
        if _is_named(preset, name):
            return preset
    raise NotFound(f"There is no preset “{shown(name)}” of your own.", "It may have been deleted.")


def _is_named(preset: Preset, name: str) -> bool:
    return preset.name.casefold() == name.casefold()


def _checked(name: str, text: str) -> Preset:
    """A preset that can be kept, or BadInput."""
    if " ".join(name.split()).casefold() in _BUILT_IN_NAMES:
        raise BadInput(f"“{shown(name)}” is one that Berth brings.", "Choose another name.")
    try:
        return Preset(name=name, text=text)
    except ValidationError as error:
        if error.errors()[0]["loc"] == ("name",):
            raise BadInput(
                "This cannot be the name of a preset.",
                f"Use up to {LONGEST_NAME} characters that can be seen.",
            ) from None
        raise BadInput(
            "This prompt cannot be kept.", f"Write up to {LONGEST_PROMPT:,} characters."
        ) from None


def _read() -> tuple[list[Preset], ChatSettings, str]:
    """The owner's prompts, what conversations begin with, and what is wrong with the file."""
    values, wrong = toml_file.read(settings().chat)
    found = values.get("prompts", [])
    entries = found if isinstance(found, list) else [found]
    kept = {p.name.casefold(): p for entry in entries[:MOST] if (p := _preset(entry))}
    begins_with = chat_settings.read(values.get("new_conversations"))
    is_whole = len(kept) == len(entries)
    if not wrong and not is_whole:
        wrong = f"{settings().chat} has prompts that cannot be used; they are left out."
    return sorted(kept.values(), key=lambda preset: preset.name.casefold()), begins_with, wrong


def _preset(entry: Any) -> Preset | None:
    try:
        preset = Preset.model_validate(entry)
    except ValidationError:
        return None
    return None if preset.name.casefold() in _BUILT_IN_NAMES else preset
