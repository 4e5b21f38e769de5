"""The messages of a conversation: what was said, and the reply that is being written."""

import base64
import time

import streamlit as st

from lib import words
from lib.blocks import groups, split
from lib.conversations import File, Turn
from lib.replies import Figures, ReplyState
from lib.ui import conversation, markdown
from lib.ui.live_reply import MODEL_AVATAR, live_reply
from lib.ui.session import Conversation

HANDOVER_SECONDS = 0.03  # between two groups: drawn at once they would freeze the browser
USER_AVATAR = ":material/person:"
ENDINGS = {
    ReplyState.STOPPED: "Stopped",
    ReplyState.INTERRUPTED: "Berth was restarted while this reply was written",
}


def messages(talk: Conversation) -> None:
    """Everything said on the shown branch, and the reply that is being written.

    The live element comes first in time, though below: it stays while the messages above it grow.
    """
    above, below = st.container(), st.container()
    running = conversation.running(talk)
    with below:
        live_reply(talk["id"], "".join(talk["lanes"][:1]), "".join(running[:1]))
    with above:
        turns = conversation.path(talk)
        for turn in turns:
            if not (running and turn["id"] == talk["replaced"]):
                is_new = turn["id"] in talk["lanes"] and not talk["is_handed_over"]
                _message(turn, is_new, is_last=turn is turns[-1])
    talk["is_handed_over"] = not running


def _message(turn: Turn, is_new: bool, is_last: bool) -> None:
    if turn["role"] == "user":
        with st.chat_message("user", avatar=USER_AVATAR):
            for file in turn["files"]:
                _file(file)
            st.text(turn["content"])
    else:
        with st.chat_message("assistant", avatar=MODEL_AVATAR):
            _text(turn, HANDOVER_SECONDS if is_new else 0)
            _foot(turn, is_last)


def _file(file: File) -> None:
    """What was sent with a question: an image as it is, a text folded."""
    if file["image"]:
        st.image(base64.b64decode(file["image"].partition(",")[2]), caption=file["name"], width=320)
        return
    with st.expander(f"{markdown.plain(file['name'])} · {words.count(file['tokens'], 'token')}"):
        st.code(file["text"], language=None, height=300)


def _text(turn: Turn, pause_seconds: float) -> None:
    """The reply in groups; while the live copy gives way, one after the other."""
    if turn["reasoning"]:
        with st.container(key=f"thought-{turn['id']}"), st.expander(_thought(turn)):
            st.markdown(markdown.safe(turn["reasoning"]))
    for last, text in groups(split(turn["content"])):
        with st.container(key=f"block-{turn['id']}-{last}"):
            st.markdown(markdown.safe(text))
        time.sleep(pause_seconds)


def _thought(turn: Turn) -> str:
    seconds = Figures.model_validate(turn["figures"]).reasoning_seconds
    return f"Thought for {words.duration(seconds)}" if seconds is not None else "Thinking"


def _foot(turn: Turn, is_last: bool) -> None:
    """Figures, and for a reply that did not end well: why, and Retry."""
    state = ReplyState(turn["state"])
    line = figures_line(Figures.model_validate(turn["figures"]))
    ending, name = ENDINGS.get(state, ""), markdown.plain(turn["model"])
    if ending or line:
        st.caption(" · ".join(part for part in (ending, line, name) if part))
    if turn["problem"]:
        problem = f"{turn['problem']['message']} {turn['problem']['fix']}".strip()
        st.error(markdown.safe(problem))
    if is_last and state != ReplyState.DONE:
        st.button("Retry", icon=":material/refresh:", key="chat_retry", on_click=conversation.retry)


def figures_line(figures: Figures) -> str:
    """`first token 0.21 s · 36.2 tok/s · 128 tokens`, as far as it was measured."""
    parts = []
    if figures.first_token_seconds is not None:
        parts.append(f"first token {words.duration(figures.first_token_seconds)}")
    if figures.tokens_per_second is not None:
        parts.append(f"{figures.tokens_per_second:.1f} tok/s")
    if figures.completion_tokens is not None:
        parts.append(words.count(figures.completion_tokens, "token"))
    if figures.finish_reason == "length":
        parts.append("cut at the token limit")
    return " · ".join(parts)
