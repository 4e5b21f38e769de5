"""Why a deployment failed, the line that tells, and the buttons that mend it."""

from collections.abc import Callable

import streamlit as st

from lib.core import words
from lib.deploy.diagnosis import Action, Diagnosis, diagnose
from lib.deploy.disk import removable
from lib.jobs.jobs import Job
from lib.ui import markdown, models
from lib.ui.deploy import retry, token_form
from lib.ui.session import choose_to_deploy


def draw(job: Job) -> None:
    """Cause, line and remedy; what is not known shows its first error line."""
    found = diagnose(job)
    if found is None:
        return
    cause, fix = markdown.plain(found.cause), markdown.plain(found.fix)
    st.error(f"**{cause}** {fix}", icon=":material/error:")
    if found.line:
        st.caption("The line that tells:")
        st.code(found.line, language=None, wrap_lines=True)
    with st.container(horizontal=True):
        _REMEDIES.get(found.action, _none)(job, found)
        _other_choices(job)


def _again(job: Job, _found: Diagnosis) -> None:
    retry.button(job, "Try again")


def _with_context(job: Job, found: Diagnosis) -> None:
    if found.argument:
        context = int(found.argument)
        retry.button(job, f"Retry with context {context:,}", context=context)
    else:
        _again(job, found)


def _other_quantization(job: Job, found: Diagnosis) -> None:
    if found.argument:
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


def _none(_job: Job, _found: Diagnosis) -> None:
    """Nothing that a press could mend."""


def _other_choices(job: Job) -> None:
    """Back to the choices, with this model in the field."""
    model = str(job.details.get("model", ""))
    pressed = st.button(
        "Change the choices",
        type="tertiary",
        icon=":material/tune:",
        key=f"choices-{job.id}",
        on_click=choose_to_deploy,
        args=(model,),
    )
    if pressed:
        st.rerun()


_REMEDIES: dict[Action, Callable[[Job, Diagnosis], None]] = {
    Action.RETRY: _again,
    Action.RETRY_WITH_CONTEXT: _with_context,
    Action.OTHER_QUANTIZATION: _other_quantization,
    Action.SIGN_IN: _with_token,
    Action.FREE_SPACE: _free_space,
    Action.OTHER_PORT: _other_port,
    Action.INSTALL_ENGINE: _other_engine,
}
