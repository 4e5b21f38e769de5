"""Whether a model fits its slot, drawn: verdict, bar, and what the engine gave last time."""

import streamlit as st

from lib.core import words
from lib.fit.card_memory import CardVerdict
from lib.fit.checkpoint import described
from lib.slots.offer import Offer
from lib.ui import markdown
from lib.ui.deploy import memory_bar
from lib.ui.deploy.memory_bar import Part

UTILIZATION_HELP = (
    "The share of the card's whole memory that vLLM takes for this model, weights and cache "
    "together. Berth asks for as much as can be had now, and never for more."
)


def draw(said: Offer) -> None:
    """Everything about memory, before a byte is downloaded."""
    if said.found is None or said.verdict is None or said.plan is None:
        return
    st.caption(markdown.plain(described(said.found.checkpoint)))
    verdict = said.verdict
    st.markdown(f"{_mark(verdict)} {markdown.plain(verdict.sentence)}")
    for further in verdict.refusals[1:]:
        st.markdown(markdown.plain(further))
    if verdict.requested > 0:
        total = min(card.total_bytes for card in said.plan.cards)
        free = min(card.free_bytes for card in said.plan.cards)
        st.html(_bar(verdict, total, free, st.context.theme.type == "dark"))
    if verdict.fits:
        share = f"{verdict.utilization:.0%}".replace("%", " %")
        st.caption(
            f"vLLM {said.plan.program.version} takes {share} of the card.", help=UTILIZATION_HELP
        )
    if said.before:
        when = words.ago(said.before.at)
        st.caption(f":material/history: Measured {when}: {markdown.plain(said.before.sentence)}")
    for note in said.notes:
        st.caption(markdown.plain(note))


def _mark(verdict: CardVerdict) -> str:
    """The verdict's word in its colour."""
    if verdict.word == "Fits":
        return ":green[:material/check_circle: **Fits.**]"
    if verdict.fits:
        return f":green[:material/check_circle: **{verdict.word}.**]"
    if verdict.context:
        return f":orange[:material/warning: **{verdict.word}.**]"
    return ":red[:material/block: **Does not fit.**]"


def _bar(verdict: CardVerdict, total: int, free: int, is_dark: bool) -> str:
    """One card: what the model takes of it, what others hold, what stays free."""
    wanted = [
        Part("weights", verdict.weights, memory_bar.WEIGHTS),
        Part("conversations (KV cache)", max(verdict.kv_bytes, 0), memory_bar.CACHE),
        Part("working memory", verdict.activation, memory_bar.WORKING),
        Part("CUDA graphs", verdict.graphs, memory_bar.SEEING),
        Part("the engine itself", verdict.overhead, memory_bar.FIXED),
    ]
    if verdict.kv_bytes <= 0:
        whole = max(verdict.needed, verdict.requested)
        return memory_bar.bar(_seen(wanted), whole, is_dark, mark_bytes=verdict.requested)
    taken = sum(part.bytes for part in wanted)
    others = min(max(total - free, 0), total - taken)
    wanted.append(Part("in use by others", others, memory_bar.OTHERS))
    wanted.append(Part("free", max(total - taken - others, 0), memory_bar.FREE))
    return memory_bar.bar(_seen(wanted), total, is_dark)


def _seen(parts: list[Part]) -> list[Part]:
    return [part for part in parts if part.bytes]
