"""The log as a table: each request, or sums by day, key and model; and both as files."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any, Literal

import streamlit as st

from lib.core import words
from lib.core.access import carried
from lib.requests import content, counts, export, log
from lib.requests.counts import Count
from lib.requests.export import Format, What
from lib.requests.log import Filter, Row
from lib.ui import markdown
from lib.ui.requests import choice, texts

LOOK_SECONDS = 10.0
ON_A_PAGE = 50
OPENED = "requests_opened"  # the number of the line whose details are shown
LONG, TEXT_HEIGHT = 600, 240  # characters; pixels
EACH, SUMS = "Each request", "By day"
VIEW = "requests_view"


def section() -> None:
    """Looks by itself, so that what ends is seen."""
    st.header("Log")
    _section()


@st.fragment(run_every=LOOK_SECONDS)
def _section() -> None:
    if not choice.is_anything():
        st.caption("Nothing was asked yet. Each request stands here when it is over.")
        return
    chosen = choice.fields()
    view = st.segmented_control(
        "What to show", [EACH, SUMS], default=EACH, key=VIEW, label_visibility="collapsed"
    )
    if view == SUMS:
        _sums(chosen)
    else:
        _each(chosen)
    _downloads(What.COUNTS if view == SUMS else What.LOG, chosen)


def _each(chosen: Filter) -> None:
    found = log.page(chosen, choice.before(), ON_A_PAGE + 1)
    rows = found[:ON_A_PAGE]
    if not rows:
        st.caption("No request of this choice.")
    else:
        _table(rows)
    _pages(rows, has_more=len(found) > ON_A_PAGE)
    _details(rows)


def _table(rows: Sequence[Row]) -> None:
    """Its key changes with what it shows, so that no other line looks chosen afterwards."""
    key = f"requests_table_{rows[0].number}_{len(rows)}"
    st.dataframe(
        [_cells(row) for row in rows],
        hide_index=True,
        key=key,
        on_select=partial(_open, key, [row.number for row in rows]),
        selection_mode="single-row",
        column_config={
            "Status": st.column_config.TextColumn(width=112),
            "Prompt": st.column_config.NumberColumn(format="localized", help="Tokens read"),
            "Reply": st.column_config.NumberColumn(format="localized", help="Tokens written"),
            "First token": st.column_config.TextColumn(help="How long the first one took"),
        },
        alt="The log of requests",
    )


def _cells(row: Row) -> dict[str, Any]:
    return {
        "Time": datetime.fromtimestamp(row.at).strftime("%d %b %H:%M:%S"),
        "Status": texts.ended(row),
        "Model": row.model,
        "Who": texts.who(row.who, row.key, row.route),
        "Prompt": row.prompt or None,  # its length was not told: no prompt has none
        "Reply": row.reply,
        "First token": "" if row.first is None else words.duration(row.first),
        "Duration": words.duration(row.seconds),
        "Way": texts.route(row.route),
        "Error": row.code,
    }


def _open(key: str, numbers: Sequence[int]) -> None:
    chosen = st.session_state[key]["selection"]["rows"]
    st.session_state[OPENED] = numbers[chosen[0]] if chosen else 0


def _pages(rows: Sequence[Row], *, has_more: bool) -> None:
    """The way to what is older, and back."""
    is_first = choice.before() is None
    if is_first and not has_more:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button("Newest", key="requests_newest", disabled=is_first, on_click=choice.newest)
        st.button("Newer", key="requests_newer", disabled=is_first, on_click=choice.newer)
        last = rows[-1].number if rows else 0
        st.button(
            "Older",
            key="requests_older",
            disabled=not has_more,
            on_click=choice.older,
            args=(last,),
        )


def _details(rows: Sequence[Row]) -> None:
    """Of the line that was chosen: all that is known."""
    found = [row for row in rows if row.number == st.session_state.get(OPENED)]
    for row in found:
        with st.container(border=True):
            st.markdown(f"**{markdown.plain(row.model or row.route)}** · {_said_whole(row)}")
            kept = content.of(row.id)
            if kept is None:
                st.caption("What was asked and answered is not kept.")
                return
            _words("Asked", kept.asked)
            _words("Answered", kept.answered)


def _words(title: str, text: str) -> None:
    """To the letter: nothing in it is drawn or fetched."""
    st.caption(title if text else f"{title}: nothing.")
    if text:
        height: int | Literal["content"] = TEXT_HEIGHT if len(text) > LONG else "content"
        st.code(text, language=None, wrap_lines=True, height=height)


def _said_whole(row: Row) -> str:
    moment = datetime.fromtimestamp(row.at).strftime("%d %B %Y %H:%M:%S")
    told = [moment, texts.who(row.who, row.key, row.route), texts.route(row.route)]
    told += [f"{texts.ended(row)} {row.code}".strip()]
    read = f"{row.prompt:,} tokens read, " if row.prompt else ""
    told.append(f"{read}{words.count(row.reply, 'token')} written")
    told.append(f"took {words.duration(row.seconds)}")
    return markdown.plain(" · ".join(told))


def _sums(chosen: Filter) -> None:
    found = counts.by_day(chosen)
    if not found:
        st.caption("No request of this choice.")
        return
    st.dataframe(
        [_sum_cells(one) for one in found],
        hide_index=True,
        key="requests_sums",
        column_config={
            "Not done": st.column_config.NumberColumn(help="Failed, left by the client, stopped"),
            "Prompt": st.column_config.NumberColumn(format="localized", help="Tokens read"),
            "Reply": st.column_config.NumberColumn(format="localized", help="Tokens written"),
        },
        alt="Requests by day, key and model",
    )


def _sum_cells(one: Count) -> dict[str, Any]:
    return {
        "Day": one.day,
        "Model": one.model or "none",
        "Who": texts.sender((one.key, one.who)),
        "Requests": one.requests,
        "Not done": one.unfinished,
        "Prompt": one.prompt,
        "Reply": one.reply,
    }


def _downloads(what: What, chosen: Filter) -> None:
    """All of the choice, not only the shown page; made when it is asked for."""
    with st.container(horizontal=True, vertical_alignment="center"):
        for form in Format:
            st.download_button(
                f"Download {form.upper()}",
                carried(partial(_made, what, form, chosen)),
                file_name=export.file_name(what, form, datetime.now()),
                mime=form.media_type,
                icon=":material/download:",
                on_click="ignore",
                key=f"requests_download_{form}",
            )


def _made(what: What, form: Format, chosen: Filter) -> str:
    return "".join(export.pieces(what, form, chosen))
