"""The fields of the settings dialog: what is typed is taken at once, or kept with what is wrong."""

from typing import Any, NamedTuple, cast

import streamlit as st

from lib.chat import settings as chat_settings
from lib.chat.settings import ChatSettings
from lib.core.errors import BadInput
from lib.ui import markdown
from lib.ui.session import Conversation

UNSET = "As the model has it"
LEAD = "chat_settings_lead"  # the field that Done has found wanting, and how often it did
NAMES = {  # as the page names them, in the order of the dialog
    "system": "system prompt",
    "temperature": "temperature",
    "max_tokens": "max tokens",
    "top_p": "top-p",
    "repeat_penalty": "repetition penalty",
    "context": "context",
    "top_k": "top-k",
    "min_p": "min-p",
    "seed": "seed",
    "stop": "stop sequences",
    "json_schema": "schema",
}


class Draft(NamedTuple):
    """What was typed and cannot be used, and why."""

    typed: Any
    problem: str


def key(talk: Conversation, name: str) -> str:
    """Of a field's widget: each conversation has its own."""
    return f"settings-{name}-{talk['id']}"


def settings_of(talk: Conversation) -> ChatSettings:
    """What is in force."""
    return chat_settings.read(talk["settings"])


def drafts(talk: Conversation) -> dict[str, Draft]:
    """What stands in the fields without being in force, by field."""
    kept = st.session_state.setdefault("chat_settings_drafts", {})
    return cast("dict[str, Draft]", kept.setdefault(talk["id"], {}))


def summary(talk: Conversation) -> str:
    """What the page says is set, and first of all what was typed and is not in use."""
    unused = [f"{NAMES[name]} not in use" for name in NAMES if name in drafts(talk)]
    return settings_of(talk).summary(unused)


def lead(talk: Conversation) -> str:
    """Have the first field that needs mending come into view; "" where none does."""
    name = next((name for name in NAMES if name in drafts(talk)), "")
    if name:
        times = int((st.session_state.get(LEAD) or {}).get("times", 0))
        st.session_state[LEAD] = {"field": key(talk, name), "times": times + 1}
    return name


def seed(talk: Conversation, name: str) -> str:
    """Fill a field that is drawn for the first time; its key is returned."""
    place = key(talk, name)
    if place not in st.session_state:
        draft = drafts(talk).get(name)
        st.session_state[place] = draft.typed if draft else _typed(settings_of(talk), name)
    return place


def _typed(settings: ChatSettings, name: str) -> Any:
    """A setting as its field shows it."""
    value = getattr(settings, name)
    if name == "stop":
        return chat_settings.stop_text(value)
    return value or 0 if name == "context" else value


def take(talk: Conversation, name: str) -> None:
    """Put what stands in the field in force, if it can be."""
    if key(talk, name) not in st.session_state:
        return
    typed = st.session_state[key(talk, name)]
    value = typed or None if name == "context" else typed
    try:
        talk["settings"] = chat_settings.changed(settings_of(talk), name, value).stored()
    except BadInput as error:
        drafts(talk)[name] = Draft(typed, str(error))
    else:
        drafts(talk).pop(name, None)


def reset(talk: Conversation) -> None:
    """Everything as the model has it, also in the fields."""
    drafts(talk).clear()
    talk["settings"] = {}
    for name in ChatSettings.model_fields:
        st.session_state[key(talk, name)] = _typed(ChatSettings(), name)


def problem(talk: Conversation, name: str) -> None:
    """What is wrong with what stands in the field, below it."""
    if draft := drafts(talk).get(name):
        said = markdown.plain(draft.problem)
        st.markdown(f":small[:red[:material/error: {said} What is typed here is not in use.]]")


class Number(NamedTuple):
    """A field for a number that may also be left to the model: then `usual` stands in grey."""

    name: str
    label: str
    step: float
    about: str
    usual: str
    is_off: bool = False


def number(talk: Conversation, one: Number) -> None:
    """The field, and what is wrong with what stands in it."""
    st.number_input(
        one.label,
        value=None,
        step=one.step,
        format="%g" if isinstance(one.step, float) else "%d",
        key=seed(talk, one.name),
        placeholder=one.usual,
        help=one.about,
        disabled=one.is_off,
        on_change=take,
        args=(talk, one.name),
    )
    problem(talk, one.name)


def text(talk: Conversation, name: str, label: str, about: str, hint: str, height: int) -> None:
    """A field for a text of several lines."""
    st.text_area(
        label,
        height=height,
        key=seed(talk, name),
        placeholder=hint,
        help=about,
        on_change=take,
        args=(talk, name),
    )
    problem(talk, name)
