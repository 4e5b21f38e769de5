"""What a model said, as it is drawn below its name: thoughts, text, figures, why it failed."""

import time
from functools import lru_cache

import streamlit as st

from lib.chat import prompt, schema_check
from lib.chat.blocks import as_json, groups, split
from lib.chat.conversations import Turn
from lib.chat.reply import Figures, ReplyState
from lib.core import words
from lib.ui import markdown

HANDOVER_SECONDS = 0.03  # between two groups: drawn at once they would freeze the browser
DRAWN_KEPT = 200
ENDINGS = {
    ReplyState.STOPPED: "Stopped",
    ReplyState.INTERRUPTED: "Berth was restarted while this reply was written",
}


def text(turn: Turn, is_new: bool) -> None:
    """The reply in groups; while the live copy gives way, one after the other."""
    if turn["reasoning"]:
        with st.container(key=f"thought-{turn['id']}"), st.expander(_thought(turn)):
            st.markdown(markdown.safe(turn["reasoning"]))
    content = as_json(turn["content"]) if turn["check"] else turn["content"]
    for last, group in _drawn(content):
        with st.container(key=f"block-{turn['id']}-{last}"):
            st.markdown(group)
        time.sleep(HANDOVER_SECONDS if is_new else 0)


@lru_cache(maxsize=DRAWN_KEPT)
def _drawn(content: str) -> tuple[tuple[int, str], ...]:
    """A reply as groups of safe Markdown, each with the number of its last block."""
    return tuple((last, markdown.safe(group)) for last, group in groups(split(content)))


def _thought(turn: Turn) -> str:
    seconds = Figures.model_validate(turn["figures"]).reasoning_seconds
    return f"Thought for {words.duration(seconds)}" if seconds is not None else "Thinking"


def outcome(turn: Turn) -> str:
    """How it ended, where that was not well, and the figures."""
    ending = ENDINGS.get(ReplyState(turn["state"]), "")
    line = figures_line(Figures.model_validate(turn["figures"]))
    return " · ".join(part for part in (ending, line) if part)


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
