"""What is set elsewhere than on the settings page: limits for guests, environment variables."""

import os
import re
from typing import NamedTuple

import streamlit as st

from lib.core import words
from lib.core.names import shown
from lib.core.preferences import preferences
from lib.core.redact import redact
from lib.core.settings import HEADER_SECONDS, HUB
from lib.download.one_file import Patience
from lib.ui import markdown

LONGEST_SHOWN = 200
HIDDEN = ("HF_TOKEN",)  # of these it is said only that they are set
_USER = re.compile(r"(?<=://)[^/@]*@")


class Variable(NamedTuple):
    """One that Berth reads."""

    name: str
    about: str
    usual: str  # what holds where it is not set


def _variables() -> list[Variable]:
    patience, upload = Patience(), st.get_option("server.maxUploadSize")
    stall = f"{patience.silence_seconds:g}"
    return [
        Variable("BERTH_HOME", "where everything is kept", "~/.berth"),
        Variable("BERTH_LLAMA_SERVER", "a llama-server of your own, or off", "as saved above"),
        Variable("BERTH_STALL_SECONDS", "seconds without a byte until a download stalls", stall),
        Variable("BERTH_RETRIES", "more tries after that", str(patience.retries)),
        Variable("BERTH_HEADER_SECONDS", "seconds a request may begin in", f"{HEADER_SECONDS:g}"),
        Variable("STREAMLIT_SERVER_MAX_UPLOAD_SIZE", "MB of a file sent in a chat", str(upload)),
        Variable("HF_ENDPOINT", "the address of the Hugging Face Hub, or of a mirror", HUB),
        Variable("HF_TOKEN", "your Hub token", "as saved above"),
        Variable("HF_HUB_OFFLINE", "1: the Hub is not asked", "0"),
        Variable("OLLAMA_HOST", "where Ollama answers", "127.0.0.1:11434"),
        Variable("OLLAMA_MODELS", "where Ollama keeps its models", "~/.ollama/models"),
        Variable("PIP_INDEX_URL", "the package index", "pip's own"),
    ]


def section() -> None:
    """A line about guests, and the variables with what they are now."""
    st.header("Limits and variables")
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(markdown.plain(_guests()), width="content")
        label = "Change them on System"
        if st.button(label, key="settings_limits", type="tertiary", icon=":material/tune:"):
            st.switch_page("pages/4_System.py")
    with st.expander("Environment variables", key="settings_variables"):
        st.caption(
            ":material/restart_alt: Read when Berth starts: set one, then start Berth again. They "
            "go before what is saved here."
        )
        st.markdown("\n".join(map(_line, _variables())))


def _guests() -> str:
    """`A guest may ask for 2,048 tokens per reply, 20 questions a minute and …`."""
    now = preferences().guests
    told = [
        f"{now.tokens_per_reply:,} tokens per reply",
        words.count(now.questions_per_minute, "question") + " a minute",
        words.count(now.replies_each, "reply", "replies") + " at a time",
    ]
    return f"Limits for guests: {words.listed(told)}; {now.replies_of_all} for all together."


def _line(one: Variable) -> str:
    """`- HF_ENDPOINT https://… (set) · the address of …`."""
    given = os.environ.get(one.name, "").strip()
    value = "•••" if one.name in HIDDEN else shown(_USER.sub("", redact(given)), LONGEST_SHOWN)
    now = f"{_code(value)} (set)" if given else _code(one.usual)
    return f"- :small[{_code(one.name)} {now} · {markdown.plain(one.about)}]"


def _code(text: str) -> str:
    """As it is, and no link."""
    return f"`{text.replace('`', ' ')}`"
