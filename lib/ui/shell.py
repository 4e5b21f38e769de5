"""What every page has around it: title, sidebar, and errors in words."""

import contextlib
from collections.abc import Iterator
from typing import Literal

import streamlit as st
from pydantic import ValidationError

from lib import words
from lib.engines import all_engines
from lib.errors import BerthError
from lib.settings import ROOT
from lib.system import SAMPLER, machine

LOGO = ROOT / "docs" / "logo.svg"
MARK = ROOT / "docs" / "mark.svg"


def page(title: str, layout: Literal["centered", "wide"] = "wide") -> None:
    """The first line of every page."""
    # Our own icon: a Material one would be fetched from a font server outside.
    st.set_page_config(page_title=f"{title} · Berth", page_icon=str(MARK), layout=layout)
    st.logo(str(LOGO), icon_image=str(MARK), size="large")
    with st.sidebar:
        _status()


@st.fragment(run_every=10)
def _status() -> None:
    """Two lines: how full the memory is, and which engines are up."""
    used, total = SAMPLER.latest().memory_used_bytes, machine().memory_bytes
    text = f"Memory {words.memory(used)} of {words.memory(total)}"
    st.progress(min(used / total, 1.0), text=text)
    lines = [f"{'●' if e.health().up else '○'} {e.title}" for e in all_engines().values()]
    st.caption("  \n".join(lines))


@contextlib.contextmanager
def shown_errors() -> Iterator[None]:
    """Errors meant for people become a box on the page; bugs stay tracebacks."""
    try:
        yield
    except BerthError as error:
        st.error(f"**{error.message}** {error.fix}", icon=":material/error:")
    except ValidationError as error:
        first = error.errors()[0]
        st.error(f"**{first['msg']}** ({'.'.join(map(str, first['loc']))})")
