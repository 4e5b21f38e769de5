"""How a model is to run on its slot: context, requests at a time, cards, formats, gateway."""

from collections.abc import Sequence

import streamlit as st

from lib.fit.checkpoint import Checkpoint
from lib.slots.offer import Offer
from lib.slots.overview import Slot
from lib.slots.request import SlotRequest
from lib.ui.deploy.fit_view import CONTEXT_HELP, steps
from lib.ui.session import SlotChoices

AUTO = 0  # in the slider: as many tokens as fit
SHARED_BY = (2, 4, 8, 16)
MOST_AT_ONCE = 4_096


def context(said: Offer, chosen: SlotChoices) -> None:
    """A slider from what fits by itself over sensible steps to all that the model takes."""
    if said.found is None or said.verdict is None:
        return
    longest, fitting = said.found.checkpoint.context_length, said.verdict.context
    slider = chosen.key("slider")
    st.session_state[slider] = chosen.context or AUTO
    by_itself = (
        f"as many as fit: {fitting:,}" if fitting and not chosen.context else "as many as fit"
    )
    st.select_slider(
        "Context length",
        [AUTO, *steps(longest, chosen.context or longest)],
        key=slider,
        format_func=lambda tokens: f"{tokens:,}" if tokens else by_itself,
        on_change=_choose_context,
        args=(chosen,),
        help=CONTEXT_HELP,
    )


def _choose_context(chosen: SlotChoices) -> None:
    st.session_state[chosen.key("context")] = st.session_state.get(chosen.key("slider")) or None


def fold(said: Offer | None, chosen: SlotChoices, cards: int) -> None:
    """The rest, folded; `cards` is how many this machine has to offer."""
    with st.expander("How it runs", icon=":material/tune:", key="slot_adjust_fold"):
        _at_once(said, chosen)
        _sharing(chosen, cards)
        _formats(said, chosen)
        st.text_input(
            "Name for clients",
            key=chosen.key("served_name"),
            placeholder=chosen.model.partition("/")[2],
            help="What programs write into `model`; without one it is the repository's name.",
            persist_state="session",
        )
        _gateway(chosen)


def _at_once(said: Offer | None, chosen: SlotChoices) -> None:
    usual = said.plan.max_num_seqs if said and said.plan else 64
    st.session_state.setdefault(chosen.key("max_num_seqs"), usual)
    st.number_input(
        "Requests answered at the same time",
        1,
        MOST_AT_ONCE,
        key=chosen.key("max_num_seqs"),
        help="More of them wait for their turn. Fewer leave the cache to longer conversations.",
        persist_state="session",
    )


def _sharing(chosen: SlotChoices, cards: int) -> None:
    counts = [1, *(count for count in SHARED_BY if count <= cards)]
    if len(counts) < 2:
        return
    st.session_state.setdefault(chosen.key("tensor_parallel"), 1)
    st.segmented_control(
        "Cards that share it",
        counts,
        required=True,
        key=chosen.key("tensor_parallel"),
        help="A model that is too large for one card is divided among several of the same kind.",
        persist_state="session",
    )


def _formats(said: Offer | None, chosen: SlotChoices) -> None:
    about = said.found.checkpoint if said and said.found else None
    if about is None or about.has_vision:
        _switch(chosen, "is_text_only", "Text only", "Images take memory even while none is sent.")
    _switch(
        chosen,
        "has_small_cache",
        "8-bit cache",
        "Half the memory for each conversation, for a little less precision.",
    )
    if about is None or _is_plain(about):
        _switch(
            chosen,
            "has_small_weights",
            "8-bit weights",
            "Halves the weights while they are loaded; the download stays as it is.",
        )


def _is_plain(about: Checkpoint) -> bool:
    return about.quantization is None


def _gateway(chosen: SlotChoices) -> None:
    for name, label, about in (
        ("with_gateway", "Behind LiteLLM", "One address and key for the models of all slots."),
        ("with_nginx", "Behind nginx", "Reached from outside, by an allow-list of routes."),
    ):
        st.session_state.setdefault(chosen.key(name), True)
        _switch(chosen, name, label, about)


def _switch(chosen: SlotChoices, name: str, label: str, about: str) -> None:
    st.toggle(label, key=chosen.key(name), help=about, persist_state="session")


def request(chosen: SlotChoices, slot: Slot, cards: Sequence[str]) -> dict[str, object]:
    """The fields of the request; `cards` are named where the slot's number does not tell them."""
    fields = {
        "model": chosen.model,
        "slot": slot.number,
        "context": chosen.context,
        "served_name": chosen.served_name,
        "tensor_parallel": chosen.tensor_parallel,
        "cards": tuple(cards),
        "quantization": "fp8_per_tensor" if chosen.has_small_weights else "",
        "kv_cache": "fp8" if chosen.has_small_cache else "",
        "max_num_seqs": chosen.max_num_seqs,
        "is_text_only": chosen.is_text_only,
        "with_gateway": chosen.with_gateway,
        "with_nginx": chosen.with_nginx,
    }
    return {name: value for name, value in fields.items() if value not in ("", None)}


def take(chosen: SlotChoices, wanted: SlotRequest) -> None:
    """Choose as this request says."""
    for name, value in (
        ("slot", wanted.slot),
        ("context", wanted.context),
        ("max_num_seqs", wanted.max_num_seqs),
        ("tensor_parallel", wanted.tensor_parallel),
        ("is_text_only", wanted.is_text_only),
        ("has_small_cache", bool(wanted.kv_cache)),
        ("has_small_weights", bool(wanted.quantization)),
        ("served_name", wanted.served_name),
        ("with_gateway", wanted.with_gateway),
        ("with_nginx", wanted.with_nginx),
    ):
        if value is not None or name == "context":
            st.session_state[chosen.key(name)] = value
