"""The one button that begins a deployment, and what has to be cleared up before it can."""

from pathlib import Path

import streamlit as st

from lib import deploy
from lib.core import words
from lib.core.errors import BerthError
from lib.deploy import DeployRequest, Plan, Row, Tier
from lib.deploy.plan import SMALLER_CACHE
from lib.ui import markdown, models
from lib.ui.session import DeployChoices, choose_to_deploy, watch_job

REFUSAL = "deploy_refusal"
MOST_OFFERED = 3


def draw(plan: Plan, request: DeployRequest, chosen: DeployChoices) -> None:
    """The button with what it will do; disabled where that cannot work, with what would."""
    can_start = False
    if not plan.verdict.fits:
        _what_would_fit(plan, chosen)
    elif plan.disk.is_short:
        _no_room(plan)
    else:
        can_start = not plan.verdict.is_tight or _confirmed(plan, request, chosen)
    st.button(
        _label(plan),
        type="primary",
        icon=":material/rocket_launch:",
        disabled=not can_start,
        key="deploy_start",
        on_click=_start,
        args=(request.model_copy(update=_settled(plan)),),
    )
    refusal = st.session_state.pop(REFUSAL, "")
    if refusal:
        st.error(refusal, icon=":material/error:")


def _settled(plan: Plan) -> dict[str, object]:
    """What was shown is what is deployed, even if memory has become free or full since."""
    here = {"model": plan.files[0].path} if plan.tier == Tier.FILE else {}
    return {
        **here,
        "quantization": "" if here else plan.title,
        "file": "",
        "context": plan.context,
        "accept_danger": plan.verdict.is_tight,
    }


def _label(plan: Plan) -> str:
    """`Deploy Q4_K_M (downloads 2.0 GB)`."""
    if plan.tier == Tier.FILE:
        return "Deploy this file"
    missing = plan.bytes - plan.disk.kept
    price = f"downloads {words.disk(missing)}" if missing > 0 else "nothing to download"
    return f"Deploy {markdown.label(plan.title)} ({price})"


def _start(request: DeployRequest) -> None:
    """Begin, and show the deployment in place of the choices."""
    try:
        watch_job(deploy.start(request).id)
        choose_to_deploy("")
    except BerthError as error:
        st.session_state[REFUSAL] = markdown.error(error)


def short_name(model: str) -> str:
    """What to type to confirm: the repository's or the file's own name."""
    return Path(model).stem if model.startswith("/") else model.partition("/")[2]


def _confirmed(plan: Plan, request: DeployRequest, chosen: DeployChoices) -> bool:
    """Nearly all free memory would be taken: only who types the name wants that."""
    name = short_name(request.model)
    st.warning(
        f"This takes {plan.verdict.share:.0%} of the free memory. Other programs may become slow, "
        "or the system may end one of them.",
        icon=":material/warning:",
    )
    typed = st.text_input(
        f"Type **{markdown.plain(name)}** to deploy it all the same",
        live=True,
        key=chosen.key("confirmation"),
        autocomplete="off",
    )
    return typed.strip().casefold() == name.casefold()


def _what_would_fit(plan: Plan, chosen: DeployChoices) -> None:
    """The nearest choices that fit, each as a button."""
    offered = _nearest(plan)
    is_hopeless = not offered and not plan.verdict.largest_context
    if is_hopeless and not plan.fits_with_smaller_cache:
        st.info("Nothing of this model fits: choose a smaller one, or close other programs.")
        return
    st.markdown("**What would fit:**")
    with st.container(horizontal=True):
        if plan.fits_with_smaller_cache:
            _instead(chosen, "kv_type", SMALLER_CACHE)
        if plan.verdict.largest_context:
            _instead(chosen, "context", plan.verdict.largest_context)
        for row in offered:
            _instead(chosen, "quantization", row.name)


def _nearest(plan: Plan) -> list[Row]:
    """The few best quantizations that fit with this context, the recommended one first."""
    able = [row for row in plan.rows if row.verdict.fits and not row.is_poor]
    return sorted(able, key=lambda row: not row.is_recommended)[:MOST_OFFERED]


def _instead(chosen: DeployChoices, name: str, value: int | str) -> None:
    st.button(
        _offer(name, value),
        key=f"instead {name} {value}",
        on_click=_choose,
        args=(chosen.key(name), value),
    )


def _offer(name: str, value: int | str) -> str:
    if name == "kv_type":
        return f"Store the conversation in half the memory ({value})"
    return f"Use context {value:,}" if isinstance(value, int) else f"Use {markdown.label(value)}"


def _choose(key: str, value: int | str) -> None:
    st.session_state[key] = value


def _no_room(plan: Plan) -> None:
    """How much is missing, and what could go."""
    st.error(
        f"**The disk is too full: {words.disk(plan.disk.free)} free, "
        f"{words.disk(plan.disk.needed)} needed.** Remove models that are not used, then deploy.",
        icon=":material/hard_drive:",
    )
    for one in plan.removable:
        st.button(
            f"Remove {markdown.plain(one.name)} (frees {words.disk(one.bytes)})",
            icon=":material/delete:",
            key=f"free {one.engine} {one.name}",
            on_click=models.ask,
            args=(one.engine, one.name),
        )
