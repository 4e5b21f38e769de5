"""The question before models are removed: what goes, and how many bytes come back."""

from collections.abc import Sequence

import streamlit as st

from lib.core import words
from lib.core.errors import NotFound
from lib.engines import all_models, find_model, ollama
from lib.engines.base import Model
from lib.fleet import actions, removing
from lib.fleet.removals import UNDO_SECONDS
from lib.slots import job as slot_job
from lib.ui import markdown
from lib.ui.models import told
from lib.ui.session import pick_models
from lib.ui.shell import shown_errors

ASKED = "models_removing"
OLLAMA = ollama.ENGINE.name
MOST_NAMED = 10


def ask(*models: Model) -> None:
    """Remember which models the dialog is about."""
    st.session_state[ASKED] = [model.key for model in models]


def removal(can_undo: bool = False) -> None:
    """The dialog that asks once before models are deleted, where it was asked for.

    What `can_undo` is deleted a moment later.
    """
    asked = st.session_state.get(ASKED) or []
    if not asked:
        return
    found = _found(asked)
    if found:
        _confirm(found, can_undo)
    else:
        _forget()


def label(model: Model) -> str:
    """`Remove (frees 2.0 GB)`; of a link, and of what others keep, that its file stays."""
    if model.stays_at:
        return "Take off the list"
    return f"Remove (frees {told.frees(model.size_bytes)})"


def _found(asked: Sequence[str]) -> list[Model]:
    if len(asked) > 1:
        known = {model.key: model for model in all_models()}
        return [known[key] for key in asked if key in known]
    engine, _, name = asked[0].partition("/")
    try:
        return [find_model(name, engine)]
    except NotFound:
        return []


def _forget() -> None:
    st.session_state.pop(ASKED, None)


@st.dialog("Remove this?", on_dismiss=_forget)
def _confirm(models: Sequence[Model], can_undo: bool) -> None:
    if len(models) == 1:
        _about_one(models[0])
    else:
        _about_several(models)
    if can_undo and not models[0].remove_with:
        st.caption(f"For {UNDO_SECONDS:.0f} seconds it can be undone.")
    with st.container(horizontal=True, horizontal_alignment="right"):
        if st.button("Keep", key="keep_model"):
            _forget()
            st.rerun()
        # Red where files go for good (page.css): a link alone is nothing to fear.
        with st.container(key="taking_off" if _only_links(models) else "danger", width="content"):
            is_sure = st.button(_price(models), type="primary", key="remove_model")
        if is_sure:
            with shown_errors():
                _remove(models, can_undo)


def _only_links(models: Sequence[Model]) -> bool:
    return all(model.stays_at for model in models)


def _about_one(model: Model) -> None:
    name = markdown.plain(model.called)
    if model.stays_at:
        st.markdown(f"**{name}** is stopped and taken off the list.")
        st.caption(f"Its file stays where it is: {markdown.plain(model.stays_at)}")
        return
    st.markdown(f"**{name}** is stopped and its files are deleted.")
    if model.remove_with:
        st.markdown("Its service and its entries in LiteLLM and nginx go with it.")
    back = told.frees(model.size_bytes)
    how = (
        "Ollama has to pull it again" if model.engine == OLLAMA else "it has to be downloaded again"
    )
    st.caption(f"Frees {back}. To use it again {how}.")


def _about_several(models: Sequence[Model]) -> None:
    if _only_links(models):
        st.markdown(f"**{len(models)} models** are stopped and taken off the list:")
    else:
        st.markdown(f"**{len(models)} models** are stopped and their files are deleted:")
    named = [f"- {markdown.plain(model.called)}{_at(model)}" for model in models[:MOST_NAMED]]
    more = len(models) - MOST_NAMED
    st.markdown("\n".join([*named, f"- and {more:,} more"] if more > 0 else named))
    if any(model.stays_at for model in models):
        st.caption("Of a link only the link goes; its file stays where it is.")
    if not _only_links(models):
        st.caption("To use them again they have to be downloaded again.")


def _at(model: Model) -> str:
    if model.stays_at:
        return " :gray[· a link]"
    return f" :gray[· {words.disk(model.size_bytes)}]" if model.size_bytes else ""


def _price(models: Sequence[Model]) -> str:
    if len(models) == 1:
        return label(models[0])
    if _only_links(models):
        return f"Take {len(models)} models off the list"
    return f"Remove {len(models)} models (frees {words.disk(sum(m.frees_bytes for m in models))})"


def _remove(models: Sequence[Model], can_undo: bool) -> None:
    """What is root's as a job, which is shown."""
    if models[0].remove_with:
        job = slot_job.removal(models[0])
        _forget()
        st.switch_page("pages/1_Deploy.py", query_params={"job": job.id})
    if can_undo:
        removing.remove_soon(*models)
    else:
        for model in models:
            actions.remove(model)
    _forget()
    pick_models([])
    st.rerun()
