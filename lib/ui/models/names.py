"""What a model is called on a page, and where the owner calls it otherwise."""

import streamlit as st

from lib.core.errors import BerthError
from lib.engines import all_models, titles
from lib.engines.base import Model
from lib.ui import markdown

PROBLEM = "models_name_problem"


def name(model: Model) -> str:
    """**Qwen2.5 Coder 0.5B Instruct** and, in grey, the name that programs use."""
    called = f"**{markdown.plain(model.called)}**"
    return f"{called} :small[:gray[{markdown.plain(model.name)}]]" if model.title else called


def field(model: Model, key: str) -> None:
    """For the owner: another name, or none of his own."""
    place = f"name-{key}"
    given = titles.given(model.key)
    with (
        st.form(f"form-{place}", border=False),
        st.container(horizontal=True, vertical_alignment="bottom"),
    ):
        st.text_input(
            "Name",
            value=given,
            placeholder=model.called,
            key=place,
            max_chars=titles.LONGEST,
            autocomplete="off",
            help=f"What people read. Programs may use it too; `{markdown.plain(model.name)}` goes "
            "on to work. Empty, it is called as its file says.",
        )
        st.form_submit_button(
            "Rename", key=f"rename-{place}", on_click=_rename, args=(model, place)
        )
    problem = st.session_state.get(PROBLEM) or {}
    if problem.get("of") == place:
        st.error(markdown.plain(problem["said"]))


def _rename(model: Model, place: str) -> None:
    st.session_state.pop(PROBLEM, None)
    try:
        titles.rename(model, str(st.session_state.get(place) or ""), all_models())
    except BerthError as error:
        st.session_state[PROBLEM] = {"of": place, "said": str(error)}
