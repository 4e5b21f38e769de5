"""Hosts and origins that the owner names for programs in containers and desktop apps."""

import streamlit as st

from lib.core.access import Action, may
from lib.core.preferences import preferences
from lib.sharing import named
from lib.ui import markdown
from lib.ui.shell import shown_errors

HOSTS, ORIGINS = "named_hosts", "named_origins"
SAID = "named_said"


def section() -> None:
    """For the owner alone: two lists, each line one name."""
    if not may(Action.CONFIGURE):
        return
    now = preferences()
    with st.expander("Containers and desktop apps", icon=":material/deployed_code:", key="named"):
        st.caption(
            "A program in a container, or an app that is a web page of its own, is refused until "
            "it is named here: foreign websites look the same. Only the models' addresses (/v1) "
            "are opened by it, never these pages."
        )
        with st.form("named_form", border=False):
            hosts, origins = st.columns(2)
            hosts.text_area(
                "Hosts, one per line",
                value="\n".join(now.v1_hosts),
                placeholder="host.docker.internal",
                key=HOSTS,
                help="The name that the program calls this machine by.",
            )
            origins.text_area(
                "Origins, one per line",
                value="\n".join(now.v1_origins),
                placeholder="app://obsidian.md",
                key=ORIGINS,
                help="What the app says it is; the refusal that it shows or logs names it.",
            )
            st.form_submit_button("Save", on_click=_save)
        if said := st.session_state.pop(SAID, ""):
            st.success(markdown.plain(said))


def _save() -> None:
    hosts, origins = (st.session_state[key].splitlines() for key in (HOSTS, ORIGINS))
    with shown_errors():
        named.save(hosts, origins)
        st.session_state[SAID] = "Saved. It holds at once."
