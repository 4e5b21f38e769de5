"""What a model said, as it is drawn below its name: thoughts, text, figures, why it failed."""

import time
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

import streamlit as st

from lib.chat import loops, prompt, schema_check
from lib.chat.blocks import Part, as_json, groups, parts, split
from lib.chat.conversations import Turn
from lib.chat.reply import Figures, ReplyState
from lib.core import words
from lib.ui import markdown
from lib.ui.elements.kept_reply import drawn_blocks, kept_reply

HANDOVER_SECONDS = 0.03  # between two groups: drawn at once they would freeze the browser
DRAWN_KEPT = 200
LOOP = "It repeats itself: stopped"
ENDINGS = {
    ReplyState.STOPPED: "Stopped",
    ReplyState.INTERRUPTED: "Berth was restarted while this reply was written",
}


def text(turn: Turn, is_new: bool) -> None:
    """The reply in groups; while the live copy gives way, one after the other."""
    if turn["reasoning"]:
        with st.container(key=f"thought-{turn['id']}"), st.expander(_thought(turn)):
            st.markdown(markdown.safe(turn["reasoning"]))
    for group in _drawn(_shown(turn)):
        _group(turn, group, is_new)


def live_text(turn: Turn, is_new: bool) -> None:
    """The reply as this page's window has drawn it live, where it has; rich blocks are drawn anew.

    What was thought stays above the first block.
    """
    blocks, found = _parts(_shown(turn))
    if drawn_blocks().get(turn["id"]) != blocks or not (found or turn["reasoning"]):
        text(turn, is_new)
        return
    if turn["reasoning"] and (not found or isinstance(found[0], Group)):
        kept_reply(turn["id"], 0, -1, blocks, with_thought=True)
    for part in found:
        if isinstance(part, Group):
            _group(turn, part, is_new, "-beside")
        else:
            has_thought = bool(turn["reasoning"]) and part.first == 0
            kept_reply(turn["id"], part.first, part.last, blocks, has_thought)


def _shown(turn: Turn) -> str:
    return as_json(turn["content"]) if turn["check"] else turn["content"]


def _group(turn: Turn, group: "Group", is_new: bool, mark: str = "") -> None:
    """Draw it where the live element sees which blocks it has; `mark` says that others stay."""
    with st.container(key=f"block-{turn['id']}-{group.first}-{group.last}{mark}"):
        st.markdown(group.text)
    time.sleep(HANDOVER_SECONDS if is_new else 0)


class Group(NamedTuple):
    """Blocks that are drawn as one, by their numbers; `text` is safe Markdown."""

    first: int
    last: int
    text: str


@lru_cache(maxsize=DRAWN_KEPT)
def _drawn(content: str) -> tuple[Group, ...]:
    """A reply as groups."""
    return tuple(_groups(split(content), 0))


def _groups(blocks: Sequence[str], number: int) -> Iterator[Group]:
    """Blocks, the first of which has this number, as groups."""
    first = number
    for last, group in groups(blocks):
        yield Group(first, number + last, markdown.safe(group))
        first = number + last + 1


@lru_cache(maxsize=DRAWN_KEPT)
def _parts(content: str) -> tuple[int, tuple[Group | Part, ...]]:
    """Of how many blocks a reply is; as parts that stay as they are, and groups to be drawn."""
    blocks, found = split(content), list[Group | Part]()
    for part in parts(blocks):
        if part.is_rich:
            found += _groups(blocks[part.first : part.last + 1], part.first)
        else:
            found.append(part)
    return len(blocks), tuple(found)


def _thought(turn: Turn) -> str:
    seconds = Figures.model_validate(turn["figures"]).reasoning_seconds
    return f"Thought for {words.duration(seconds)}" if seconds is not None else "Thinking"


def outcome(turn: Turn) -> str:
    """How it ended, where that was not well, and the figures."""
    figures = Figures.model_validate(turn["figures"])
    is_loop = figures.finish_reason == loops.REPEATS
    ending = LOOP if is_loop else ENDINGS.get(ReplyState(turn["state"]), "")
    line = figures_line(figures)
    return " · ".join(part for part in (ending, line) if part)


def can_go_on(turn: Turn) -> bool:
    """Is there more to come of it: cut at its limit, stopped, or broken off in the middle?"""
    is_cut = Figures.model_validate(turn["figures"]).finish_reason == "length"
    return bool(turn["content"]) and (is_cut or turn["state"] != ReplyState.DONE)


def is_to_be_retried(turn: Turn) -> bool:
    """Did it fail, or end before there was anything to go on from?"""
    is_bad = turn["state"] != ReplyState.DONE
    return turn["state"] == ReplyState.FAILED or (is_bad and not turn["content"])


def problem(turn: Turn) -> None:
    """What is wrong with it: no words, not what the schema asks for, or why it failed."""
    if why := prompt.silence(turn):
        st.caption(why)
    if turn["check"] == schema_check.OK:
        st.caption(":material/check: Matches the schema")
    elif turn["check"] == schema_check.UNFINISHED:
        st.caption("Not held against the schema: it was not finished")
    elif turn["check"]:
        st.warning(f"**Does not match the schema.** {markdown.plain(turn['check'])}")
    if turn["problem"]:
        said = f"{turn['problem']['message']} {turn['problem']['fix']}".strip()
        st.error(markdown.plain(said))


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
    if figures.unseen_images:
        pictures = words.count(figures.unseen_images, "picture")
        parts.append(f"{pictures} left out, because this model cannot see")
    return " · ".join(parts)
