"""Servers on other machines: the owner's list of them on the Settings page."""

import streamlit as st

from lib.core.access import Action, may
from lib.core.errors import BerthError
from lib.engines.vllm import addresses
from lib.engines.vllm.addresses import Address
from lib.ui import markdown
from lib.ui.shell import shown_errors

NAME, URL, KEY = "address_name", "address_url", "address_key"
SAID = "address_said"


def section() -> None:
    """For the owner alone: what there is, and a form for one more."""
    if not may(Action.CONFIGURE):
        return
    found = addresses.all_addresses()
    with st.expander("Servers on other machines", icon=":material/dns:", key="addresses"):
        st.caption(
            "Ollama, vLLM or any other server that speaks the OpenAI dialect. Its models stand "
            "beside the local ones; what is asked of them goes there."
        )
        for address in found:
            _line(address)
        _said()
        for problem in addresses.problems():
            st.warning(markdown.plain(problem))
        _form()


def _line(address: Address) -> None:
    """One of them, with what came of the last try."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{markdown.plain(address.name)}**", width="content")
        st.caption(markdown.plain(address.url), width="stretch")
        st.button(
            "Try",
            key=f"try-address-{address.name}",
            type="tertiary",
            help="Ask it which models it has.",
            on_click=_try,
            args=(address,),
        )
        st.button(
            "Remove",
            key=f"remove-address-{address.name}",
            type="tertiary",
            on_click=_remove,
            args=(address.name,),
        )


def _said() -> None:
    """What came of the last change, once."""
    if told := st.session_state.pop(SAID, None):
        (st.success if told["is_well"] else st.warning)(markdown.plain(told["text"]))


def _form() -> None:
    with st.form("address_form", border=False):
        with st.container(horizontal=True):
            st.text_input(
                "Name", key=NAME, placeholder="lab", max_chars=32, width=160, autocomplete="off"
            )
            st.text_input(
                "Address", key=URL, placeholder="http://10.0.0.5:8000/v1", autocomplete="off"
            )
            st.text_input(
                "Key",
                key=KEY,
                type="password",
                width=220,
                autocomplete="off",
                help="Where the server wants one. It is kept on this machine, readable by you "
                "alone, and sent to this address only.",
            )
        st.form_submit_button("Add", on_click=_add)


def _add() -> None:
    """Keep it; the session keeps nothing of the key, and what was refused stays in its fields."""
    key = str(st.session_state.pop(KEY, ""))
    with shown_errors():
        name, url = (str(st.session_state.get(field) or "") for field in (NAME, URL))
        added = addresses.add(name, url, key)
        _try(added, "Saved. ")
        st.session_state[NAME] = st.session_state[URL] = ""


def _try(address: Address, before: str = "") -> None:
    """Say whether it answers: one that is down now may be up later, and is kept all the same."""
    try:
        told = {"text": f"{before}{addresses.tried(address)}", "is_well": True}
    except BerthError as error:
        why = f"{error.message} {error.fix}".strip()
        text = f"{before}{address.name} gives no list of models now. {why}"
        told = {"text": text, "is_well": False}
    st.session_state[SAID] = told


def _remove(name: str) -> None:
    with shown_errors():
        addresses.remove(name)
