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
from lib.ui.shell import shown_errors

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
            index=names.index(known.chosen) if known.chosen in names else 0,
            format_func=_title,
            key=f"variant-{key}",
            on_change=_choose,
            args=(model, key),
            width=320,
        )
        if known.chosen != COMPUTED:
            st.button(
                f"Delete “{markdown.plain(known.chosen)}”",
                key=f"variant-delete-{key}",
                on_click=_delete,
                args=(model, known.chosen, key),
            )
        _load_button(model, known.options, key)
    for name in names:
        options = known.named.get(name, StartOptions())
        st.caption(f"{markdown.plain(_title(name))}: {_figures(file, options)}")
    with st.expander("Other settings", icon=":material/tune:", key=f"variant-new-{key}"):
        _fields(model, file, known.options, key, f"{key}-{known.chosen}")


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
            args=(model, options),
        )


def _fields(model: Model, file: ModelFile, now: StartOptions, of_model: str, key: str) -> None:
    wanted = _chosen(file, now, key)
    st.caption(_verdict(model, file, wanted))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.text_input(
            "Name",
            key=f"variant-name-{key}",
            placeholder="Long texts",
            max_chars=variants.LONGEST_NAME,
            autocomplete="off",
            width=220,
        )
        asked = (model, wanted, of_model, key)
        st.button("Save", key=f"variant-save-{key}", on_click=_save, args=asked)


def _chosen(file: ModelFile, now: StartOptions, key: str) -> StartOptions:
    """As the fields say."""
    usual = context_of(now.context, file.context_trained, file.task)
    with st.container(horizontal=True):
        context = _number("Context length", usual, (256, file.context_trained), key, CONTEXT_HELP)
        slots = _number("Slots", now.slots, (1, 64), key, SLOTS_HELP)
        threads = _number("Threads", now.threads or default_threads(), (1, 1_024), key, "")
        cache = _number("Prompt cache, MiB", now.prompt_cache_mib, (0, 65_536), key, CACHE_HELP)
        kv_type = st.selectbox(
            "KV cache",
            KV_TYPES,
            index=[*KV_TYPES].index(now.kv_type),
            format_func=KV_TYPES.__getitem__,
            key=f"variant-kv-{key}",
            help=KV_HELP,
            width=160,
        )
    sees = now.sees
    if file.projector:
        sees = st.toggle("It sees images", value=now.sees, key=f"variant-sees-{key}")
    draft = _draft(file, now, key)
    return StartOptions(
        context=context,
        slots=slots,
        threads=None if threads == default_threads() else threads,
        prompt_cache_mib=cache,
        kv_type=kv_type,
        gpu_layers=_layers(now, key),
        sees=sees,
        draft=draft,
    )


def _draft(file: ModelFile, now: StartOptions, key: str) -> str | None:
    """Offered where there is one; one that is gone stays to be seen, and refuses a start."""
    offered = list(dict.fromkeys([None, *drafts.candidates(file), now.draft]))
    if len(offered) == 1:
        return None
    return st.selectbox(
        "Draft model",
        offered,
        index=offered.index(now.draft),
        format_func=lambda name: name or "None",
        key=f"variant-draft-{key}",
        help=DRAFT_HELP,
        width=320,
    )


def _number(label: str, value: int, bounds: tuple[int, int | None], key: str, text: str) -> int:
    least, most = bounds
    return int(
        st.number_input(
            label,
            min_value=min(least, most or least),
            max_value=most,
            value=max(value, min(least, most or least)),
            key=f"variant-{label}-{key}",
            help=text or None,
            width=160,
        )
    )


def _layers(now: StartOptions, key: str) -> int | None:
    own = program.known()
    if not own or not own.is_usable:
        return now.gpu_layers
    return st.number_input(
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


def _delete(model: Model, name: str, key: str) -> None:
    with shown_errors():
        variants.delete(model.key, name)
        st.session_state[f"variant-{key}"] = variants.of(model.key).chosen


def _save(model: Model, wanted: StartOptions, of_model: str, key: str) -> None:
    with shown_errors():
        name = str(st.session_state[f"variant-name-{key}"] or "")
        variants.save(model.key, name, wanted)
        st.session_state[f"variant-{of_model}"] = variants.of(model.key).chosen


def _load(model: Model, options: StartOptions) -> None:
    with shown_errors():
        actions.start_soon(model, options)
