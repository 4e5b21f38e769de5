"""The deploy page's parts: what a deployment would do, and the choices that change it."""

import streamlit as st

from lib import deploy
from lib.core.errors import BerthError
from lib.deploy import DeployRequest, Plan, Tier
from lib.hub import Card, Reference
from lib.ui import markdown
from lib.ui.deploy import button as deploy_button
from lib.ui.deploy import fit_view, lookup
from lib.ui.deploy.gpu import panel
from lib.ui.session import DeployChoices, deploy_choices
from lib.ui.waiting import interruptible

ENGINES = {"auto": "Choose for me", "ollama": "Ollama", "llamacpp": "Built-in engine"}
CACHES = {
    "f16": "As it is (f16)",
    "q8_0": "In half the memory (q8_0)",
    "q4_0": "In a quarter of the memory (q4_0), some models answer worse",
}
MOST_SLOTS = 8
MAIN = "main"
PROCESSOR, CARDS = "This machine's processor", "Graphics cards"


def offer(text: str) -> None:
    """Everything about deploying what was typed, from its card to the button."""
    try:
        if lookup.is_path(text):
            _choices(lookup.full_path(text))
        elif hit := lookup.found(text):
            _found(*hit)
    except BerthError as error:
        lookup.problem(error)


def _found(reference: Reference, card: Card) -> None:
    """The repository's card and the choices; where the Hub tells little, the header tells more."""
    place, plan = st.container(), None
    if card.is_described:
        lookup.card(card, place)
    try:
        plan = _ways(reference, card)
    finally:
        if not card.is_described:
            lookup.card(_described(card, plan), place)


def _described(card: Card, plan: Plan | None) -> Card:
    if plan is None:
        return card
    return card.described(plan.architecture, plan.parameters, plan.context_trained)


def _ways(reference: Reference, card: Card) -> Plan | None:
    """On the processor or on graphics cards; where there are none, that is only mentioned."""
    if not panel.has_cards():
        plan = _on_processor(reference)
        panel.elsewhere(reference.repo)
        return plan
    on_processor, on_cards = st.tabs(
        [PROCESSOR, CARDS],
        default=PROCESSOR if card.variants else CARDS,
        key=f"deploy tab {reference.repo}",
        on_change="rerun",  # what is not looked at is not asked for either
    )
    plan = None
    with on_processor:
        if on_processor.open:
            plan = _on_processor(reference)
    with on_cards:
        if on_cards.open:
            if reference.revision != MAIN:
                st.info("Deployed is what the main branch has, not another revision.")
            panel.draw(reference.repo)
    return plan


def _on_processor(reference: Reference) -> Plan | None:
    """Its own troubles must not hide the other way."""
    if reference.revision != MAIN:
        revision = markdown.plain(reference.revision)
        st.info(f"Deployed is revision {revision}, whatever the main branch has.")
    try:
        return _choices(reference.repo, reference)
    except BerthError as error:
        lookup.problem(error)
        return None


def _choices(model: str, said: Reference | None = None) -> Plan:
    """The plan for what is chosen so far, and the choices, which make the next plan."""
    said = said or Reference()
    chosen = deploy_choices(said.key or model)
    request = _request(model, said, chosen)
    plan = interruptible(deploy.plan, request)
    _source(plan)
    fit_view.verdict(plan, request)
    fit_view.context(plan, chosen)
    if len(plan.rows) > 1:
        fit_view.quantizations(plan, chosen)
    _engine(plan, chosen)
    _warnings(plan)
    deploy_button.draw(plan, request, chosen)
    return plan


def _warnings(plan: Plan) -> None:
    """What may surprise somebody who presses the button."""
    for warning in plan.warnings:
        st.warning(markdown.plain(warning), icon=":material/warning:")
    if not plan.engine.is_installed:
        st.info(
            f"{plan.engine.title} is not installed: its official installer is run first.",
            icon=":material/install_desktop:",
        )


def _request(model: str, said: Reference, chosen: DeployChoices) -> DeployRequest:
    """What was chosen here, or else what the text in the field says."""
    is_open = not chosen.quantization
    return DeployRequest.model_validate(
        {
            "model": model,
            "quantization": chosen.quantization or ("" if said.path else said.quantization),
            "file": said.path if is_open else "",
            "revision": said.revision,
            "context": chosen.context,
            "slots": chosen.slots,
            "engine": chosen.engine,
            "kv_type": chosen.kv_type,
        }
    )


def _source(plan: Plan) -> None:
    """Where the files come from, if not from where was asked."""
    if plan.tier == Tier.QUANTIZED:
        lookup.sources(plan.model, plan.repository)
    elif plan.tier != Tier.OWN:
        st.caption(markdown.plain(plan.source))


def _engine(plan: Plan, chosen: DeployChoices) -> None:
    """Which engine runs it and why, and how many conversations at once."""
    with st.expander(
        f"Runs in: {plan.engine.title}", icon=":material/tune:", key="deploy_engine_fold"
    ):
        st.segmented_control(
            "Engine",
            list(ENGINES),
            default="auto",
            required=True,
            format_func=ENGINES.__getitem__,
            key=chosen.key("engine"),
        )
        st.caption(f"{plan.engine.title}: {markdown.plain(plan.engine.reason)}")
        st.selectbox(
            "Cache of the conversation",
            list(CACHES),
            format_func=CACHES.__getitem__,
            key=chosen.key("kv_type"),
            help="What the model keeps in mind of each token. In half the memory a longer context "
            "fits, and answers are hardly worse; the built-in engine alone can do it.",
        )
        st.number_input(
            "Conversations at the same time",
            1,
            MOST_SLOTS,
            key=chosen.key("slots"),
            help="Each keeps a context of its own, and so takes its own memory.",
        )
