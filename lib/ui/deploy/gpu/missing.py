"""What stands in a deployment's way on this machine, line by line, each with what would mend it."""

import re
from collections.abc import Sequence

import streamlit as st

from lib.core import words
from lib.core.access import carried
from lib.core.errors import BerthError
from lib.slots.rehearsal import rehearse
from lib.slots.request import SlotRequest
from lib.ui import markdown
from lib.ui.session import SlotChoices
from lib.ui.waiting import interruptible

_COMMAND = re.compile(r"(.*?)\bRun(?: this in a terminal)?: ((?:(?!, and ).)+)", re.DOTALL)
HEIGHT_PIXELS = 360


def counted(obstacles: Sequence[BerthError], chosen: SlotChoices) -> None:
    """How many there are, then each; what can be done without has a button that leaves it out."""
    if obstacles:
        count = words.count(len(obstacles), "thing stands", "things stand")
        st.markdown(f"**{count} in the way:**")
    lines(obstacles)
    said = " ".join(obstacle.message for obstacle in obstacles)
    with st.container(horizontal=True):
        for name, choice in (("nginx", "with_nginx"), ("LiteLLM", "with_gateway")):
            if name in said:
                key, label = f"slot-{choice}-out", f"Go on without {name}"
                st.button(label, key=key, on_click=_leave_out, args=(chosen.key(choice),))


def _leave_out(key: str) -> None:
    st.session_state[key] = False


def lines(obstacles: Sequence[BerthError]) -> None:
    """Each a line; a command to run stands apart, to be copied."""
    for obstacle in obstacles:
        with st.container(border=True, gap="xsmall"):
            _line(obstacle)


def _line(obstacle: BerthError) -> None:
    before, command = divided(obstacle.fix)
    said = f"**{markdown.plain(obstacle.message)}** {markdown.safe(before)}"
    st.markdown(f":orange[:material/build:] {said}")
    if command:
        st.code(command, language="bash", wrap_lines=True)


def divided(fix: str) -> tuple[str, str]:
    """What to do in words, and the one command that does it; "" where it takes more than one."""
    found = _COMMAND.fullmatch(fix)
    return (found[1].strip(), found[2].strip()) if found else (fix, "")


def rehearsal_button() -> bool:
    """Was it pressed?"""
    label = "Show every file and command"
    return st.button(label, icon=":material/visibility:", key="slot_rehearse")


def rehearsal(wanted: SlotRequest, chosen: SlotChoices, *, is_asked: bool) -> None:
    """Every file and command, where somebody asked for that; nothing is changed by it."""
    key, asked = chosen.key("rehearsal"), wanted.model_dump_json()
    told = st.session_state.get(key) or ["", ""]
    if is_asked:
        with st.spinner("Working out what would be done …", show_time=True):
            told = [asked, interruptible(carried(rehearse), wanted)]
        st.session_state[key] = told
    if told[0] == asked:
        st.caption("What the script would do, step by step. Nothing was changed.")
        st.code(told[1], language=None, wrap_lines=True, height=HEIGHT_PIXELS)
