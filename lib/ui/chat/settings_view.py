"""A conversation's settings on the chat page: a line that says what is set, and the dialog."""

import contextlib
from collections.abc import Mapping

import streamlit as st

from lib.chat import presets
from lib.core import access
from lib.core.access import Action
from lib.core.errors import BerthError
from lib.deploy import other_context as context_fit
from lib.engines import find_model
from lib.engines.base import Model, StartOptions, State
from lib.fleet import actions
from lib.sharing import for_guests, limits
from lib.ui import markdown
from lib.ui.chat import conversation as chat
from lib.ui.chat import presets as chat_presets
from lib.ui.chat import schema_notes, settings_numbers
from lib.ui.chat import settings_fields as fields
from lib.ui.deploy.fit_view import CONTEXT_HELP, steps
from lib.ui.elements.settings_form import settings_form
from lib.ui.session import Conversation, conversation
from lib.ui.shell import shown_errors

OPEN = "chat_settings_before"  # the settings as they were when the dialog opened; None: closed
SMALLEST_CONTEXT = 256
LONGEST_UNKNOWN = 131_072  # offered where nobody says what a model was trained for
MORE = "chat_settings_unfolded"  # is the part for experts unfolded?
FOLDED = ("top_k", "min_p", "seed", "stop", "json_schema")
STOP_HELP = (
    "One a line: the reply ends where the model writes one of them. `\\n` means a line break."
)
SCHEMA_HELP = (
    "What a JSON reply has to look like. The model is held to it, and each reply is checked."
)
SCHEMA_HINT = '{"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}'


def button(talk: Conversation) -> None:
    """What is set, which opens the dialog."""
    summary = fields.summary(talk)
    st.button(
        f"Settings: {summary}" if summary else "Settings",
        icon=":material/tune:",
        type="tertiary",
        key="chat_settings",
        on_click=_open,
        disabled=talk["is_awaited"],
    )


def dialog(talk: Conversation, model: Model) -> None:
    """The dialog, while it is open; and how a new load goes."""
    _load_news(model)
    if _is_open():
        _dialog(talk, model)


def _is_open() -> bool:
    return st.session_state.get(OPEN) is not None


def _open() -> None:
    if talk := conversation():
        st.session_state[OPEN] = talk["settings"]
        st.session_state.pop(fields.LEAD, None)
        _unfold(any(name in FOLDED for name in (*talk["settings"], *fields.drafts(talk))))


def _close() -> None:
    """What was set is in force already; now the browser keeps it too."""
    before, talk = st.session_state.pop(OPEN, None), conversation()
    if talk and talk["settings"] != before:
        chat.save(talk)


def _unfold(is_unfolded: bool) -> None:
    """Decided once, when the dialog opens or leads there: it must not fold while one types."""
    st.session_state[MORE] = is_unfolded


def _done(talk: Conversation) -> None:
    """Close, unless something that was typed is not in use: then its field comes into view."""
    name = fields.lead(talk)
    if not name:
        _close()
    elif name in FOLDED:
        _unfold(True)


@st.dialog("For this conversation", width="medium", on_dismiss=_close)
def _dialog(talk: Conversation, model: Model) -> None:
    """Drawn only while it is open; the page around it is drawn anew only once it is closed.

    Before, that could take a half-typed text out of a field.
    """
    settings_form(st.session_state.get(fields.LEAD))
    model = _now(model)
    numbers = settings_numbers.of(model)
    chat_presets.prompt(talk)
    _pairs(talk, numbers, ("temperature", "max_tokens"), ("top_p", "repeat_penalty"))
    _context(talk, model)
    with st.expander("More", expanded=bool(st.session_state.get(MORE)), key="chat_settings_more"):
        _pairs(talk, numbers, ("top_k", "min_p"), ("seed",))
        fields.text(talk, "stop", "Stop sequences", STOP_HELP, "None", height=70)
        fields.text(talk, "json_schema", "JSON schema", SCHEMA_HELP, SCHEMA_HINT, height=120)
    schema_notes.draw(talk, model)
    _buttons(talk)
    if not _is_open():
        st.rerun()


def _now(model: Model) -> Model:
    """The model as it stands: it may have been loaded or stopped while the dialog is open."""
    with contextlib.suppress(BerthError):
        return find_model(model.name, model.engine)
    return model


def _pairs(
    talk: Conversation, numbers: Mapping[str, fields.Number], *pairs: tuple[str, ...]
) -> None:
    """Fields for numbers, two side by side."""
    for names in pairs:
        for name, column in zip(names, st.columns(2), strict=False):
            with column:
                fields.number(talk, numbers[name])
    if any(numbers[name].is_off for names in pairs for name in names):
        st.caption(settings_numbers.NOT_SENT)


def _context(talk: Conversation, model: Model) -> None:
    """The choice for the owner; for others, what there is."""
    if not access.may(Action.RUN):
        st.caption(_loaded(model))
        return
    chosen = fields.settings_of(talk).context
    longest = model.context_trained or LONGEST_UNKNOWN
    offered = steps(longest, chosen or model.context or longest)
    st.selectbox(
        "Context length",
        [0, *(tokens for tokens in offered if tokens >= SMALLEST_CONTEXT)],
        key=fields.seed(talk, "context"),
        format_func=lambda tokens: f"{tokens:,} tokens" if tokens else fields.UNSET,
        help=CONTEXT_HELP,
        on_change=fields.take,
        args=(talk, "context"),
    )
    st.caption(_loaded(model))
    if chosen and chosen != model.context:
        _other_context(model, chosen)


def _loaded(model: Model) -> str:
    now = _not_loaded(model)
    if model.context:
        now = f"Loaded now with {model.context:,} tokens."
    longest = f" Trained for at most {model.context_trained:,}." if model.context_trained else ""
    return f"{markdown.plain(model.called)}: {now}{longest}"


def _not_loaded(model: Model) -> str:
    if access.may(Action.RUN):
        return "It does not run: it is loaded with this when you send a message."
    if limits.may_use(access.role(), model):
        return "It does not run: it is loaded when you send a message."
    return "It does not run, and guests cannot start it."


def _other_context(model: Model, tokens: int) -> None:
    """What it would take, and for a running model the button that does it."""
    if said := context_fit.verdict(model, tokens):
        st.caption(f"**{said.word}.** {said.sentence}")
    if model.state == State.READY:
        st.button(
            f"Load with {tokens:,} tokens",
            icon=":material/restart_alt:",
            key="chat_load_context",
            help="The model is stopped and loaded again; replies it is writing now end.",
            on_click=_load,
            args=(model, tokens),
        )


def _load(model: Model, tokens: int) -> None:
    with shown_errors():
        actions.start_soon(model, StartOptions(context=tokens))
        _close()


def _load_news(model: Model) -> None:
    """A load that is under way, until it is over; or why the last one failed."""
    if actions.is_starting(model):
        st.fragment(_loading, run_every=1.0)(model)
    elif model.state != State.READY and (error := actions.failure(model)):
        is_owners = access.may(Action.RUN)
        said = markdown.error(error) if is_owners else markdown.plain(for_guests.of_error(error))
        st.error(said, icon=":material/error:")


def _loading(model: Model) -> None:
    if not actions.is_starting(model):
        st.rerun()
    st.caption(f"{markdown.plain(model.called)} is being loaded.")


def _buttons(talk: Conversation) -> None:
    settings = fields.settings_of(talk)
    is_plain = not settings.stored() and not fields.drafts(talk)
    is_owner, is_default = access.may(Action.CONFIGURE), settings == presets.defaults()
    if is_owner and is_default and not is_plain:
        st.caption("New conversations begin with these settings.")
    with st.container(horizontal=True, horizontal_alignment="right"):
        st.button(
            "Reset",
            key="chat_settings_reset",
            disabled=is_plain,
            on_click=fields.reset,
            args=(talk,),
        )
        if is_owner:
            st.button(
                "Use for new conversations",
                key="chat_settings_default",
                disabled=is_default,
                on_click=_use_for_new,
                args=(talk,),
            )
        st.button("Done", type="primary", key="chat_settings_done", on_click=_done, args=(talk,))


def _use_for_new(talk: Conversation) -> None:
    try:
        presets.use_for_new(fields.settings_of(talk))
    except BerthError as error:
        st.session_state[chat_presets.PROBLEM] = str(error)
