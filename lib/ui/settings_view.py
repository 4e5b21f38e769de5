"""The settings page's parts. Each says what is so now, and is saved by itself."""

import contextlib
import os
from collections.abc import Callable, Iterator

import streamlit as st

from lib.core import database, preferences
from lib.core.errors import BadInput, BerthError
from lib.engines import variants
from lib.engines.llamacpp import program
from lib.fleet import notices, rules
from lib.ui import adoption_view, life, markdown
from lib.ui.deploy import mirror_form, token_form
from lib.ui.elements import this_browser
from lib.ui.shell import shown_errors

IDLE, OWN, WEBHOOK = "settings_idle", "settings_own", "settings_webhook"
CRASHED = "settings_crashed"
REPETITION = "settings_repetition"
PAGES = ("Settings", "./", "Home", "Deploy", "Models", "Chat", "System", "Connect", "Requests")
LATER = ":material/restart_alt:"  # marks what does not hold at once
SAID = "settings_said"  # what came of the last change, by the part it belongs to


def problems() -> None:
    """What is wrong with the files that settings and history are kept in."""
    for problem in filter(
        None, (preferences.problem(), rules.problem(), variants.problem(), database.problem())
    ):
        st.warning(markdown.plain(problem), icon=":material/warning:")


def memory() -> None:
    """When models give their memory back."""
    st.header("Memory")
    usual = preferences.preferences().idle_minutes
    choices = sorted({*life.USUAL_MINUTES, usual})
    st.selectbox(
        "A model that nobody uses",
        choices,
        index=choices.index(usual),
        format_func=life.described,
        key=IDLE,
        on_change=_save_idle,
        width=320,
        help="Single models can have a rule of their own, or be pinned: open More on the Models "
        "page. It is about the built-in engine; Ollama has a rule of its own (OLLAMA_KEEP_ALIVE).",
    )
    st.toggle(
        "Start a model again that ended by itself",
        value=preferences.preferences().restarts_crashed,
        key=CRASHED,
        on_change=_save_crashed,
        help="After 5 seconds, after 30, after 2 minutes; then it is left alone. Not one that was "
        "told to end, nor one that the system ended because memory was short.",
    )


def own_program() -> None:
    """A llama-server of the user's own, which may know the graphics card."""
    st.header("Engines")
    own = program.known()
    with _form("settings_own_form"):
        st.text_input(
            "Path of a llama-server of your own",
            value=preferences.preferences().llama_server,
            key=OWN,
            placeholder="looked for on PATH; off for none",
            autocomplete="off",
            max_chars=preferences.LONGEST_PATH,
            disabled=bool(os.environ.get(program.VARIABLE)),
            help="A build for your graphics card, for instance. The built-in engine then runs "
            "models with it, and with its own program where that one cannot.",
        )
        st.form_submit_button("Save and try it", on_click=_save_own)
    st.caption(f"{LATER} It holds from the next start of a model on; those that run go on.")
    if os.environ.get(program.VARIABLE):
        st.caption(f"It is set by the environment variable {program.VARIABLE}: change it there.")
    if own and own.is_usable:
        st.caption(f":green[✓] {markdown.plain(own.title)}")
    elif own:
        st.caption(markdown.plain(program.objection(own)))
    else:
        st.caption("None is used: models run with the engine that Berth brings along.")
    _said(OWN)


def chat() -> None:
    """What holds for every conversation."""
    st.header("Chat")
    st.toggle(
        "Stop a reply that repeats itself",
        value=preferences.preferences().stops_repetition,
        key=REPETITION,
        help="A small model may write one phrase for ever. What came is kept, and it can be "
        "continued. Programs that use /v1 get every word all the same.",
        on_change=_save_repetition,
    )


def looks() -> None:
    """The theme, of this browser."""
    st.header("Theme")
    this_browser.theme(PAGES)
    st.caption("It holds for this browser.")


def hub() -> None:
    """The token for gated and private models, and another address of the Hub."""
    st.header("Hugging Face")
    token_form.form(label="Save the token")
    mirror_form.form()
    adoption_view.updates_toggle()


def notices_section() -> None:
    """One address that is told what ends or fails."""
    st.header("Notices")
    st.caption(
        "When a deployment ends, a model fails or something needs you, Berth can say so here, and "
        "tell one address: the incoming web hook of Slack, Mattermost, Discord's Slack form "
        "(…/slack), ntfy, or a program of yours."
    )
    this_browser.notice_switch(max((one.number for one in notices.recent()), default=0))
    with _form("settings_webhook_form"):
        st.text_input(
            "Address",
            value=preferences.preferences().webhook,
            key=WEBHOOK,
            placeholder="https://…",
            autocomplete="off",
            max_chars=2_048,
        )
        st.form_submit_button("Save", on_click=_save_webhook)
    if preferences.preferences().webhook:
        st.button("Send a test", on_click=_test_webhook, key="settings_webhook_test")
    _said(WEBHOOK)


@contextlib.contextmanager
def _form(key: str) -> Iterator[None]:
    """A field and its button in one line."""
    with (
        st.form(key, border=False),
        st.container(horizontal=True, vertical_alignment="bottom"),
    ):
        yield


def _said(part: str) -> None:
    told = st.session_state.get(SAID, {})
    if told.get("part") == part:
        draw = st.success if told["is_well"] else st.error
        draw(markdown.plain(told["text"]))


def _save_idle() -> None:
    with shown_errors():
        preferences.change(idle_minutes=st.session_state[IDLE])


def _save_repetition() -> None:
    with shown_errors():
        preferences.change(stops_repetition=bool(st.session_state[REPETITION]))


def _save_crashed() -> None:
    with shown_errors():
        preferences.change(restarts_crashed=bool(st.session_state[CRASHED]))


def _save_own() -> None:
    def save() -> str:
        preferences.change(llama_server=str(st.session_state[OWN]).strip())
        own = program.checked(again=True)
        if own and own.problem:
            raise BadInput(program.objection(own))
        return "Saved. It is used from the next start of a model on."

    _tried(OWN, save)


def _save_webhook() -> None:
    def save() -> str:
        notices.set_address(str(st.session_state[WEBHOOK]))
        return "Saved."

    _tried(WEBHOOK, save)


def _test_webhook() -> None:
    def test() -> str:
        notices.try_out()
        return "It was taken."

    _tried(WEBHOOK, test)


def _tried(part: str, act: Callable[[], str]) -> None:
    """Do it, and keep what is to be said below this part."""
    try:
        told = {"text": act(), "is_well": True}
    except BerthError as error:
        told = {"text": f"{error.message} {error.fix}".strip(), "is_well": False}
    st.session_state[SAID] = {"part": part, **told}
