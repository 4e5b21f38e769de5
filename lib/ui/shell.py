"""What every page has around it: title, sidebar, and errors in words."""

import contextlib
from collections.abc import Iterator
from typing import Literal

import streamlit as st
from pydantic import ValidationError
from streamlit.runtime.scriptrunner import get_script_run_ctx

from lib.core import access, words
from lib.core.access import Action, Actor, NotSignedIn, Role
from lib.core.errors import BerthError
from lib.core.settings import ROOT
from lib.engines import all_engines, present_engines
from lib.engines.base import Health
from lib.fleet import notices
from lib.machine.sampler import SAMPLER, machine
from lib.ui import findings, markdown, shared_line
from lib.ui.cards.lines import sidebar_lines
from lib.ui.elements import this_browser
from lib.ui.elements.element import element

LOGO = ROOT / "docs" / "logo.svg"
MARK = ROOT / "docs" / "mark.svg"


def page(title: str, layout: Literal["centered", "wide"] = "wide") -> None:
    """The first line of every page."""
    # Our own icon: a Material one would be fetched from a font server outside.
    st.set_page_config(page_title=f"{title} · Berth", page_icon=str(MARK), layout=layout)
    st.logo(str(LOGO), icon_image=str(MARK), size="large")
    with st.sidebar:
        _status()
        if _role() == Role.GUEST:
            shared_line.guests_own(title)
            # Loads the page again when the owner stops sharing, which then says so.
            element("guest_watch")(key="guest_watch", data={})


def _visitor() -> Actor | None:
    """Who looks at the page that runs in this thread, as the gate told Streamlit."""
    if get_script_run_ctx(suppress_warning=True) is None:
        return None
    told = st.user.to_dict()
    role, who = str(told.get("role")), str(told.get("who"))
    return Actor(Role(role), who) if role in list(Role) else None


access.ask_pages(_visitor)


def _role() -> Role:
    """The visitor's; a page that did not come through the gate ends here."""
    try:
        return access.role()
    except NotSignedIn as error:
        st.error(markdown.error(error))
        st.stop()


@st.fragment(run_every=10)
def _status() -> None:
    """How full the memory is and which engines are up; each graphics card in a line."""
    used, total = SAMPLER.latest().memory_used_bytes, machine().memory_bytes
    text = f"Memory {words.memory(used)} of {words.memory(total)}"
    st.progress(min(used / total, 1.0), text=text)
    stale_figures()
    engines = all_engines()
    lines = [_engine_line(engines[name].title, one) for name, one in present_engines().items()]
    st.caption("  \n".join([*sidebar_lines(), *lines]))
    findings.line()
    shared_line.line()
    if access.may(Action.CONFIGURE) and (found := notices.recent()):
        this_browser.notices([one.model_dump(include={"number", "text"}) for one in found])


def _engine_line(title: str, health: Health) -> str:
    """One that is up has the full mark; of another the word says what the empty one means."""
    if health.up:
        return f"● {title}"
    return f"○ {title} · {'stopped' if health.is_stopped else 'down'}"


def stale_figures() -> None:
    """Says so where the machine could not be looked at for a while."""
    if seconds := SAMPLER.silent_seconds():
        age = words.duration(seconds)
        st.caption(f":orange[:material/warning:] These figures are {age} old: no newer can be had.")


@contextlib.contextmanager
def shown_errors() -> Iterator[None]:
    """Errors meant for people become a box on the page; bugs stay tracebacks."""
    try:
        yield
    except BerthError as error:
        st.error(markdown.error(error), icon=":material/error:")
    except ValidationError as error:
        first = error.errors()[0]
        said, where = first["msg"], ".".join(map(str, first["loc"]))
        st.error(f"**{markdown.plain(said)}** {markdown.plain(f'({where})')}")
