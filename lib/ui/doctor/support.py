"""The support bundle: put together on demand, listed, then downloaded."""

import time

import streamlit as st

from lib.core import words
from lib.doctor import bundle as made
from lib.doctor.registry import REGISTRY
from lib.ui import markdown
from lib.ui.session import keep_support, support
from lib.ui.shell import shown_errors

MIME = "application/zip"


def bundle() -> None:
    """What it is; once it has been put together, what is in it and the download."""
    with st.expander("Support bundle", icon=":material/medical_information:", key="support"):
        st.caption(
            "A ZIP file for somebody who helps you: versions, this machine, findings, settings "
            "and the ends of logs. Tokens, keys, access codes, cookies and the names of account "
            "and machine are taken out; conversations are not in it. It is sent nowhere."
        )
        entries = support()
        if entries:
            _listed(entries)
        label = "Put it together again" if entries else "Put it together"
        st.button(label, key="support_make", on_click=_make)


def _listed(entries: list[made.Entry]) -> None:
    lines = [
        f"- **{markdown.plain(entry.name)}**: {markdown.plain(entry.about)}, "
        f"{words.disk(entry.bytes)}"
        for entry in entries
    ]
    st.markdown("\n".join(lines))
    st.download_button(
        "Download",
        made.packed(entries),
        file_name=f"berth-support-{time.strftime('%Y%m%d-%H%M')}.zip",
        mime=MIME,
        icon=":material/download:",
        on_click="ignore",
        key="support_download",
    )


def _make() -> None:
    with shown_errors():
        keep_support(made.contents(REGISTRY.seen()))
