"""Models as rows: what each is, how it does, and what can be done with it."""

import streamlit as st

from lib.core.access import Action, may, role
from lib.engines.base import Model
from lib.fleet import actions, figures
from lib.fleet.figures import Figures
from lib.fleet.ledger import NoRoom
from lib.sharing import for_guests, limits
from lib.ui import life, markdown
from lib.ui.models import details, doing, names, told
from lib.ui.models.states import COLOURS
from lib.ui.session import open_details, opened_details

ICON = ":material/error:"


def row(model: Model) -> None:
    """One model: name and facts on the left, state and buttons on the right."""
    draw(figures.of_one(model))


def draw(one: Figures, with_details: bool = False) -> None:
    """The same, with its details for whoever may see them."""
    model, key = one.model, details.key_of(one.model)
    is_opened = with_details and opened_details() == key
    with st.container(border=True, key=f"row-{key}"):
        with st.container(horizontal=True, vertical_alignment="center"):
            with st.container(gap=None, width="stretch"):
                st.markdown(_name(one))
                st.caption(f"Removed: {told.goes(one)}." if one.removal else told.facts(one))
                if model.activity and limits.may_use(role(), model):
                    st.caption(markdown.plain(model.activity))
            with st.container(horizontal=True, vertical_alignment="center", width="content"):
                _state(one)
                _buttons(one, key)
                if with_details:
                    _more(key, is_opened)
        if one.removal is None:
            problem(one, key)
        if is_opened:
            details.draw(one)


def _name(one: Figures) -> str:
    name = names.name(one.model)
    return f":gray[**{markdown.plain(one.model.called)}**]" if one.removal else name


def _state(one: Figures) -> None:
    if one.removal:
        st.badge("Removed", color="gray")
    else:
        st.badge(str(one.state), color=COLOURS[one.state])


def _more(key: str, is_opened: bool) -> None:
    st.button(
        "Less" if is_opened else "More",
        type="tertiary",
        key=f"more-{key}",
        on_click=open_details,
        args=("" if is_opened else key,),
    )


def _buttons(one: Figures, key: str) -> None:
    model = one.model
    if one.removal:
        if may(Action.REMOVE):
            icon = ":material/undo:"
            st.button("Undo", key=f"undo-{key}", icon=icon, on_click=doing.undo, args=(model,))
        return
    if doing.can_chat(one) and st.button("Chat", icon=":material/chat:", key=f"chat-{key}"):
        doing.open_chat(model)
    if doing.can_stop(one):
        st.button("Stop", key=f"stop-{key}", on_click=doing.stop, args=(model,))
    elif doing.can_start(one):
        st.button("Start", key=f"start-{key}", on_click=doing.start, args=(model,))


def problem(one: Figures, key: str) -> None:
    """What is wrong with it, and what makes it well."""
    model, error = for_guests.of_model(one.model), actions.failure(one.model)
    if error and not may(Action.RUN):
        st.error(markdown.plain(for_guests.of_error(error)), icon=ICON)
    elif error:
        st.error(markdown.error(error), icon=ICON)
        if isinstance(error, NoRoom) and error.would_go:
            life.make_room(model, error, key)
    elif model.problem:
        st.error(markdown.plain(model.problem), icon=ICON)
    elif model.note:
        st.caption(markdown.plain(model.note))
