"""The deploy page's part for graphics cards: a slot, whether the model fits it, and the button."""

import platform

import streamlit as st

from lib.core.errors import BadInput
from lib.core.settings import settings
from lib.engines.vllm.places import places
from lib.machine.cards import Card, Cards
from lib.machine.sampler import SAMPLER
from lib.slots import offer as offers
from lib.slots import overview
from lib.slots.offer import Offer
from lib.slots.overview import Slot
from lib.slots.request import SlotRequest, wished
from lib.ui import markdown
from lib.ui.deploy import lookup
from lib.ui.deploy.gpu import adjust, button, fit, missing, slot_rows
from lib.ui.session import SlotChoices, slot_choices
from lib.ui.waiting import interruptible

KEPT_SECONDS = 5.0  # what was found out so lately is not asked again at every press


def has_cards() -> bool:
    """Has this machine an NVIDIA driver, or slots that were used with one?"""
    seen = SAMPLER.cards()
    return bool(seen.cards or seen.problem or overview.slots(seen, places()))


def can_deploy() -> bool:
    """Is there a card that a model could be put on?"""
    return any(slot.is_usable for slot in overview.slots(SAMPLER.cards(), places()))


def draw(model: str) -> None:
    """Everything about this repository on the cards of this machine."""
    seen, chosen = SAMPLER.cards(), slot_choices(model)
    _trouble(seen)
    found = overview.slots(seen, places())
    slot = slot_rows.choose(found, chosen) or Slot(number=0, cards=())
    usable = [card for card in seen.cards if overview.is_usable(card)]
    try:
        wanted = _request(chosen, slot, usable)
    except BadInput as error:
        lookup.problem(error)
        adjust.fold(None, chosen, len(usable))
        return
    said = _offer(wanted)
    if said.refusal:
        lookup.problem(said.refusal)
        return
    fit.draw(said)
    adjust.context(said, chosen)
    adjust.fold(said, chosen, len(usable))
    missing.lines(said.obstacles)
    button.draw(said, slot, chosen)
    missing.rehearsal(wanted, chosen)


def elsewhere(model: str) -> None:
    """The same where there is no NVIDIA card: what is missing, and what would be done."""
    if platform.system() != "Linux":
        st.caption("Deployment on graphics cards runs on Linux servers with NVIDIA cards.")
        return
    fold = st.expander(
        "On a GPU server",
        icon=":material/developer_board:",
        key="slot_elsewhere",
        on_change="rerun",
    )
    if not fold.open:
        return
    with fold:
        st.caption(
            "A Linux server with NVIDIA cards runs models of this size in vLLM, behind LiteLLM and "
            "nginx. What this machine lacks for that:"
        )
        chosen = slot_choices(model)
        said = _offer(_request(chosen, Slot(number=0, cards=()), []))
        if said.refusal:
            lookup.problem(said.refusal)
        missing.lines(said.obstacles, before_it_starts=False)
        missing.rehearsal(said.request, chosen)


def _trouble(seen: Cards) -> None:
    if seen.problem:
        st.error(
            f"**{markdown.plain(seen.problem)}** {markdown.plain(seen.fix)}",
            icon=":material/error:",
        )


def _request(chosen: SlotChoices, slot: Slot, usable: list[Card]) -> SlotRequest:
    """BadInput where a name cannot be one."""
    shared = chosen.tensor_parallel
    cards = overview.cards_for(slot, shared, usable)
    is_plain = shared == 1 and [card.index for card in cards] == [slot.number]
    uuids = [] if is_plain or len(cards) < shared else [card.uuid for card in cards]
    return wished(**adjust.request(chosen, slot, uuids))


def _offer(wanted: SlotRequest) -> Offer:
    with st.spinner("Looking at the model and the cards …", show_time=True):
        return _known_offer(wanted.model_dump_json(), str(settings().home))


@st.cache_resource(max_entries=64, ttl=KEPT_SECONDS, show_spinner=False)
def _known_offer(wanted: str, home: str) -> Offer:
    """`home` keeps what one place knows from another."""
    request = SlotRequest.model_validate_json(wanted)
    return interruptible(offers.offer, request, SAMPLER.cards(), places())
