"""The details of one model: how it is asked, what it is, what happened to it, what it wrote."""

import time
from functools import lru_cache
from pathlib import Path

import streamlit as st

from lib.core import activity, database, words
from lib.core.activity import Event
from lib.core.errors import BadInput, BerthError
from lib.core.files import tail
from lib.core.names import repo_name
from lib.core.settings import settings
from lib.engines.base import Model, StartOptions
from lib.fleet import contents, ledger
from lib.fleet.contents import Part
from lib.fleet.figures import Figures
from lib.slots import job as slot_job
from lib.ui import life, markdown
from lib.ui.models import asking, doing, endpoints_view, told

ENDPOINTS, ABOUT, FILES, HISTORY, LOG = "Endpoints", "About", "Files", "History", "Log"
LOG_BYTES = 4_000
EVENTS = 30
KEPT_SECONDS = 10  # of what is read from headers
MOST_LINES, TALLEST = 16, 320  # of a template, and pixels for a longer one


def key_of(model: Model) -> str:
    """What the keys of its widgets end in."""
    return f"{model.engine}-{model.name}"


def draw(one: Figures) -> None:
    """One section at a time: what is not looked at costs nothing."""
    model, key = one.model, key_of(one.model)
    sections = [ENDPOINTS, ABOUT, FILES, HISTORY, *([LOG] if model.log else [])]
    chosen = st.segmented_control(
        "Details",
        sections,
        default=ENDPOINTS,
        required=True,
        key=f"section-{key}",
        label_visibility="collapsed",
    )
    if chosen == ENDPOINTS:
        endpoints_view.section(model, key)
    elif chosen == ABOUT:
        _about(one)
    elif chosen == FILES:
        _files(model)
    elif chosen == HISTORY:
        _history(model)
    else:
        _log(model, key)
    if one.removal is None:
        life.panel(model, key)
        _end(one, key)


def _about(one: Figures) -> None:
    lines = [f":gray[{name}:] {said}" for name, said in _facts(one) if said]
    st.markdown("  \n".join(lines))
    template = _looked_up(one.model)[0]
    if template:
        with st.expander("Chat template"):
            is_long = template.count("\n") > MOST_LINES
            st.code(
                template,
                language="jinja2",
                wrap_lines=True,
                height=TALLEST if is_long else "content",
            )
    elif one.model.writes:
        st.caption("Its engine tells of no chat template.")


def _facts(one: Figures) -> list[tuple[str, str]]:
    model = one.model
    trained, loaded = model.context_trained, model.context
    taken, expected = told.memory(one)
    return [
        ("Source", _source(model)),
        ("Engine", markdown.plain(told.where(model))),
        ("Does", told.limits(model) or "chats"),
        ("Sees images", "yes" if model.can_see else "no"),
        ("Quantization", markdown.plain(model.quantization)),
        ("On disk", words.disk(model.size_bytes) if model.size_bytes else ""),
        ("Context trained", f"{trained:,} tokens" if trained else ""),
        ("Context loaded", f"{loaded:,} tokens" if loaded else ""),
        ("Memory", " · ".join(part for part in (taken, expected, _looked_up(model)[1]) if part)),
        ("Speed", f"{told.speed(one)} tok/s when it answered last" if one.speed else ""),
        ("Last used", words.ago(one.used_at) if one.used_at else ""),
    ]


def _looked_up(model: Model) -> tuple[str, str]:
    """Its chat template, and what a start would take; a fragment's every tick need not look."""
    mark = [key_of(model), str(model.state), int(time.monotonic() // KEPT_SECONDS)]
    kept = st.session_state.get("models_about") or {}
    if kept.get("of") != mark:
        kept = {"of": mark, "template": contents.template(model), "needs": _needs(model)}
        st.session_state["models_about"] = kept
    return kept["template"], kept["needs"]


def _needs(model: Model) -> str:
    """What it would take now, by its header: read for this one alone."""
    try:
        is_able = not (model.is_elsewhere or model.problem)
        needed = ledger.needed_bytes(model, StartOptions()) if is_able else 0
    except BerthError:
        return ""
    return f"starting it takes about {words.memory(needed)}" if needed else ""


def _source(model: Model) -> str:
    """A repository with a link to it."""
    source = model.source
    try:
        is_repository = bool(repo_name(source)) and not source.lower().endswith(".gguf")
    except BadInput:
        is_repository = False
    if not is_repository or model.is_elsewhere:
        return markdown.plain(model.stays_at or source)
    return f"[{markdown.plain(source)}]({settings().hf_endpoint}/{source})"


def _files(model: Model) -> None:
    found = contents.parts(model)
    for part in found:
        st.markdown(_file(part))
    if model.stays_at:
        st.caption(f"Its file lies at {markdown.plain(model.stays_at)}; Berth has a link to it.")
    elif not found:
        st.caption(f"{markdown.plain(told.where(model))} keeps its files itself.")


def _file(part: Part) -> str:
    what = f" · {part.what}" if part.what else ""
    size = words.disk(part.bytes).replace(" ", "\u00a0")
    link = f" → {markdown.plain(part.leads_to)}" if part.leads_to else ""
    return f"{markdown.plain(part.path)}{link} :gray[{size}{what}]"


@lru_cache(maxsize=16)
def _events(_version: tuple[int, int], name: str) -> list[Event]:
    """Read again only when something was written."""
    return activity.about(name, EVENTS)


def _history(model: Model) -> None:
    found = _events(database.version(), model.name)
    for event in found:
        by = f" by {event.who}" if event.who else ""
        detail = f": {markdown.plain(event.detail)}" if event.detail else ""
        said = f"{str(event.kind).capitalize()}{by}{detail}"
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(said)
            st.caption(words.ago(event.at), width="content")
    if not found:
        st.caption("Nothing has happened to it in 30 days.")


def _log(model: Model, key: str) -> None:
    st.caption("What the engine wrote last")
    with st.container(height=220, autoscroll=True, key=f"log-{key}"):
        st.text(tail(Path(model.log), LOG_BYTES) or "Nothing yet.")


def _end(one: Figures, key: str) -> None:
    """Restart and remove."""
    model = one.model
    if model.is_elsewhere:
        st.caption(f"It runs on {markdown.plain(model.place)}: it is started and stopped there.")
        return
    can_remove = not model.remove_with or slot_job.can_remove()
    with st.container(horizontal=True):
        if doing.can_restart(one):
            icon = ":material/restart_alt:"
            asked = (model,)
            st.button(
                "Restart", icon=icon, key=f"restart-{key}", on_click=doing.restart, args=asked
            )
        if can_remove:
            _remove_button(model, key)
    if not can_remove:
        st.caption("To remove it with its service and files, run this in a terminal.")
        st.code(model.remove_with, language="bash", wrap_lines=True)


def _remove_button(model: Model, key: str) -> None:
    asked, icon = (model.engine, model.name), ":material/delete:"
    label = asking.label(model)
    if st.button(label, icon=icon, key=f"remove-{key}", on_click=asking.ask, args=asked):
        st.rerun()  # a dialog belongs to the page: a fragment's next tick would close it
