"""Models as rows: what each is, how it does, and what can be done with it."""

import json
import shlex
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import streamlit as st

from lib.core import owner_key, words
from lib.core.access import Action, may, role
from lib.core.errors import NotFound
from lib.core.files import tail
from lib.core.settings import settings
from lib.engines import all_models, engine_of, find_model
from lib.engines.base import Model, State
from lib.fit.kinds import Task
from lib.fleet import actions
from lib.fleet.ledger import NoRoom
from lib.sharing import limits
from lib.slots import job as slot_job
from lib.ui import life, markdown
from lib.ui.session import choose_model, open_details, opened_details
from lib.ui.shell import shown_errors

COLOURS: dict[State, Literal["green", "blue", "red", "gray"]] = {
    State.READY: "green",
    State.STARTING: "blue",
    State.STOPPING: "blue",
    State.DOWNLOADING: "blue",
    State.FAILED: "red",
    State.STOPPED: "gray",
}
READS = {Task.EMBEDDING: "makes vectors (embeddings)", Task.RANKING: "ranks texts (rerank)"}
BUSY = (State.STARTING, State.STOPPING, State.DOWNLOADING)
REFRESH_SECONDS = {True: 1.0, False: 5.0}  # while something changes, and while nothing does
PER_PAGE = 20


def rows(wanted: str) -> None:
    """Every model of every engine whose name has `wanted` in it, kept up to date."""
    is_busy = any(_state(model) in BUSY for model in all_models())
    st.fragment(_rows, run_every=REFRESH_SECONDS[is_busy])(wanted, is_busy)


def _rows(wanted: str, was_busy: bool) -> None:
    every = all_models()
    found = [model for model in every if wanted.lower() in model.name.lower()]
    pages = -(-len(found) // PER_PAGE)
    at = st.pagination(pages, key="models_page") - 1 if pages > 1 else 0
    for model in found[at * PER_PAGE : (at + 1) * PER_PAGE]:
        row(model, with_details=may(Action.CONFIGURE))
    if not found:
        st.caption("No model has this in its name.")
    if any(_state(model) in BUSY for model in every) != was_busy:
        st.rerun()  # the fragment's own rhythm is set by the page


def row(model: Model, with_details: bool = False) -> None:
    """One model: name and facts on the left, state and buttons on the right."""
    key = f"{model.engine}-{model.name}"
    with st.container(border=True, key=f"row-{key}"):
        with st.container(horizontal=True, vertical_alignment="center"):
            with st.container(gap=None, width="stretch"):
                st.markdown(f"**{markdown.plain(model.name)}**")
                st.caption(facts(model))
                if model.activity:
                    st.caption(markdown.plain(model.activity))
            with st.container(horizontal=True, vertical_alignment="center", width="content"):
                _buttons(model, badge(model), key)
                if with_details:
                    _more(key)
        _problem(model, key)
        if with_details and opened_details() == key:
            _details(model, key)


def badge(model: Model) -> State:
    """Draw the model's state, and return it."""
    state = _state(model)
    st.badge(str(state), color=COLOURS[state])
    return state


def _state(model: Model) -> State:
    return State.STARTING if actions.is_starting(model) else model.state


def _more(key: str) -> None:
    is_open = opened_details() == key
    st.button(
        "Less" if is_open else "More",
        type="tertiary",
        key=f"more-{key}",
        on_click=open_details,
        args=("" if is_open else key,),
    )


def facts(model: Model) -> str:
    """`491 MB · Q4_K_M · context 8,192 · 655 MiB in memory · Built-in engine`."""
    parts = [
        words.disk(model.size_bytes) if model.size_bytes else "",
        model.quantization,
        _context(model),
        f"{words.memory(model.memory_bytes)} in memory" if model.memory_bytes else "",
        _limits(model),
        life.fact(model),
        "" if model.is_elsewhere else engine_of(model).title,
        f"on {model.place}" if model.is_elsewhere else model.place,
    ]
    return " · ".join(part for part in parts if part)


def _limits(model: Model) -> str:
    """What it does instead of answering; "" for what chats."""
    if not model.writes:
        return READS[model.task]
    return "" if model.can_chat else "no chat template"


def _context(model: Model) -> str:
    """Nobody tells it of a model on another machine, at times."""
    context = model.context or model.context_trained
    return "" if context is None and model.is_elsewhere else f"context {context or 0:,}"


def _buttons(model: Model, state: State, key: str) -> None:
    if state == State.READY and model.writes and limits.may_use(role(), model):
        _chat_button(model, key)
    if model.is_elsewhere or not may(Action.RUN):
        return
    if state == State.READY:
        st.button("Stop", key=f"stop-{key}", on_click=_stop, args=(model.name, model.engine))
    elif state in (State.STOPPED, State.FAILED):
        st.button("Start", key=f"start-{key}", on_click=_start, args=(model,))


def _chat_button(model: Model, key: str) -> None:
    if st.button("Chat", icon=":material/chat:", key=f"chat-{key}"):
        choose_model(f"{model.engine}/{model.name}")
        st.switch_page("pages/3_Chat.py")


def _start(model: Model) -> None:
    with shown_errors():
        actions.start_soon(model)


def _restart(model: Model) -> None:
    with shown_errors():
        actions.restart_soon(model)


def _stop(name: str, engine: str) -> None:
    with shown_errors():
        actions.stop(find_model(name, engine))


def _problem(model: Model, key: str) -> None:
    error = actions.failure(model)
    if error:
        st.error(f"**{error.message}** {error.fix}", icon=":material/error:")
        if isinstance(error, NoRoom) and error.would_go:
            life.make_room(model, error, key)
    elif model.problem:
        st.error(model.problem, icon=":material/error:")
    elif model.note:
        st.caption(markdown.plain(model.note))


def _details(model: Model, key: str) -> None:
    st.caption(
        "OpenAI-compatible address of every running model; this one's name goes into `model`."
    )
    st.code(f"{base_url()}/v1", language=None)
    st.code(_snippet(model), language="bash", wrap_lines=True)
    life.panel(model, key)
    if model.log:
        st.caption("What the engine wrote last")
        with st.container(height=220, autoscroll=True, key=f"log-{key}"):
            st.text(tail(Path(model.log), 4_000) or "Nothing yet.")
    if model.is_elsewhere:
        st.caption(f"It runs on {markdown.plain(model.place)}: it is started and stopped there.")
    elif model.remove_with:
        _of_service(model, key)
    else:
        _remove_button(model, key)


def _of_service(model: Model, key: str) -> None:
    """For a model that is root's: its service, files and entries are removed by the script."""
    can_remove = slot_job.can_remove()
    with st.container(horizontal=True):
        _restart_button(model, key)
        if can_remove:
            _remove_button(model, key)
    if not can_remove:
        st.caption("To remove it with its service and files, run this in a terminal.")
        st.code(model.remove_with, language="bash", wrap_lines=True)


def _restart_button(model: Model, key: str) -> None:
    """What its service says is read again."""
    if model.state == State.READY:
        st.button(
            "Restart",
            icon=":material/restart_alt:",
            key=f"restart-{key}",
            on_click=_restart,
            args=(model,),
        )


def _remove_button(model: Model, key: str) -> None:
    if model.stays_at:
        st.caption(f"Its file lies at {markdown.plain(model.stays_at)}; Berth has a link to it.")
    label = _removal(model)
    asked = (model.engine, model.name)
    if st.button(label, icon=":material/delete:", key=f"remove-{key}", on_click=ask, args=asked):
        st.rerun()  # a dialog belongs to the page: a fragment's next tick would close it


def _removal(model: Model) -> str:
    """`Remove (frees 2.0 GB)`; of a link that there is no more than that."""
    if model.stays_at:
        return "Remove the link"
    return f"Remove (frees {_frees(model)})"


def _frees(model: Model) -> str:
    return words.disk(model.size_bytes) if model.size_bytes else "its files"


def base_url() -> str:
    """Scheme, host and port by which this browser reaches Berth."""
    seen = urlsplit(st.context.url or "http://localhost:8501")
    return f"{seen.scheme}://{seen.netloc}"


def _snippet(model: Model) -> str:
    body = {"model": model.name, "messages": [{"role": "user", "content": "Hello"}]}
    path, sent = "chat/completions", json.dumps(body)
    if model.task == Task.EMBEDDING:
        path, sent = "embeddings", json.dumps({"model": model.name, "input": "Hello"})
    elif model.task == Task.RANKING:
        texts = {"query": "Hello", "documents": ["Good day", "Bread"]}
        path, sent = "rerank", json.dumps({"model": model.name, **texts})
    elif not model.can_chat:
        path, sent = "completions", json.dumps({"model": model.name, "prompt": "Once upon"})
    headers = ["-H 'Content-Type: application/json'"]
    if owner_key.is_asked_for():  # read by the shell, so that no list of processes shows it
        file = shlex.quote(str(settings().owner_key))
        headers += [f"-H @<(printf 'Authorization: Bearer %s' \"$(<{file})\")"]
    return " \\\n  ".join([f"curl {base_url()}/v1/{path}", *headers, f"-d '{sent}'"])


def ask(engine: str, name: str) -> None:
    """Remember which model the removal dialog is about."""
    st.session_state["models_removing"] = [engine, name]


def removal() -> None:
    """The dialog that asks once before a model is deleted, where one was asked for."""
    engine, name = st.session_state.get("models_removing") or ("", "")
    if not name:
        return
    try:
        _confirm(find_model(name, engine))
    except NotFound:
        _forget()


def _forget() -> None:
    st.session_state.pop("models_removing", None)


@st.dialog("Remove this model?", on_dismiss=_forget)
def _confirm(model: Model) -> None:
    name = markdown.plain(model.name)
    if model.stays_at:
        st.markdown(f"**{name}** is stopped and Berth's link to it is removed.")
        st.caption(f"Its file stays where it is: {markdown.plain(model.stays_at)}")
    else:
        st.markdown(f"**{name}** is stopped and its files are deleted.")
        if model.remove_with:
            st.markdown("Its service and its entries in LiteLLM and nginx go with it.")
        st.caption(f"Frees {_frees(model)}. To use it again it has to be downloaded again.")
    with st.container(horizontal=True, horizontal_alignment="right"):
        if st.button("Keep", key="keep_model"):
            _forget()
            st.rerun()
        if st.button(_removal(model), type="primary", key="remove_model"):
            with shown_errors():
                _remove(model)


def _remove(model: Model) -> None:
    """At once; what is root's as a job, which is shown."""
    if model.remove_with:
        job = slot_job.removal(model)
        _forget()
        st.switch_page("pages/1_Deploy.py", query_params={"job": job.id})
    actions.remove(model)
    _forget()
    st.rerun()
