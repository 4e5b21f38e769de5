"""A chart with its title, its newest figures in words, and its place on a desk and on a phone."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import streamlit as st

from lib.core import words

COLOURS = ("primary", "blue", "orange", "violet")  # of the lines, as text knows them
MORE = "More charts"


def panel(title: str, text: str, drawn: dict[str, Any], alt: str, below: str = "") -> None:
    """Title and figures in a line of their own, then the chart, then what would not fit above.

    It keeps its place until the chart's script has come (page.css): `alt` tells it from others.
    """
    with st.container(gap="xxsmall", key=f"panel-{alt}"):
        st.markdown(f"**{title}** {text}")
        st.vega_lite_chart(drawn, alt=alt, width="stretch")
        if below:
            st.markdown(below)


def value(text: str) -> str:
    """The one figure of a chart."""
    return f":small[:gray[{text}]]"


def legend(named: Sequence[tuple[str, str]]) -> str:
    """Of each line its colour, its name and its newest figure."""
    parts = (
        f":{COLOURS[min(number, len(COLOURS) - 1)]}[▬] :small[:gray[{name} {figure}]]"
        for number, (name, figure) in enumerate(named)
    )
    return " ".join(parts)


def rate(bytes_per_second: float | None) -> str:
    """`1.2 MB/s`."""
    return "not told" if bytes_per_second is None else f"{words.disk(bytes_per_second)}/s"


@contextlib.contextmanager
def more() -> Iterator[bool]:
    """What a phone has folded: whether it is open. A folded chart is not made at all."""
    if not is_phone():
        yield True
        return
    with st.expander(MORE, key="system_more", on_change="rerun") as fold:
        yield bool(fold.open)


def is_phone() -> bool:
    """Does the browser say that it is one?"""
    told = st.context.headers
    return told.get("Sec-CH-UA-Mobile") == "?1" or "Mobi" in (told.get("User-Agent") or "")
