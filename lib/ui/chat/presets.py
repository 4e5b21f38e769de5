"""The system prompt in the settings dialog: chosen from presets, written, and kept as one."""

from collections.abc import Callable

import streamlit as st

from lib.chat import presets
from lib.chat.presets import BUILT_IN, LONGEST_NAME
from lib.core.access import Action, may
from lib.core.errors import BerthError
from lib.ui import markdown
from lib.ui.chat import settings_fields as fields
from lib.ui.session import Conversation

NONE = "None"
OWN = "Your own text"
PROBLEM = "chat_preset_problem"
PROMPT_HELP = (
    "What the model reads before the conversation: who it is to be, and how it is to answer."
)


def prompt(talk: Conversation) -> None:
    """Presets, the prompt itself, and for the owner the way to keep it."""
    _choice(talk)
    fields.text(talk, "system", "System prompt", PROMPT_HELP, fields.UNSET, height=140)
    if earlier := _earlier(talk):
        st.button(
            "Bring back your text",
            icon=":material/undo:",
            type="tertiary",
            key=fields.key(talk, "undo"),
            on_click=_write,
            args=(talk, earlier),
        )
    if may(Action.CONFIGURE):
        _keeping(talk)


def _texts() -> dict[str, str]:
    """Every preset by its name; the owner's come last."""
    every = {preset.name: preset.text for preset in (*BUILT_IN, *presets.own())}
    return {NONE: "", **every}


def _choice(talk: Conversation) -> None:
    """Shows the preset that the prompt is, whoever wrote it there."""
    texts, written = _texts(), fields.settings_of(talk).system
    place = fields.key(talk, "preset")
    shown = next((name for name, text in texts.items() if text == written), OWN)
    st.session_state[place] = shown
    st.selectbox(
        "Preset",
        [*texts, OWN] if shown == OWN else list(texts),
        key=place,
        help="A system prompt that is ready to use; it can be changed below.",
        on_change=_choose,
        args=(talk,),
    )


def _choose(talk: Conversation) -> None:
    texts, written = _texts(), fields.settings_of(talk).system
    name = st.session_state.get(fields.key(talk, "preset"))
    if name not in texts:
        return
    st.session_state[fields.key(talk, "name")] = "" if name in _built_in() else name
    earlier = written if written not in texts.values() else _earlier(talk)
    _write(talk, texts[name])
    st.session_state[fields.key(talk, "earlier")] = earlier


def _built_in() -> set[str]:
    return {NONE, OWN, *(preset.name for preset in BUILT_IN)}


def _earlier(talk: Conversation) -> str:
    """A text of the person's own that a preset has taken the place of."""
    return str(st.session_state.get(fields.key(talk, "earlier")) or "")


def _write(talk: Conversation, text: str) -> None:
    st.session_state[fields.key(talk, "system")] = text
    st.session_state[fields.key(talk, "earlier")] = ""
    fields.take(talk, "system")


def _keeping(talk: Conversation) -> None:
    """Save the prompt under a name; one that is kept can be renamed and deleted."""
    with st.expander("Presets of your own", key=fields.key(talk, "own")):
        name = str(
            st.text_input(
                "Name",
                key=fields.key(talk, "name"),
                max_chars=LONGEST_NAME,
                placeholder="What to keep this prompt as",
            )
            or ""
        ).strip()
        if wrong := st.session_state.get(PROBLEM) or presets.problem():
            st.error(markdown.plain(wrong))
        chosen = str(st.session_state.get(fields.key(talk, "preset")) or NONE)
        with st.container(horizontal=True):
            if chosen not in _built_in():
                _kept_buttons(talk, chosen, name)
            else:
                _save_button(talk, name)


def _save_button(talk: Conversation, name: str) -> None:
    is_known = any(preset.name.casefold() == name.casefold() for preset in presets.own())
    written = fields.settings_of(talk).system
    st.button(
        f"Replace “{markdown.plain(name)}”" if is_known else "Save as preset",
        key=fields.key(talk, "save"),
        disabled=not written.strip(),
        on_click=_attempt,
        args=(lambda: presets.save(name, written),),
    )


def _kept_buttons(talk: Conversation, chosen: str, name: str) -> None:
    st.button(
        "Rename",
        key=fields.key(talk, "rename"),
        disabled=name == chosen,
        on_click=_attempt,
        args=(lambda: presets.rename(chosen, name),),
    )
    st.button(
        "Delete",
        icon=":material/delete:",
        key=fields.key(talk, "delete"),
        help="The text above stays as it is.",
        on_click=_attempt,
        args=(lambda: presets.delete(chosen),),
    )


def _attempt(act: Callable[[], object]) -> None:
    """Do it; what goes wrong is said at the name."""
    st.session_state[PROBLEM] = ""
    try:
        act()
    except BerthError as error:
        st.session_state[PROBLEM] = str(error)
