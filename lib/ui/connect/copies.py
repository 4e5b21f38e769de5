"""The same settings as texts, for programs on other machines."""

import streamlit as st

from lib.connect import changes
from lib.connect.clients import CLIENTS, Client
from lib.connect.way import Way
from lib.engines.base import Model
from lib.sharing import listener
from lib.ui import markdown
from lib.ui.connect import choice

PLACEHOLDER = "YOUR-KEY"
WEBUI = "Open WebUI"
LANGUAGES = {"toml": "toml", "json": "json", "yaml": "yaml"}


def section(able: list[Model], here: Way) -> None:
    """With the address in the network while Berth is shared, and with a place for a key."""
    with st.expander("Copies for other machines", icon=":material/content_copy:", key="copies"):
        share = listener.current()
        if share is None:
            st.caption(
                "Berth is not shared with the network, so these have this machine's own address. "
                "Share it on the System page to get texts for others."
            )
        model = next(one for one in able if one.name == here.model)
        address, key = (share.url, PLACEHOLDER) if share else (here.root, "")
        way = choice.way(model, address, key)
        titles = {one.title: one for one in CLIENTS.values()}
        picked = st.segmented_control(
            "Program",
            [*titles, WEBUI],
            default=next(iter(titles)),
            required=True,
            key="copies_program",
            label_visibility="collapsed",
        )
        if picked == WEBUI:
            _webui(way)
        else:
            _file(titles[picked], way)
        if share:
            st.caption(f"Put a key of this Berth in the place of {PLACEHOLDER}.")


def _file(client: Client, way: Way) -> None:
    path = markdown.plain(f"~/{client.usual}")
    st.caption(f"In {path}, beside what stands there:")
    st.code(changes.example(client, way), language=LANGUAGES[client.kind])


def _webui(way: Way) -> None:
    st.caption(
        "In its Admin Panel under Settings, Connections, OpenAI API; or in its environment at its "
        "very first start, as it keeps these in its database from then on:"
    )
    st.code(
        f"OPENAI_API_BASE_URL={way.base_url}\nOPENAI_API_KEY={way.secret}\nENABLE_OLLAMA_API=false",
        language="bash",
    )
