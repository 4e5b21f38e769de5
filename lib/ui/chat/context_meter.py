"""How full the conversation is: a line and a thin bar at the top, a warning above the input."""

import streamlit as st

from lib.chat import context_use as context
from lib.chat.context_use import ContextUse
from lib.core.errors import TooLong
from lib.engines.base import Model
from lib.ui import session
from lib.ui.chat import control, conversation
from lib.ui.session import Conversation

HEIGHT_PIXELS = 28  # kept free also where nothing is known, so that nothing jumps
HELP = (
    "A model reads the whole conversation anew for every answer, and can hold only so many tokens "
    "(pieces of words) at once: its context length. It is chosen when the model is loaded."
)
WAYS_OUT = "begin a new chat, delete earlier messages, or load the model with a larger context."


def context_meter(talk: Conversation, model: Model) -> None:
    """`1,204 of 8,192 tokens` and a bar; nothing where nothing is known."""
    use = _use(talk, model)
    with st.container(key="context-meter", height=HEIGHT_PIXELS, border=False):
        if use:
            with st.container(
                horizontal=True, wrap=False, vertical_alignment="center", gap="small"
            ):
                st.caption(said(use), width="content", help=HELP)
                st.progress(use.share)


def context_warning(talk: Conversation, model: Model) -> None:
    """Says above the input that the next message may not fit, while there is time."""
    use = _use(talk, model)
    if use and use.is_full:
        st.warning(
            f"The next message would not fit: this model holds {use.context:,} tokens and the "
            f"conversation has {_number(use)}. To go on, {WAYS_OUT}"
        )
    elif use and use.is_close:
        st.warning(
            f"The conversation is close to what the model can hold ({said(use)}): {WAYS_OUT}"
        )


def room(talk: Conversation, model: Model) -> int | None:
    """Tokens left for the next message; None where nobody knows."""
    use = _use(talk, model)
    return use.context - use.used if use else model.context


def ways_out(problem: dict[str, str]) -> None:
    """What to do about a conversation that is too long, below the error that says so."""
    talk = session.conversation()
    if not talk or problem.get("code") != TooLong.code:
        return
    with st.container(horizontal=True, key="context-ways-out"):
        st.button("Begin a new one", icon=":material/edit_square:", on_click=conversation.new)
        first, *others = (turn for turn in conversation.path(talk) if turn["role"] == "user")
        if others:
            st.button(
                "Delete the first question",
                icon=":material/delete:",
                on_click=control.delete,
                args=(first["id"],),
            )
        st.page_link("pages/2_Models.py", label="Load it larger", icon=":material/memory:")


def said(use: ContextUse) -> str:
    """`1,204 of 8,192 tokens`; what is estimated says so."""
    return f"{_number(use)} of {use.context:,} tokens"


def _number(use: ContextUse) -> str:
    return f"{use.used:,}" if use.is_counted else f"about {use.used:,}"


def _use(talk: Conversation, model: Model) -> ContextUse | None:
    return context.context_use(conversation.path(talk), model.name, model.context)
