"""Whether a model fits, drawn: the verdict, the bar, the speed, and the quantizations."""

import streamlit as st

from lib import deploy
from lib.core import words
from lib.deploy import DeployRequest, Plan, Row
from lib.fit.memory import Verdict
from lib.fit.quantizations import LADDER
from lib.ui import markdown
from lib.ui.deploy import memory_bar
from lib.ui.session import DeployChoices
from lib.ui.verdict import mark as mark
from lib.ui.waiting import interruptible

CONTEXT_HELP = (
    "How many tokens of conversation the model keeps in view: a token is about three quarters of "
    "an English word. More of them take more memory."
)
QUANTIZATION_HELP = (
    "How coarsely the model's numbers are stored: fewer bits make the file smaller and faster, and "
    "the answers a little worse. Below Q3 they suffer visibly."
)
PARTS_HELP = (
    "The weights are the model itself. The context (KV cache) is what it keeps in mind of the "
    "conversation, the prompt cache of earlier ones. The rest is what the engine works with."
)
ROUGH = "other programs were busy, so it may be more"
SMALLEST_CONTEXT = 1_024
MOST_ROWS = 8


def verdict(plan: Plan, request: DeployRequest) -> None:
    """The sentence, the bar, and how fast it can be at most."""
    st.markdown(f"{mark(plan.verdict)} {plan.verdict.sentence}")
    is_dark = st.context.theme.type == "dark"
    st.html(memory_bar.drawn(plan.need, plan.room.free_bytes, is_dark))
    speed = words.at_most(plan.tokens_per_second)
    if plan.estimate:
        st.caption(markdown.plain(plan.estimate))
    why = f"measured while {ROUGH}" if plan.is_speed_rough else "memory cannot be read faster"
    st.caption(f"{speed.capitalize()}: {why}")
    with st.expander("What the memory is for", icon=":material/memory:", key="deploy_memory_fold"):
        st.html(memory_bar.legend(plan.need, plan.room.free_bytes, is_dark))
        st.caption(PARTS_HELP)
        _engines_own(request)


@st.fragment(parallel=True)
def _engines_own(request: DeployRequest) -> None:
    """A second later, what the engine itself says: without what Berth adds for growth."""
    place = st.empty()
    total = _engine_bytes(request.model_dump_json())
    if total:
        place.caption(f"The engine's own plan, which counts less of it: {words.memory(total)}.")


@st.cache_data(max_entries=256, ttl=3_600, show_spinner=False)
def _engine_bytes(request: str) -> int | None:
    asked = DeployRequest.model_validate_json(request)
    plan = interruptible(deploy.plan, asked, ask_engine=True).engine_plan
    return plan.total if plan else None


def quantizations(plan: Plan, chosen: DeployChoices) -> None:
    """All ways in which the model can be had, to choose one."""
    is_complete = bool(st.session_state.get(chosen.key("all")))
    by_name = {row.name: row for row in plan.rows if is_complete or _is_usual(row, plan)}
    names = list(by_name)
    st.radio(
        "Quantization",
        names,
        index=names.index(plan.title),
        key=chosen.key("quantization"),
        format_func=lambda name: _label(by_name[name]),
        captions=[_facts(row) for row in by_name.values()],
        help=QUANTIZATION_HELP,
    )
    if len(plan.rows) > MOST_ROWS:
        st.toggle(f"Show all {len(plan.rows)}", key=chosen.key("all"))


def _is_usual(row: Row, plan: Plan) -> bool:
    """One that is shown at once: where there are many, those that most people choose from."""
    is_wanted = row.is_recommended or row.name == plan.title or row.quantization in LADDER
    return is_wanted or len(plan.rows) <= MOST_ROWS


def _label(row: Row) -> str:
    """`Q4_K_M  Fits  recommended`: what decides comes first."""
    said = row.verdict
    colour = "red" if not said.largest_context else "orange" if _is_limited(said) else "green"
    word = "Fits tightly" if said.fits and said.is_tight else said.word
    parts = [f"**{markdown.plain(row.name)}**", f":{colour}-badge[{word}]"]
    parts += [":primary-badge[Recommended]"] if row.is_recommended else []
    parts += [":gray-badge[Poor quality]"] if row.is_poor else []
    return " ".join(parts)


def _is_limited(said: Verdict) -> bool:
    return said.is_tight or not said.fits


def _facts(row: Row) -> str:
    """`491 MB · 640 MiB of memory · good quality · at most 89 tok/s`."""
    parts = (
        words.disk(row.bytes),
        f"{words.memory(row.need.total)} of memory",
        row.note,
        words.at_most(row.tokens_per_second),
    )
    return " · ".join(part for part in parts if part)


def context(plan: Plan, chosen: DeployChoices) -> None:
    """A slider over sensible steps up to what the model was trained for."""
    slider = chosen.key("slider")
    st.session_state[slider] = plan.context
    st.select_slider(
        "Context length",
        steps(plan.context_trained or plan.context, plan.context),
        key=slider,
        format_func=lambda tokens: f"{tokens:,}",
        on_change=_choose_context,
        args=(chosen,),
        help=CONTEXT_HELP,
    )


def _choose_context(chosen: DeployChoices) -> None:
    st.session_state[chosen.key("context")] = st.session_state.get(chosen.key("slider"))


def steps(longest: int, current: int) -> list[int]:
    """Doublings from 1,024 up to the longest, with the current one among them."""
    doublings, tokens = [], SMALLEST_CONTEXT
    while tokens < longest:
        doublings.append(tokens)
        tokens *= 2
    return sorted({*doublings, longest, current})
