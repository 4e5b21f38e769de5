"""Where a model is asked from elsewhere, with texts to paste."""

from collections.abc import Mapping
from urllib.parse import urlsplit

import streamlit as st

from lib.core import owner_key
from lib.core.settings import settings
from lib.engines import ollama
from lib.engines.base import Model
from lib.fleet import contents, endpoints
from lib.fleet.endpoints import Way

OWN = "The engine itself"
LANGUAGES = {
    "curl": "bash",
    "Python": "python",
    "JavaScript": "javascript",
    "Environment": "bash",
    OWN: "bash",
}
HINTS = {
    "curl": "For bash or zsh.",
    "Python": "Needs the openai package: pip install openai",
    "JavaScript": "For Node.js, Deno and Bun: save it as a file that ends in .mjs.",
    "Environment": "For programs that take OpenAI's address from their environment.",
    OWN: "Past Berth, which then counts and limits nothing; the address until the next start:",
}


def base_url() -> str:
    """Scheme, host and port by which this browser reaches Berth."""
    seen = urlsplit(st.context.url or "http://localhost:8501")
    return f"{seen.scheme}://{seen.netloc}"


def through_berth(model: Model) -> Way:
    """By the address that this browser uses."""
    key_file = str(settings().owner_key) if owner_key.is_asked_for() else ""
    return Way(f"{base_url()}/v1", model.name, key_file)


def section(model: Model, key: str) -> None:
    """The address, and a text in the chosen language."""
    way = through_berth(model)
    st.caption("OpenAI-compatible address of every running model, and this one's name there.")
    with st.container(horizontal=True):
        st.code(way.base_url, language=None, width="stretch")
        st.code(way.model, language=None, width="stretch")
    found = texts(model, way)
    language = st.segmented_control(
        "Language",
        [*found],
        default="curl",
        required=True,
        key=f"language-{key}",
        label_visibility="collapsed",
    )
    st.code(found[language], language=LANGUAGES[language], wrap_lines=True)
    st.caption(HINTS[language])
    if language == OWN:
        st.code(_own_address(model), language=None)


def texts(model: Model, way: Way) -> Mapping[str, str]:
    """By the names of what they are for."""
    call = endpoints.call_of(model)
    found = {
        "curl": endpoints.curl(call, way),
        "Python": endpoints.python(call, way),
        "JavaScript": endpoints.javascript(call, way),
        "Environment": endpoints.environment(way),
        OWN: _own_text(model),
    }
    return {name: text for name, text in found.items() if text}


def _own_text(model: Model) -> str:
    call = endpoints.call_of(model)
    if model.engine == ollama.ENGINE.name:
        return endpoints.ollama(call, _own_address(model), model.name) if model.url else ""
    own = contents.own_way(model)
    return endpoints.curl(call, own) if own else ""


def _own_address(model: Model) -> str:
    is_ollama = model.engine == ollama.ENGINE.name
    return model.url.removesuffix("/v1") if is_ollama else model.url
