"""What runs now, each with a Stop.

A row keeps its place while another below it runs, also when its request is over: a click on Stop
that comes just then must not meet another's.
"""

import time
from typing import TypedDict, cast

import streamlit as st

from lib.core import words
from lib.core.errors import BerthError, NotFound
from lib.requests import running
from lib.requests.running import Running
from lib.ui import markdown
from lib.ui.requests import texts

LOOK_SECONDS = 2.0
GONE_SECONDS = 6.0  # so long, at least, a row is seen that is over
MOST_ROWS, MOST_OVER = 50, 10
ROWS = "requests_rows"
SAID = "requests_said"  # what came of the last Stop


class Line(TypedDict):
    """What is drawn of one request."""

    title: str
    facts: str
    state: str
    over: float  # since when it is, on the monotonic clock; 0 while it runs


def section() -> None:
    """Looks by itself, so that what begins is seen."""
    st.header("Running now")
    _section()


@st.fragment(run_every=LOOK_SECONDS)
def _section() -> None:
    found = running.every()
    lines = _lines(found[:MOST_ROWS])
    with st.container(gap="xsmall"):
        for request_id, line in lines.items():
            _row(request_id, line)
        if len(found) > MOST_ROWS:
            st.caption(f"And {len(found) - MOST_ROWS:,} more.")
        if not lines:
            st.caption("Nothing is being answered. What programs and chats ask appears here.")
    if said := st.session_state.get(SAID):
        st.warning(markdown.plain(said))


def _lines(found: list[Running]) -> dict[str, Line]:
    """Those that were drawn before, in their places, then what is new."""
    now = time.monotonic()
    before = cast("dict[str, Line]", st.session_state.get(ROWS, {}))
    lines = {name: _over(line, now) for name, line in before.items()}
    lines |= {one.id: _line(one) for one in found}
    kept = _without_stale(lines, now)
    st.session_state[ROWS] = kept
    return kept


def _over(line: Line, now: float) -> Line:
    return {**line, "over": line["over"] or now}


def _without_stale(lines: dict[str, Line], now: float) -> dict[str, Line]:
    """Without those that were seen long enough, as far as nothing that runs would move."""
    kept: list[tuple[str, Line]] = []
    room, runs_below = MOST_OVER, False
    for name, line in reversed(lines.items()):
        if not line["over"]:
            runs_below = True
        elif room and (runs_below or now - line["over"] < GONE_SECONDS):
            room -= 1
        else:
            continue
        kept.append((name, line))
    return dict(reversed(kept))


def _line(one: Running) -> Line:
    """Who wants what, and how far it is."""
    who = markdown.plain(texts.who(one.who, one.key, one.route))
    facts = [markdown.plain(texts.route(one.route)), f"for {words.duration(max(1, one.seconds))}"]
    if one.tokens:
        facts.append(words.count(one.tokens, "token"))
    if one.first is not None:
        facts.append(f"first token after {words.duration(one.first)}")
    title = f"**{markdown.plain(one.model)}** · {who}"
    return Line(title=title, facts=" · ".join(facts), state=one.state, over=0.0)


def _row(request_id: str, line: Line) -> None:
    """Who wants what on the left, where it is and Stop on the right."""
    is_over = bool(line["over"])
    word, colour = texts.OVER if is_over else texts.STATES[running.State(line["state"])]
    with (
        st.container(border=True, key=f"row-request-{request_id}"),
        st.container(horizontal=True, vertical_alignment="center"),
    ):
        with st.container(gap=None, width="stretch"):
            st.markdown(f":gray[{line['title']}]" if is_over else line["title"])
            st.caption(line["facts"])
        with st.container(horizontal=True, vertical_alignment="center", width="content"):
            st.badge(word, color=colour)
            st.button(
                "Stop",
                key=f"request-stop-{request_id}",
                icon=":material/stop_circle:",
                on_click=_stop,
                args=(request_id,),
                disabled=is_over,
                help="Its client gets an error at once, and the engine’s work for it ends.",
            )


def _stop(request_id: str) -> None:
    st.session_state[SAID] = ""
    try:
        running.stop(request_id)
    except NotFound:
        st.session_state[SAID] = "That request had ended already."
    except BerthError as error:
        st.session_state[SAID] = f"{error.message} {error.fix}"
