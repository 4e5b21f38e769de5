"""Quit Berth, with its models or without them: asked once, with what goes on and what does not."""

from collections.abc import Iterator

import streamlit as st

from lib.core import words
from lib.core.errors import BerthError
from lib.engines import running_models
from lib.fleet import quitting
from lib.jobs import jobs
from lib.requests import running as requests
from lib.sharing import listener
from lib.ui import markdown

ASKED = "quit_asked"  # "models" where they are to be stopped too
FAILED = "quit_failed"
QUIT = "quit_done"
MOST_NAMED = 5


def buttons() -> None:
    """The two ways, and the question."""
    with st.container(horizontal=True):
        st.button("Quit Berth", key="quit", on_click=_ask, args=("Berth",))
        st.button("Stop all models and quit", key="quit_all", on_click=_ask, args=("models",))
    if asked := st.session_state.get(ASKED):
        _confirm(asked == "models")
    if failed := st.session_state.get(FAILED):
        st.error(markdown.plain(failed))
    if going := st.session_state.get(QUIT):
        st.success("Berth has been quit. This page goes on when it is started again.")
        st.session_state[QUIT] = "told"
        if going == "wanted":
            quitting.leave()  # once this is on its way


def consequences(*, stops_models: bool) -> Iterator[str]:
    """What it means now, a sentence each."""
    names = [model.name for model in running_models()]
    yield _about_models(names, stops_models)
    if works := jobs.running():
        count = words.count(len(works), "download or other job", "downloads and other jobs")
        yield f"{count} under way {'goes' if len(works) == 1 else 'go'} on."
    if asked := requests.every():
        count = words.count(len(asked), "reply", "replies")
        yield f"{count} being written {'ends' if len(asked) == 1 else 'end'} where it is now."
    if share := listener.current():
        here = words.count(len(share.pages_by_login), "guest is here", "guests are here")
        yield f"Guests lose access until Berth is started again: {here} now."
    yield "Programs that ask Berth's address get no answer until it is started again."


def _about_models(names: list[str], stops_models: bool) -> str:
    if not names:
        return "No model is running."
    more = len(names) - MOST_NAMED
    shown = [markdown.plain(name) for name in names[:MOST_NAMED]]
    listed = words.listed([*shown, f"{more} more"] if more > 0 else shown)
    if stops_models:
        return f"{listed} {'is' if len(names) == 1 else 'are'} stopped."
    kept = "goes on and keeps its memory" if len(names) == 1 else "go on and keep their memory"
    return f"{listed} {kept}."


@st.dialog("Quit Berth?", on_dismiss=lambda: _ask(""))
def _confirm(stops_models: bool) -> None:
    for sentence in consequences(stops_models=stops_models):
        st.markdown(f"- {sentence}")
    with st.container(horizontal=True):
        label = "Stop all models and quit" if stops_models else "Quit Berth"
        is_wanted = st.button(label, type="primary", key="quit_now")
        is_over = st.button("Cancel", key="quit_cancel")
    if is_wanted:
        _quit(stops_models)
    if is_wanted or is_over:
        _ask("")
        st.rerun()  # the whole page, which ends the dialog


def _ask(what: str) -> None:
    st.session_state[ASKED] = what


def _quit(stops_models: bool) -> None:
    st.session_state.pop(FAILED, None)
    try:
        if stops_models:
            quitting.stop_models()
    except BerthError as error:
        st.session_state[FAILED] = f"{error.message} {error.fix}".strip()
    else:
        st.session_state[QUIT] = "wanted"
