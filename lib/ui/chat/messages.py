"""The messages of a conversation: what was said, and the reply that is being written."""

import base64

import streamlit as st

from lib.chat.branches import Tree
from lib.chat.conversations import File, Turn
from lib.core import words
from lib.engines import titles
from lib.ui import markdown
from lib.ui.chat import answer, columns, control, conversation, message_actions
from lib.ui.chat.context_meter import ways_out
from lib.ui.chat.conversation import Offer
from lib.ui.elements.asked import USER_AVATAR, asked
from lib.ui.elements.element import styled
from lib.ui.elements.live_reply import MODEL_AVATAR, live_reply
from lib.ui.elements.message_bar import message_bar
from lib.ui.session import Conversation

SHOWN_MESSAGES = 30
SHOWN_CHARACTERS = 60_000
LEAST_SHOWN = 4
UNFOLDED_AT_ONCE = 40
AWAITED_PIXELS = 240


def messages(talk: Conversation, offered: Offer) -> None:
    """The newest messages of the shown branch, and the reply that is being written.

    `offered` says whether this page's own socket takes a question.

    The live element comes first in time, though below: it stays while the messages above it grow.
    """
    above, below = st.container(), st.container()
    running = conversation.running(talk)
    alone = [] if columns.newest(talk) else talk["lanes"]
    with below:
        asked(talk["id"], offered.token, offered.is_ready, is_empty=not talk["turns"])
        live_reply(talk["id"], "".join(alone), "".join(each for each in alone if each in running))
    with above:
        styled("message_bar")
        styled("kept_reply")
        if talk["is_awaited"]:
            st.skeleton(height=AWAITED_PIXELS)
        tree = Tree(talk["turns"])
        turns = tree.path(talk["leaf"])
        if running and turns and turns[-1]["id"] == talk["replaced"]:
            turns.pop()
        folded = _folded(turns, talk["unfolded"])
        _unfold_button(talk, folded)
        for turn in turns[folded:]:
            if side_by_side := columns.of(talk, turn):
                columns.draw(talk, side_by_side, is_last=turn is turns[-1])
            else:
                is_new = turn["id"] in talk["lanes"] and not talk["is_handed_over"]
                _message(turn, tree, is_new, is_last=turn is turns[-1])
        if begun := columns.begun(talk, turns):
            columns.draw(talk, begun, is_last=True)
        _undo_button(talk)
    talk["is_handed_over"] = not running


def _folded(turns: list[Turn], unfolded: int) -> int:
    """How many of the first messages are not drawn: a page of all would be slow."""
    room = SHOWN_CHARACTERS
    for shown, turn in enumerate(reversed(turns)):
        room -= len(turn["content"]) + len(turn["reasoning"])
        if shown >= LEAST_SHOWN and (shown >= SHOWN_MESSAGES or room < 0):
            return max(0, len(turns) - shown - unfolded)
    return 0


def _unfold_button(talk: Conversation, folded: int) -> None:
    if folded:
        more = min(folded, UNFOLDED_AT_ONCE)
        st.button(
            f"Show {words.count(more, 'earlier message')} of {folded:,}",
            key="chat_unfold",
            icon=":material/expand_less:",
            on_click=conversation.unfold,
            args=(more,),
            width="stretch",
        )


def _undo_button(talk: Conversation) -> None:
    if talk["deleted"]:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption("Question and answer deleted.")
            st.button("Undo", key="chat_undo", on_click=control.undelete)


def _message(turn: Turn, tree: Tree, is_new: bool, is_last: bool) -> None:
    if turn["role"] == "user":
        with (
            st.chat_message("user", avatar=USER_AVATAR),
            st.container(key=f"question-{turn['id']}"),
        ):
            for file in turn["files"]:
                _file(file)
            st.text(turn["content"])
            line = _passed_over(turn, tree)
            message_bar(turn, tree, line, is_cut=False, on_act=message_actions.act)
    else:
        with st.chat_message("assistant", avatar=MODEL_AVATAR):
            answer.live_text(turn, is_new)
            _foot(turn, tree, is_last)


def _passed_over(turn: Turn, tree: Tree) -> str:
    """That more was said on another branch: whoever answers again or edits sees it no more."""
    version, later = tree.passed_over(turn)
    if not later:
        return ""
    follow = "follows" if later == 1 else "follow"
    return f"{words.count(later, 'later message')} {follow} version {version}"


def _file(file: File) -> None:
    """What was sent with a question: an image as it is, a text folded."""
    if file["image"]:
        st.image(base64.b64decode(file["image"].partition(",")[2]), caption=file["name"], width=320)
        return
    with st.expander(f"{markdown.plain(file['name'])} · {words.count(file['tokens'], 'token')}"):
        st.code(file["text"], language=None, height=300)


def _foot(turn: Turn, tree: Tree, is_last: bool) -> None:
    """Figures and actions, and for a reply that did not end well: why, and Retry."""
    model = titles.of(turn["engine"], turn["model"])
    said = (answer.outcome(turn), model, _passed_over(turn, tree))
    line = " · ".join(part for part in said if part)
    can_go_on = is_last and answer.can_go_on(turn)
    is_retried = is_last and answer.is_to_be_retried(turn)
    message_bar(turn, tree, line, can_go_on, message_actions.act, is_retried)
    answer.problem(turn)
    if is_last and turn["problem"]:
        ways_out(turn["problem"])
    if is_retried:
        st.button("Retry", icon=":material/refresh:", key="chat_retry", on_click=control.retry)
