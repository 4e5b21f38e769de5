"""The deploy page's parts: what a deployment would do, and the choices that change it."""

import streamlit as st

from lib import deploy
from lib.core.errors import BerthError
from lib.deploy import DeployRequest, Plan, Tier
from lib.hub import Card
from lib.ui import markdown
from lib.ui.deploy import button as deploy_button
from lib.ui.deploy import fit_view, lookup
from lib.ui.deploy.gpu import panel
from lib.ui.session import DeployChoices, deploy_choices
from lib.ui.waiting import interruptible

ENGINES = {"auto": "Choose for me", "ollama": "Ollama", "llamacpp": "Built-in engine"}
MOST_SLOTS = 8
MAIN = "main"
PROCESSOR, CARDS = "This machine's processor", "Graphics cards"


def offer(text: str) -> None:
    """Everything about deploying what was typed, from its card to the button."""
    try:
        if lookup.is_path(text):
            _choices(lookup.full_path(text))
        elif hit := lookup.found(text):
            reference, card = hit
            lookup.card(card)
            if reference.revision != MAIN:
                st.info("Deployed is what the main branch has, not another revision.")
            _ways(reference.repo, reference.quantization, card)
    except BerthError as error:
        lookup.problem(error)


def _ways(model: str, quantization: str, card: Card) -> None:
    """On the processor or on graphics cards; where there are none, that is only mentioned."""
    if not panel.has_cards():
        _on_processor(model, quantization)
        panel.elsewhere(model)
        return
    on_processor, on_cards = st.tabs(
        [PROCESSOR, CARDS],
        default=PROCESSOR if card.variants else CARDS,
        key=f"deploy tab {model}",
        on_change="rerun",  # what is not looked at is not asked for either
    )
    with on_processor:
        if on_processor.open:
            _on_processor(model, quantization)
    with on_cards:
        if on_cards.open:
            panel.draw(model)


def _on_processor(model: str, quantization: str) -> None:
    """Its own troubles must not hide the other way."""
    try:
        _choices(model, quantization)
    except BerthError as error:
        lookup.problem(error)


def _choices(model: str, quantization: str = "") -> None:
    """The plan for what is chosen so far, and the choices, which make the next plan."""
    chosen = deploy_choices(model)
    request = _request(model, quantization, chosen)
    plan = interruptible(deploy.plan, request)
    _source(plan)
    fit_view.verdict(plan, request)
    fit_view.context(plan, chosen)
    if len(plan.rows) > 1:
        fit_view.quantizations(plan, chosen)
    _engine(plan, chosen)
    _warnings(plan)
    deploy_button.draw(plan, request, chosen)


def _warnings(plan: Plan) -> None:
    """What may surprise somebody who presses the button."""
    for warning in plan.warnings:
        st.warning(markdown.plain(warning), icon=":material/warning:")
    if not plan.engine.is_installed:
        st.info(
            f"{plan.engine.title} is not installed: its official installer is run first.",
            icon=":material/install_desktop:",
        )


def _request(model: str, quantization: str, chosen: DeployChoices) -> DeployRequest:
    return DeployRequest.model_validate(
        {
            "model": model,
            "quantization": chosen.quantization or quantization,
            "context": chosen.context,
            "slots": chosen.slots,
            "engine": chosen.engine,
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
        st.number_input(
            "Conversations at the same time",
            1,
            MOST_SLOTS,
            key=chosen.key("slots"),
            help="Each keeps a context of its own, and so takes its own memory.",
        )
