"""The messages of a conversation: what was said, and the reply that is being written."""

import base64

import streamlit as st

from lib import words
from lib.conversations import File, Turn
from lib.replies import ReplyState
from lib.ui import answer, columns, conversation, markdown
from lib.ui.live_reply import MODEL_AVATAR, live_reply
from lib.ui.session import Conversation

USER_AVATAR = ":material/person:"


def messages(talk: Conversation) -> None:
    """Everything said on the shown branch, and the reply that is being written.

    The live element comes first in time, though below: it stays while the messages above it grow.
    """
    above, below = st.container(), st.container()
    running = conversation.running(talk)
    alone = [] if columns.newest(talk) else talk["lanes"]
    with below:
        live_reply(talk["id"], "".join(alone), "".join(each for each in alone if each in running))
    with above:
        turns = conversation.path(talk)
        for turn in turns:
            if side_by_side := columns.of(talk, turn):
                columns.draw(talk, side_by_side, is_last=turn is turns[-1])
            elif not (running and turn["id"] == talk["replaced"]):
                is_new = turn["id"] in talk["lanes"] and not talk["is_handed_over"]
                _message(turn, is_new, is_last=turn is turns[-1])
        if begun := columns.begun(talk, turns):
            columns.draw(talk, begun, is_last=True)
    talk["is_handed_over"] = not running


def _message(turn: Turn, is_new: bool, is_last: bool) -> None:
    if turn["role"] == "user":
        with st.chat_message("user", avatar=USER_AVATAR):
            for file in turn["files"]:
                _file(file)
            st.text(turn["content"])
    else:
        with st.chat_message("assistant", avatar=MODEL_AVATAR):
            answer.text(turn, is_new)
            _foot(turn, is_last)


def _file(file: File) -> None:
    """What was sent with a question: an image as it is, a text folded."""
    if file["image"]:
        st.image(base64.b64decode(file["image"].partition(",")[2]), caption=file["name"], width=320)
        return
    with st.expander(f"{markdown.plain(file['name'])} · {words.count(file['tokens'], 'token')}"):
        st.code(file["text"], language=None, height=300)


def _foot(turn: Turn, is_last: bool) -> None:
    """Figures, and for a reply that did not end well: why, and Retry."""
    if line := answer.outcome(turn):
        st.caption(f"{line} · {markdown.plain(turn['model'])}")
    answer.problem(turn)
    if is_last and turn["state"] != ReplyState.DONE:
        st.button("Retry", icon=":material/refresh:", key="chat_retry", on_click=conversation.retry)
