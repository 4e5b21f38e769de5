"""What programs are to ask: the model, and the address of this Berth."""

import streamlit as st
from pydantic import SecretStr

from lib import dashboard
from lib.connect.way import Way
from lib.core import owner_key
from lib.engines.base import Model, State
from lib.ui import listing, markdown

MODEL, KEY = "connect_model", "connect_key"
ORDER = (State.READY, State.STARTING, State.STOPPED)
LITTLE_CONTEXT = 32_000  # tokens: coding agents send up to 20,000 with the first question
DEFAULT_PORT = 8501


def models() -> list[Model]:
    """Those that answer, or would once they are started; running ones first."""
    able = [one for one in listing.models() if one.writes and one.can_chat and one.state in ORDER]
    return sorted(able, key=_rank)


def _rank(model: Model) -> tuple[int, bool, str]:
    """What runs before what would have to be started; what calls tools before what does not."""
    return ORDER.index(model.state), not model.calls_tools, model.called.lower()


def chosen(able: list[Model]) -> Way:
    """The model that the owner picks, with a key where this machine asks for one."""
    by_name = {one.name: one for one in reversed(able)}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.selectbox(
            "Model",
            [*dict.fromkeys(one.name for one in able)],
            key=MODEL,
            format_func=lambda name: _label(by_name[name]) if name in by_name else name,
            width=420,
            help="What each program asks from now on. It can be changed here at any time.",
        )
        key = _key() if owner_key.is_asked_for() else ""
    model = by_name[name]
    _warn(model)
    return way(model, root(), key)


def way(model: Model, address: str, key: str = "") -> Way:
    """The settings' values for this model at this address."""
    return Way(
        root=address,
        model=model.name,
        context=model.context or model.context_trained,
        key=SecretStr(key),
        calls_tools=model.calls_tools,
        can_see=model.can_see,
    )


def root() -> str:
    """Where programs of this machine reach Berth."""
    running = dashboard.running()
    return f"http://{dashboard.HOST}:{running.port if running else DEFAULT_PORT}"


def _key() -> str:
    return st.text_input(
        "API key",
        type="password",
        key=KEY,
        width=260,
        autocomplete="off",
        max_chars=200,
        help="This machine asks every program for a key. It is written into the settings.",
    ).strip()


def _label(model: Model) -> str:
    return model.called if model.state == State.READY else f"{model.called} · {model.state.lower()}"


def _warn(model: Model) -> None:
    """What coding agents would stumble over."""
    name, context = markdown.plain(model.called), model.context or model.context_trained
    if model.calls_tools is False:
        st.caption(
            f":orange[:material/warning:] {name} calls no tools: coding agents can talk with it, "
            "and change nothing."
        )
    if context and context < LITTLE_CONTEXT:
        st.caption(
            f":orange[:material/warning:] {name} has a context of {context:,} tokens. Coding "
            f"agents want {LITTLE_CONTEXT:,} or more: load it with a larger one on the Models page."
        )
