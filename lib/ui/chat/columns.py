"""Answers side by side: a column per model, drawn live and then from the conversation."""

import contextlib
from collections.abc import Callable, Sequence
from typing import NamedTuple

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from lib.chat import replies, rounds
from lib.chat.branches import Tree
from lib.chat.conversations import Turn
from lib.chat.reply import ReplyRequest, ReplyState
from lib.core import names
from lib.core.errors import BerthError, NotFound
from lib.engines import find_model, titles
from lib.ui import markdown, models
from lib.ui.chat import answer, control, message_actions
from lib.ui.chat import conversation as chat
from lib.ui.elements import history
from lib.ui.elements.live_reply import live_lane
from lib.ui.elements.message_bar import message_bar
from lib.ui.session import Conversation, conversation, owner

EXPORTS = {"Markdown": "md", "JSON": "json", "CSV": "csv"}
WRITERS = {"md": rounds.as_markdown, "json": rounds.as_json, "csv": rounds.as_csv}


class Column(NamedTuple):
    """One model's answer, or the reply that is to become one."""

    lane: int
    engine: str
    model: str
    turn: Turn | None  # None while it is written
    reply: str  # id of the reply that is or was drawn live; empty where that is long ago

    @property
    def running(self) -> str:
        """The id of the reply that is being written."""
        return "" if self.turn else self.reply


def newest(talk: Conversation) -> str:
    """The round of the replies that were asked for last; empty for one without others beside it."""
    known = {turn["id"]: turn["round"] for turn in talk["turns"]}
    for reply_id in talk["lanes"]:
        request = _request(reply_id) if reply_id not in known else None
        return request.round if request else known.get(reply_id, "")
    return ""


def of(talk: Conversation, turn: Turn) -> str:
    """The round that is drawn in place of this answer; empty for one that stands alone."""
    return turn["round"] if turn["round"] and len(_columns(talk, turn["round"])) > 1 else ""


def begun(talk: Conversation, shown: Sequence[Turn]) -> str:
    """The round under way of which no answer is among the shown turns yet."""
    found = newest(talk) if chat.is_running(talk) else ""
    return "" if any(turn["round"] == found for turn in shown) else found


def draw(talk: Conversation, round_id: str, is_last: bool) -> None:
    """All columns; on a phone one below the other. The live elements come first in time."""
    found = _columns(talk, round_id)
    is_over = all(column.turn for column in found)
    with st.container(key=f"round-{round_id}"):
        cards = [place.container(border=True, height="stretch") for place in st.columns(len(found))]
        places = [
            _live(card, column, talk["id"]) for card, column in zip(cards, found, strict=True)
        ]
        for card, place, column in zip(cards, places, found, strict=True):
            if column.turn:
                is_new = column.turn["id"] in talk["lanes"] and not talk["is_handed_over"]
                with place:
                    answer.text(column.turn, is_new)
                with card:
                    _foot(column.turn, is_over, is_last)
        if is_over:
            _below(talk, [column.turn for column in found if column.turn], is_last)


def _columns(talk: Conversation, round_id: str) -> list[Column]:
    """By their lanes; a reply that is being written takes the place of what it repeats."""
    found = {}
    for turn in rounds.answers(talk["turns"], round_id):
        reply = turn["id"] if turn["id"] in talk["lanes"] else ""
        found[turn["lane"]] = Column(turn["lane"], turn["engine"], turn["model"], turn, reply)
    for reply_id in chat.running(talk):
        request = _request(reply_id)
        if request and request.round == round_id:
            column = Column(request.lane, request.engine, request.model, None, reply_id)
            found[request.lane] = column
    return [found[lane] for lane in sorted(found)]


def _request(reply_id: str) -> ReplyRequest | None:
    with contextlib.suppress(NotFound):
        return replies.find(reply_id, owner()).request
    return None


def _live(card: DeltaGenerator, column: Column, talk_id: str) -> DeltaGenerator:
    """Draw the head and the live element; the place between them is for the answer."""
    with card:
        with st.container(horizontal=True, wrap=False, vertical_alignment="top"):
            called = titles.of(column.engine, column.model)
            st.markdown(f"**{markdown.plain(called)}**", width="stretch")
            _badge(column)
        place = st.container()
        if column.reply:
            live_lane(talk_id, column.lane, column.reply, column.running)
    return place


def _badge(column: Column) -> None:
    """Whether it is preferred; of the newest round else how the model is.

    While it answers the live element says how: a badge would not change with it.
    """
    if column.turn and column.turn["vote"]:
        st.badge("Preferred", icon=":material/thumb_up:", color="green")
    elif column.running:
        st.badge("Asked", color="gray")
    elif column.reply:
        with contextlib.suppress(BerthError):  # the model has been removed
            models.badge(find_model(column.model, column.engine))


def _foot(turn: Turn, is_over: bool, is_last: bool) -> None:
    """Figures, why it failed, and what can be done with it."""
    bar = answer.outcome(turn) or "Nothing was measured"
    message_bar(turn, None, bar, is_cut=False, on_act=message_actions.act)
    answer.problem(turn)
    with st.container(horizontal=True):
        if is_over and is_last and turn["state"] != ReplyState.DONE:  # a retry stops the others
            _button("Retry", ":material/refresh:", control.retry_beside, turn)
        if is_over and turn["content"] and not turn["vote"]:
            _button("Prefer this", ":material/thumb_up:", control.prefer, turn)


def _button(label: str, icon: str, act: Callable[[str], None], turn: Turn) -> None:
    st.button(label, icon=icon, key=f"{label}-{turn['id']}", on_click=act, args=(turn["id"],))


def _below(talk: Conversation, found: Sequence[Turn], is_last: bool) -> None:
    """Where the conversation goes on, the votes so far, and the export."""
    round_id = found[0]["round"]
    with st.container(horizontal=True, vertical_alignment="center"):
        votes = rounds.tally(talk["turns"]) if is_last else []
        said = [_onward(talk, round_id), _votes(votes)]
        st.caption(" ".join(part for part in said if part), width="stretch")
        st.menu_button(
            "Export",
            list(EXPORTS),
            icon=":material/download:",
            type="tertiary",
            key=f"export-{round_id}",
            on_click=_export,
            args=(round_id,),
        )


def _onward(talk: Conversation, round_id: str) -> str:
    turn = next((turn for turn in chat.path(talk) if turn["round"] == round_id), None)
    if turn is None:
        return ""
    called = titles.of(turn["engine"], turn["model"])
    until = "" if turn["vote"] else ", until one is preferred"
    return f"The conversation goes on from the answer of **{markdown.plain(called)}**{until}."


def _votes(votes: Sequence[tuple[str, int]]) -> str:
    """`Preferred so far: mistral 3 · qwen 1.`"""
    each = " · ".join(f"{markdown.plain(titles.of_name(model))} {count}" for model, count in votes)
    return f"Preferred so far: {each}." if each else ""


def _export(round_id: str) -> None:
    """Have the browser save the round as what was chosen."""
    talk = conversation()
    ending = EXPORTS.get(str(st.session_state.get(f"export-{round_id}")), "")
    found = rounds.answers(talk["turns"], round_id) if talk else []
    if talk and found and ending:
        question = Tree(talk["turns"]).get(found[0]["parent"])
        prompt = question["content"] if question else ""
        name = names.slug(talk["title"] or "comparison")
        history.save_file(f"{name}-comparison.{ending}", WRITERS[ending](prompt, found))
