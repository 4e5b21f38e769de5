"""Why a deployment failed, the line that tells, and the buttons that mend it."""

import re
from collections.abc import Callable

import streamlit as st

from lib.core import words
from lib.deploy.diagnosis import Action, Diagnosis, diagnose
from lib.deploy.disk import removable
from lib.engines import all_models
from lib.engines.base import Model, State
from lib.engines.vllm import NAME as VLLM
from lib.fleet import actions
from lib.jobs.jobs import Job
from lib.slots import job as slot_job
from lib.slots.request import wished
from lib.ui import markdown, models
from lib.ui.deploy import retry, token_form
from lib.ui.deploy.gpu import adjust
from lib.ui.session import choose_to_deploy, slot_choices
from lib.ui.shell import shown_errors

MOST_OF_A_CARD = 0.97  # vLLM's own limit is 0.92; the rest is for what others may still ask for
_BY_HAND = re.compile(
    r"\bRun(?: this in a terminal)?: (.+)|\bRun (sudo [^,]+)|\((?:\w+, )*\w+: (sudo .+?)\)"
)


def draw(job: Job) -> None:
    """Cause, line and remedy; what is not known shows its first error line."""
    found = diagnose(job)
    if found is None:
        return
    cause, fix = markdown.plain(found.cause), markdown.plain(found.fix)
    st.error(f"**{cause}** {fix}", icon=":material/error:")
    says_more = job.kind != slot_job.KIND or not found.line.startswith(found.cause)
    if found.line and says_more:
        st.caption("The line that tells:")
        st.code(found.line, language=None, wrap_lines=True)
    if command := _command(found):
        st.caption("To be run in a terminal:")
        st.code(command, language="bash", wrap_lines=True)
    with st.container(horizontal=True):
        _REMEDIES.get(found.action, _none)(job, found)
        if job.kind != slot_job.REMOVAL:
            _other_choices(job)


def _command(found: Diagnosis) -> str:
    """What to paste, where the remedy is one command; "" where it is not."""
    match = _BY_HAND.search(found.line) or _BY_HAND.search(found.fix)
    return next(filter(None, match.groups()), "").strip() if match else ""


def _again(job: Job, _found: Diagnosis) -> None:
    retry.button(job, "Try again")


def _with_context(job: Job, found: Diagnosis) -> None:
    if found.argument:
        context = int(found.argument)
        retry.button(job, f"Retry with context {context:,}", context=context)
    else:
        _again(job, found)


def _other_quantization(job: Job, found: Diagnosis) -> None:
    if job.kind == slot_job.KIND:
        _fewer_bits(job)
    elif found.argument:
        name = found.argument
        retry.button(job, f"Deploy {markdown.label(name)} instead", quantization=name, file="")


def _with_token(job: Job, found: Diagnosis) -> None:
    with st.container():
        token_form.form()
        _again(job, found)


def _free_space(job: Job, _found: Diagnosis) -> None:
    """The models that could go; a dialog belongs to the page, so that runs again."""
    for one in removable():
        label = f"Remove {markdown.plain(one.name)} (frees {words.disk(one.bytes)})"
        key = f"free-{job.id}-{one.engine}-{one.name}"
        asked = (one.engine, one.name)
        if st.button(label, icon=":material/delete:", key=key, on_click=models.ask, args=asked):
            st.rerun()
    retry.button(job, "Resume")


def _other_port(job: Job, _found: Diagnosis) -> None:
    retry.button(job, "Try again on another port")


def _other_engine(job: Job, _found: Diagnosis) -> None:
    retry.button(job, "Use the built-in engine", engine="llamacpp")


def _free_card(job: Job, _found: Diagnosis) -> None:
    """What runs on slots, to be stopped; then the same once more, with what is free by then."""
    running = [model for model in all_models() if model.state == State.READY]
    for model in running:
        if model.engine == VLLM and not model.is_elsewhere:
            label = f"Stop {markdown.plain(model.name)} ({model.place})"
            key = f"stop-{job.id}-{model.name}"
            st.button(label, icon=":material/stop_circle:", key=key, on_click=_stop, args=(model,))
    retry.button(job, "Try again with what is free now", utilization=None)


def _stop(model: Model) -> None:
    with shown_errors():
        actions.stop(model)


def _fewer_requests(job: Job, found: Diagnosis) -> None:
    label = f"Retry with {found.argument} requests at a time"
    retry.button(job, label, max_num_seqs=int(found.argument))
    share = f"Retry with {MOST_OF_A_CARD:.0%} of the card".replace("%", " %")
    retry.button(job, share, is_first=False, utilization=MOST_OF_A_CARD)


def _halve_weights(job: Job, found: Diagnosis) -> None:
    retry.button(job, "Retry with 8-bit weights", quantization=found.argument)
    if job.kind == slot_job.KIND:
        _fewer_bits(job)


def _none(_job: Job, _found: Diagnosis) -> None:
    """Nothing that a press could mend."""


def _other_choices(job: Job) -> None:
    """Back to the choices, with this model in the field."""
    pressed = st.button(
        "Change the choices",
        type="tertiary",
        icon=":material/tune:",
        key=f"choices-{job.id}",
        on_click=_choose_again,
        args=(job,),
    )
    if pressed:
        st.rerun()


def _choose_again(job: Job) -> None:
    model = str(job.details.get("model", ""))
    choose_to_deploy(model)
    if job.kind == slot_job.KIND:
        adjust.take(slot_choices(model), wished(**job.details))


def _fewer_bits(job: Job) -> None:
    """A search for a repository of the same model in 4 bits."""
    wanted = f"{str(job.details.get('model', '')).partition('/')[2]} AWQ"
    label, key = "Look for a 4-bit version", f"search-{job.id}"
    if st.button(label, key=key, on_click=choose_to_deploy, args=(wanted,)):
        st.rerun()


_REMEDIES: dict[Action, Callable[[Job, Diagnosis], None]] = {
    Action.RETRY: _again,
    Action.RETRY_WITH_CONTEXT: _with_context,
    Action.OTHER_QUANTIZATION: _other_quantization,
    Action.SIGN_IN: _with_token,
    Action.FREE_SPACE: _free_space,
    Action.OTHER_PORT: _other_port,
    Action.INSTALL_ENGINE: _other_engine,
    Action.FREE_CARD: _free_card,
    Action.FEWER_REQUESTS: _fewer_requests,
    Action.HALVE_WEIGHTS: _halve_weights,
}
