"""How a model is loaded: its named sets of options, what each takes, and the way back."""

import streamlit as st

from lib.core import words
from lib.core.errors import BerthError
from lib.engines import room, variants
from lib.engines.base import Model, StartOptions, State
from lib.engines.llamacpp import drafts, files, measured, program, records
from lib.engines.llamacpp.files import ModelFile
from lib.engines.llamacpp.launch import context_of, default_threads
from lib.engines.variants import COMPUTED
from lib.fit.memory import FULL
from lib.fleet import actions
from lib.ui import markdown
from lib.ui.life import fields
from lib.ui.shell import shown_errors

CONTEXT, SLOTS, THREADS, CACHE = "Context length", "Slots", "Threads", "Prompt cache, MiB"
SHORTEST_CONTEXT, LONGEST_CONTEXT = 256, 10_485_760  # of StartOptions, in tokens
KV_TYPES = {"f16": "Full (f16)", "q8_0": "Half (q8_0)", "q4_0": "A quarter (q4_0)"}
CONTEXT_HELP = "How many tokens of a conversation it can look at: its question, files and replies."
SLOTS_HELP = "So many requests are answered at the same time; each has a whole context."
KV_HELP = "How the memory of the conversation is stored. Less takes less room, and less exactly."
CACHE_HELP = "Earlier conversations that are kept in memory, so that going on with one is quick."
DRAFT_HELP = (
    "A small model that guesses ahead: replies are the same, and come faster where it is much "
    "smaller and often right. Whether it helps here, the tok/s of its settings tell."
)
LAYERS_HELP = "How many layers your llama-server puts on the graphics card; empty lets it decide."


def section(model: Model, key: str) -> None:
    """Which set holds, each with its figures, and the fields for a new one."""
    known = variants.of(model.key)
    try:
        file = files.find(model.name)
    except BerthError:
        return
    names = [COMPUTED, *known.named]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.selectbox(
            "Loaded with",
            names,
            format_func=_title,
            key=fields.shows(f"variant-{key}", known.chosen if known.chosen in names else COMPUTED),
            on_change=_choose,
            args=(model, key),
            width=320,
        )
        if known.chosen != COMPUTED:
            st.button(
                f"Delete “{markdown.plain(known.chosen)}”",
                key=f"variant-delete-{key}",
                on_click=_delete,
                args=(model, known.chosen),
            )
        _load_button(model, known.options, key)
    for name in names:
        options = known.named.get(name, StartOptions())
        st.caption(f"{markdown.plain(_title(name))}: {_figures(file, options)}")
    with st.expander("Other settings", icon=":material/tune:", key=f"variant-new-{key}"):
        _fields(model, file, known.options, f"{key}-{known.chosen}")


def _title(name: str) -> str:
    return "What Berth computes" if name == COMPUTED else name


def _figures(file: ModelFile, options: StartOptions) -> str:
    """`context 8,192 · 1 slot · about 1.2 GiB (took 1.1 GiB) · 21 tok/s`."""
    found = measured.with_options(file.name, options)
    took = f" (took {words.memory(found.taken)})" if found else ""
    speed = found.tokens_per_second if found else None
    parts = (
        f"context {context_of(options.context, file.context_trained, file.task):,}",
        words.count(options.slots, "slot"),
        f"{options.threads} threads" if options.threads else "",
        f"cache {options.kv_type}" if options.kv_type != "f16" else "",
        "" if options.sees or not file.projector else "without images",
        f"{markdown.plain(options.draft)} drafts" if options.draft else "",
        f"{_about(file, options)}{took}",
        f"{speed:.1f} tok/s" if speed else "",
    )
    return " · ".join(part for part in parts if part)


def _about(file: ModelFile, options: StartOptions) -> str:
    try:
        return f"about {words.memory(measured.expected(file, options))}"
    except BerthError:
        return "memory not known"


def _load_button(model: Model, options: StartOptions, key: str) -> None:
    """Where it runs with others."""
    record = records.read(model.name)
    if model.state == State.READY and record and record.options != options:
        st.button(
            "Load it anew with these",
            icon=":material/restart_alt:",
            key=f"variant-load-{key}",
            help="Replies that it is writing now end.",
            on_click=_load,
            args=(model,),
        )


def _fields(model: Model, file: ModelFile, now: StartOptions, key: str) -> None:
    _drawn(file, now, key)
    st.caption(_verdict(model, file, _chosen(now, key)))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.text_input(
            "Name",
            key=f"variant-name-{key}",
            placeholder="Long texts",
            max_chars=variants.LONGEST_NAME,
            autocomplete="off",
            width=220,
        )
        asked = (model, now, key)
        st.button("Save", key=f"variant-save-{key}", on_click=_save, args=asked)


def _drawn(file: ModelFile, now: StartOptions, key: str) -> None:
    """The fields; of a model without a choice of context there is none for it."""
    usual = context_of(now.context, file.context_trained, file.task)
    most = min(file.context_trained or LONGEST_CONTEXT, LONGEST_CONTEXT)
    with st.container(horizontal=True):
        if most >= SHORTEST_CONTEXT:
            bounds = (SHORTEST_CONTEXT, most)
            _number(CONTEXT, usual, bounds, key, CONTEXT_HELP)
        _number(SLOTS, now.slots, (1, 64), key, SLOTS_HELP)
        _number(THREADS, now.threads or default_threads(), (1, 1_024), key, "")
        _number(CACHE, now.prompt_cache_mib, (0, 65_536), key, CACHE_HELP)
        st.selectbox(
            "KV cache",
            KV_TYPES,
            index=[*KV_TYPES].index(now.kv_type),
            format_func=KV_TYPES.__getitem__,
            key=f"variant-kv-{key}",
            help=KV_HELP,
            width=160,
        )
    if file.projector:
        st.toggle("It sees images", value=now.sees, key=f"variant-sees-{key}")
    _draft(file, now, key)
    _layers(now, key)


def _chosen(now: StartOptions, key: str) -> StartOptions:
    """As the fields say at this moment; for one that is not drawn, as before."""
    seen = st.session_state
    threads = seen.get(f"variant-{THREADS}-{key}", now.threads)
    return StartOptions(
        context=seen.get(f"variant-{CONTEXT}-{key}"),
        slots=seen.get(f"variant-{SLOTS}-{key}", now.slots),
        threads=None if threads == default_threads() else threads,
        prompt_cache_mib=seen.get(f"variant-{CACHE}-{key}", now.prompt_cache_mib),
        kv_type=seen.get(f"variant-kv-{key}", now.kv_type),
        gpu_layers=seen.get(f"variant-layers-{key}", now.gpu_layers),
        sees=seen.get(f"variant-sees-{key}", now.sees),
        draft=seen.get(f"variant-draft-{key}", now.draft),
    )


def _draft(file: ModelFile, now: StartOptions, key: str) -> None:
    """Offered where there is one; one that is gone stays to be seen, and refuses a start."""
    offered = list(dict.fromkeys([None, *drafts.candidates(file), now.draft]))
    if len(offered) == 1:
        return
    st.selectbox(
        "Draft model",
        offered,
        index=offered.index(now.draft),
        format_func=lambda name: name or "None",
        key=f"variant-draft-{key}",
        help=DRAFT_HELP,
        width=320,
    )


def _number(label: str, value: int, bounds: tuple[int, int], key: str, text: str) -> None:
    least, most = bounds
    st.number_input(
        label,
        min_value=least,
        max_value=most,
        value=min(max(value, least), most),
        key=f"variant-{label}-{key}",
        help=text or None,
        width=160,
    )


def _layers(now: StartOptions, key: str) -> None:
    own = program.known()
    if own and own.is_usable:
        st.number_input(
            "GPU layers",
            min_value=0,
            max_value=1_024,
            value=now.gpu_layers,
            key=f"variant-layers-{key}",
            help=LAYERS_HELP,
            width=160,
        )


def _verdict(model: Model, file: ModelFile, wanted: StartOptions) -> str:
    """What it would take, beside what there is with the model itself out of memory."""
    try:
        needed = measured.expected(file, wanted) + max(0, measured.beyond(file))
    except BerthError as error:
        return markdown.plain(str(error))
    free = room.room_now().free_bytes + room.given_back(model)
    said = f"It takes about {words.memory(needed)}; {words.memory(free)} are free for it."
    return f"**Fits.** {said}" if needed <= FULL * free else f"**Does not fit now.** {said}"


def _choose(model: Model, key: str) -> None:
    with shown_errors():
        variants.choose(model.key, str(st.session_state[f"variant-{key}"]))


def _delete(model: Model, name: str) -> None:
    with shown_errors():
        variants.delete(model.key, name)


def _save(model: Model, now: StartOptions, key: str) -> None:
    """As the fields are now: what was typed last came with the click."""
    with shown_errors():
        name = str(st.session_state[f"variant-name-{key}"] or "")
        variants.save(model.key, name, _chosen(now, key))


def _load(model: Model) -> None:
    with shown_errors():
        actions.start_soon(model, variants.of(model.key).options)
