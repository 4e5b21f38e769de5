"""The messages of a conversation: what was said, and the reply that is being written."""

import base64
import time
from functools import lru_cache

import streamlit as st

from lib import schema_check, words
from lib.blocks import groups, split
from lib.branches import Tree
from lib.conversations import File, Turn
from lib.replies import Figures, ReplyState
from lib.ui import conversation, markdown
from lib.ui.context_meter import ways_out
from lib.ui.element import styled
from lib.ui.live_reply import MODEL_AVATAR, live_reply
from lib.ui.message_bar import message_bar
from lib.ui.session import Conversation

HANDOVER_SECONDS = 0.03  # between two groups: drawn at once they would freeze the browser
SHOWN_MESSAGES = 30
SHOWN_CHARACTERS = 60_000
LEAST_SHOWN = 2
UNFOLDED_AT_ONCE = 40
DRAWN_KEPT = 200
AWAITED_PIXELS = 240
USER_AVATAR = ":material/person:"
ENDINGS = {
    ReplyState.STOPPED: "Stopped",
    ReplyState.INTERRUPTED: "Berth was restarted while this reply was written",
}


def messages(talk: Conversation) -> None:
    """The newest messages of the shown branch, and the reply that is being written.

    The live element comes first in time, though below: it stays while the messages above it grow.
    """
    above, below = st.container(), st.container()
    running = conversation.running(talk)
    with below:
        live_reply(talk["id"], "".join(talk["lanes"][:1]), "".join(running[:1]))
    with above:
        styled("message_bar")
        if talk["is_awaited"]:
            st.skeleton(height=AWAITED_PIXELS)
        tree = Tree(talk["turns"])
        turns = tree.path(talk["leaf"])
        if running and turns and turns[-1]["id"] == talk["replaced"]:
            turns.pop()
        folded = _folded(turns, talk["unfolded"])
        _unfold_button(talk, folded)
        for turn in turns[folded:]:
            is_new = turn["id"] in talk["lanes"] and not talk["is_handed_over"]
            _message(turn, tree, is_new, is_last=turn is turns[-1])
        _undo_button(talk)
    talk["is_handed_over"] = not running


def _folded(turns: list[Turn], unfolded: int) -> int:
    """How many of the first messages are not drawn: a page of all would be slow."""
    room = SHOWN_CHARACTERS
    for number, turn in enumerate(reversed(turns), start=1):
        room -= len(turn["content"]) + len(turn["reasoning"])
        is_enough = number > SHOWN_MESSAGES or room < 0
        if is_enough and number > LEAST_SHOWN + unfolded:
            return len(turns) - number + 1
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
            st.button("Undo", key="chat_undo", on_click=conversation.undelete)


def _message(turn: Turn, tree: Tree, is_new: bool, is_last: bool) -> None:
    if turn["role"] == "user":
        with st.chat_message("user", avatar=USER_AVATAR):
            for file in turn["files"]:
                _file(file)
            st.text(turn["content"])
            message_bar(turn, tree, line="", is_cut=False)
    else:
        with st.chat_message("assistant", avatar=MODEL_AVATAR):
            _text(turn, HANDOVER_SECONDS if is_new else 0)
            _foot(turn, tree, is_last)


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
    for last, text in _drawn(turn["content"]):
        with st.container(key=f"block-{turn['id']}-{last}"):
            st.markdown(text)
        time.sleep(pause_seconds)


@lru_cache(maxsize=DRAWN_KEPT)
def _drawn(text: str) -> tuple[tuple[int, str], ...]:
    """A reply as groups of safe Markdown, each with the number of its last block."""
    return tuple((last, markdown.safe(group)) for last, group in groups(split(text)))


def _thought(turn: Turn) -> str:
    seconds = Figures.model_validate(turn["figures"]).reasoning_seconds
    return f"Thought for {words.duration(seconds)}" if seconds is not None else "Thinking"


def _foot(turn: Turn, tree: Tree, is_last: bool) -> None:
    """Figures and actions, and for a reply that did not end well: why, and Retry."""
    state, figures = ReplyState(turn["state"]), Figures.model_validate(turn["figures"])
    line = (ENDINGS.get(state, ""), figures_line(figures), turn["model"])
    is_cut = is_last and figures.finish_reason == "length"
    message_bar(turn, tree, " · ".join(part for part in line if part), is_cut)
    _schema_result(turn["check"])
    if turn["problem"]:
        problem = f"{turn['problem']['message']} {turn['problem']['fix']}".strip()
        st.error(markdown.safe(problem))
        if is_last:
            ways_out(turn["problem"])
    if is_last and state != ReplyState.DONE:
        st.button("Retry", icon=":material/refresh:", key="chat_retry", on_click=conversation.retry)


def _schema_result(found: str) -> None:
    """Whether a reply is what the conversation's JSON schema asks for."""
    if found == schema_check.OK:
        st.caption(":material/check: Matches the schema")
    elif found:
        st.warning(f"**Does not match the schema.** {markdown.plain(found)}")


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
