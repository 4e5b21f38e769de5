"""The deploy page's part for graphics cards: a slot, whether the model fits it, and the button."""

import platform

import streamlit as st

from lib.core.errors import BadInput
from lib.core.settings import settings
from lib.engines.vllm.places import places
from lib.machine.cards import Card
from lib.machine.sampler import SAMPLER
from lib.slots import offer as offers
from lib.slots import overview
from lib.slots.offer import Offer
from lib.slots.overview import Slot
from lib.slots.request import SlotRequest, wished
from lib.ui.deploy import trouble
from lib.ui.deploy.gpu import adjust, button, fit, missing, slot_rows
from lib.ui.session import SlotChoices, slot_choices
from lib.ui.waiting import interruptible

KEPT_SECONDS = 5.0  # what was found out so lately is not asked again at every press


def has_cards() -> bool:
    """Has this machine an NVIDIA driver, or slots that were used with one?"""
    seen = SAMPLER.cards()
    return bool(seen.cards or seen.problem or overview.slots(seen, places()))


def draw(model: str) -> None:
    """Everything about this repository on the cards of this machine."""
    seen, chosen = SAMPLER.cards(), slot_choices(model)
    slot = slot_rows.choose(overview.slots(seen, places()), chosen)
    if slot is None:
        _without_cards(chosen)
        return
    usable = [card for card in seen.cards if overview.is_usable(card)]
    try:
        said = _offer(_request(chosen, slot, usable))
    except BadInput as error:
        trouble.draw(error)
        adjust.fold(None, chosen, len(usable))
        return
    if said.refusal:
        trouble.draw(said.refusal)
        return
    fit.draw(said)
    button.what_would_fit(said, slot, chosen)
    adjust.context(said, chosen)
    adjust.fold(said, chosen, len(usable))
    missing.counted(said.obstacles, chosen)
    button.draw(said, slot, chosen)


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
            "nginx. What is missing for that here:"
        )
        _without_cards(slot_choices(model))


def _without_cards(chosen: SlotChoices) -> None:
    """What is missing, and what would be done if it were not."""
    said = _offer(_request(chosen, Slot(number=0, cards=()), []))
    if said.refusal:
        trouble.draw(said.refusal)
    missing.lines(said.obstacles)
    is_asked = missing.rehearsal_button()
    missing.rehearsal(said.request, chosen, is_asked=is_asked)


def _request(chosen: SlotChoices, slot: Slot, usable: list[Card]) -> SlotRequest:
    """BadInput where a name cannot be one."""
    shared = chosen.tensor_parallel
    cards = overview.cards_for(slot, shared, usable)
    is_plain = shared == 1 and [card.index for card in cards] == [slot.number]
    uuids = [] if is_plain or len(cards) < shared else [card.uuid for card in cards]
    return wished(**adjust.request(chosen, slot, uuids))


def _offer(wanted: SlotRequest) -> Offer:
    """The first look at a model says that it is under way; later ones move nothing on the page."""
    key, free = f"slot_looked {wanted.model}", tuple(map(_roughly_free, SAMPLER.cards().cards))
    asked = (wanted.model_dump_json(), str(settings().home), free)
    if key in st.session_state:
        return _known_offer(*asked)
    with st.spinner("Looking at the model and the cards …", show_time=True):
        said = _known_offer(*asked)
    st.session_state[key] = True
    return said


def _roughly_free(card: Card) -> int:
    """In quarters of a GiB: less changes all the time."""
    return (card.free_bytes or 0) // 2**28


@st.cache_resource(max_entries=64, ttl=KEPT_SECONDS, show_spinner=False)
def _known_offer(wanted: str, home: str, free: tuple[int, ...]) -> Offer:
    """`home` keeps what one place knows from another, `free` what was true from what is."""
    request = SlotRequest.model_validate_json(wanted)
    return interruptible(offers.offer, request, SAMPLER.cards(), places())
