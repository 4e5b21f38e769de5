"""The button that begins a deployment on a slot; without root's rights, the command to paste."""

import shlex
from collections.abc import Iterator

import streamlit as st

from lib.core import words
from lib.core.errors import BerthError
from lib.core.settings import settings
from lib.engines.base import State
from lib.fit.ways_out import Change
from lib.slots import job
from lib.slots.alternatives import Alternative
from lib.slots.offer import Offer
from lib.slots.overview import Slot
from lib.slots.request import SlotRequest
from lib.ui import markdown
from lib.ui.deploy.gpu import adjust, free_card, missing
from lib.ui.session import SlotChoices, choose_to_deploy, watch_job

REFUSAL = "slot_refusal"
TOO_LARGE = "Nothing near would make it fit: choose a smaller model, or one with fewer bits."
NOT_HERE = "No setting changes that: choose another slot or another model."


def draw(said: Offer, slot: Slot, chosen: SlotChoices) -> None:
    """The button with what it will do; disabled where that cannot work."""
    if said.plan and said.plan.installs and said.verdict and said.verdict.fits:
        coming = "\n".join(f"- {markdown.plain(sentence)}" for sentence in said.plan.installs)
        st.info(f"**Is installed along with it:**\n{coming}", icon=":material/install_desktop:")
    if slot.model and slot.model.state != State.STOPPED and _is_another(said, slot):
        st.warning(
            f"**{markdown.plain(slot.name)}** runs on slot {slot.number}. It is stopped first, and "
            "started again should this fail.",
            icon=":material/swap_horiz:",
        )
    can_start = bool(said.verdict and said.verdict.fits) and not said.obstacles
    if said.needs_root and can_start:
        _by_hand(said)
    with st.container(horizontal=True):
        if not said.needs_root:
            _button(said, slot, can_start=can_start)
        is_asked = missing.rehearsal_button()
    refusal = st.session_state.pop(REFUSAL, "")
    if refusal:
        st.error(refusal, icon=":material/error:")
    missing.rehearsal(said.request, chosen, is_asked=is_asked)


def _button(said: Offer, slot: Slot, *, can_start: bool) -> None:
    st.button(
        _label(said, slot),
        type="primary",
        icon=":material/rocket_launch:",
        disabled=not can_start,
        key="slot_start",
        on_click=_start,
        args=(said.request,),
    )


def _is_another(said: Offer, slot: Slot) -> bool:
    return slot.unit is not None and slot.unit.model != said.request.model


def _label(said: Offer, slot: Slot) -> str:
    """`Deploy on slot 0 (downloads 15 GB)`."""
    missing = said.missing_bytes
    price = f"downloads {words.disk(missing)}" if missing else "nothing to download"
    verb = "Replace on" if _is_another(said, slot) else "Deploy on"
    return f"{verb} slot {slot.number} ({price})"


def _start(request: SlotRequest) -> None:
    """Begin, and show the deployment in place of the choices."""
    try:
        watch_job(job.start(request).id)
        choose_to_deploy("")
    except BerthError as error:
        st.session_state[REFUSAL] = markdown.error(error)


def _by_hand(said: Offer) -> None:
    """What to paste, and what that does."""
    st.info(
        "**Berth has no root rights here**, so it cannot do this by itself. Paste this into a "
        "terminal of the server; it says there how it goes.",
        icon=":material/terminal:",
    )
    home = f"BERTH_HOME={settings().home}"
    command = shlex.join(["sudo", home, *said.request.command()])
    st.code(command, language="bash", wrap_lines=True)
    st.markdown("\n".join(f"{n}. {line}" for n, line in enumerate(_steps(said), 1)))


def _steps(said: Offer) -> Iterator[str]:
    """What the command does, in order."""
    slot = said.request.slot
    yield "It looks at the machine and the model again."
    yield f"It stops what runs on slot {slot}, if anything does."
    yield f"It downloads {words.disk(said.missing_bytes)} to /var/lib/berth/models."
    yield f"It writes the service berth-slot-{slot}.service and its key."
    gates = [
        name
        for name, wanted in (
            ("LiteLLM", said.request.with_gateway),
            ("nginx", said.request.with_nginx),
        )
        if wanted
    ]
    if gates:
        yield f"It makes the model known to {' and '.join(gates)}."
    yield "It starts the model and asks it a first question. Where a step fails, all is taken back."


def what_would_fit(said: Offer, slot: Slot, chosen: SlotChoices) -> None:
    """Where it does not fit: the nearest ways, each with its button."""
    if said.verdict is None or said.verdict.fits:
        return
    if not said.alternatives:
        is_refused = bool(said.verdict.refusals)
        st.info(NOT_HERE if is_refused else TOO_LARGE, icon=":material/lightbulb:")
        return
    st.markdown("**What would fit:**")
    for number, way in enumerate(said.alternatives):
        sentence, action = st.columns([3, 1], vertical_alignment="center")
        with sentence:
            st.markdown(markdown.plain(way.sentence))
        with action:
            _way(way, slot, chosen, number)


def _way(way: Alternative, slot: Slot, chosen: SlotChoices, number: int) -> None:
    key = f"instead slot {number}"
    if way.request:
        st.button(way.label, key=key, on_click=adjust.take, args=(chosen, way.request))
    elif way.change == Change.REPOSITORY:
        words_for_it = f"{chosen.model.partition('/')[2]} AWQ"
        st.button(way.label, key=key, on_click=choose_to_deploy, args=(words_for_it,))
    else:
        free_card.buttons(slot.cards, key)
