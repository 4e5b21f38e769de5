"""The details of one model: how it is asked, what it is, what happened to it, what it wrote."""

import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import TypeVar, cast

import streamlit as st

from lib.core import activity, database, words
from lib.core.activity import Event
from lib.core.errors import BadInput, BerthError
from lib.core.files import tail
from lib.core.names import repo_name
from lib.core.settings import settings
from lib.engines import variants
from lib.engines.base import Model, StartOptions
from lib.fleet import contents, ledger
from lib.fleet.contents import Part
from lib.fleet.figures import Figures
from lib.jobs import jobs
from lib.slots import job as slot_job
from lib.ui import life, markdown
from lib.ui.models import asking, doing, endpoints_view, names, told

ENDPOINTS, ABOUT, FILES, HISTORY, LOG = "Endpoints", "About", "Files", "History", "Log"
LOG_BYTES = 4_000
EVENTS = 30
KEPT_SECONDS = 10  # of what is read from headers and jobs
MOST_LINES, TALLEST = 16, 320  # of a template, and pixels for a longer one

Kept = TypeVar("Kept")


def key_of(model: Model) -> str:
    """What the keys of its widgets end in."""
    return f"{model.engine}-{model.name}"


def draw(one: Figures) -> None:
    """One section at a time: what is not looked at costs nothing."""
    model, key = one.model, key_of(one.model)
    sections = [ABOUT, ENDPOINTS, FILES, HISTORY, *([LOG] if model.log else [])]
    chosen = st.segmented_control(
        "Details",
        sections,
        default=ABOUT,
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
    names.field(one.model, key_of(one.model))
    lines = [f":gray[{name}:] {said}" for name, said in _facts(one) if said]
    st.markdown("  \n".join(lines))
    template = _kept("template", one.model, lambda: contents.template(one.model))
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
    needs = _kept("needs", model, lambda: _needs(model))
    return [
        ("Name for programs", markdown.plain(model.name)),
        ("Source", _source(model)),
        ("File", markdown.plain(_place(model))),
        ("Licence", markdown.plain(_kept("licence", model, lambda: contents.licence(model)))),
        ("Engine", markdown.plain(told.where(model))),
        ("Does", told.limits(model) or "chats"),
        ("Sees images", "yes" if model.can_see else "no"),
        ("Quantization", markdown.plain(model.quantization)),
        ("On disk", words.disk(model.size_bytes) if model.size_bytes else ""),
        ("Context trained", f"{trained:,} tokens" if trained else ""),
        ("Context loaded", f"{loaded:,} tokens" if loaded else ""),
        ("Memory", _memory(one, needs)),
        ("Speed", f"{told.speed(one)} tok/s when it answered last" if one.speed else ""),
        ("Last used", words.ago(one.used_at) if one.used_at else ""),
    ]


def _kept(what: str, model: Model, look: Callable[[], Kept]) -> Kept:
    """What was found of it; a fragment's every tick need not look for it anew."""
    mark = [key_of(model), str(model.state), int(time.monotonic() // KEPT_SECONDS)]
    before = st.session_state.get(f"models_{what}") or {}
    if before.get("of") != mark:
        before = {"of": mark, "found": look()}
        st.session_state[f"models_{what}"] = before
    return cast("Kept", before["found"])


def _memory(one: Figures, needs: str) -> str:
    """A guess by its size counts no more, where its header tells."""
    parts = (
        "" if one.is_rough and needs and not one.taken_bytes else part for part in told.memory(one)
    )
    return " · ".join(part for part in (*parts, needs) if part)


def _needs(model: Model) -> str:
    """What it would take now, by its header: read for this one alone."""
    try:
        is_able = not (model.is_elsewhere or model.problem)
        options = variants.resolved(model.key, StartOptions())
        needed = ledger.needed_bytes(model, options) if is_able else 0
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


def _place(model: Model) -> str:
    """Where its first file lies; "" where nobody tells, or a link leads elsewhere."""
    found = _kept("place", model, lambda: [part.path for part in contents.parts(model)[:1]])
    return model.stays_at or next(iter(found), "")


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
    """What happened to it, and the jobs that were about it, the newest first."""
    found = [(event.at, _said(event)) for event in _events(database.version(), model.name)]
    found += [(at, markdown.plain(said)) for at, said in _jobs(model)]
    for at, said in sorted(found, reverse=True)[:EVENTS]:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(said)
            st.caption(words.ago(at), width="content")
    if not found:
        st.caption("Nothing has happened to it in 30 days.")


def _said(event: Event) -> str:
    by = f" by {event.who}" if event.who else ""
    detail = f": {markdown.plain(event.detail)}" if event.detail else ""
    return f"{str(event.kind).capitalize()}{by}{detail}"


def _jobs(model: Model) -> list[tuple[float, str]]:
    """When each began, and what became of it."""

    def look() -> list[tuple[float, str]]:
        names = {model.source, model.stays_at} - {""}
        every = jobs.recent(limit=jobs.KEPT_JOBS)
        mine = [job for job in every if job.details.get("model") in names]
        return [(job.created, f"{job.title}: {str(job.state).lower()}") for job in mine]

    return _kept("jobs", model, look)


def _log(model: Model, key: str) -> None:
    st.caption("What the engine wrote last")
    with st.container(height=220, autoscroll=True, key=f"log-{key}"):
        st.code(tail(Path(model.log), LOG_BYTES) or "Nothing yet.", language=None, wrap_lines=True)


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
    icon, label = ":material/delete:", asking.label(model)
    if st.button(label, icon=icon, key=f"remove-{key}", on_click=asking.ask, args=(model,)):
        st.rerun()  # a dialog belongs to the page: a fragment's next tick would close it
