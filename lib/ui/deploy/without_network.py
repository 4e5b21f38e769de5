"""What can be deployed although the Hub cannot be reached."""

import streamlit as st

from lib.core import words
from lib.engines import all_models
from lib.engines.llamacpp import stores
from lib.ui import adoption_view, markdown
from lib.ui.deploy import mirror_form, starter
from lib.ui.session import choose_to_deploy


def draw() -> None:
    """Models and files of this machine, another address of the Hub, and the starter."""
    with st.container(border=True, key="deploy_without_network"):
        st.markdown("**What works without the Hub**")
        here = all_models()
        if here:
            count = words.count(len(here), "model is", "models are")
            if st.button(
                f"{count} here already", icon=":material/deployed_code:", key="models_here"
            ):
                st.switch_page("pages/2_Models.py")
        if rows := adoption_view.usable():
            adoption_view.few(rows)
        else:
            _folders()
        st.caption("The whole path of a .gguf file, or of a folder with some, can be typed above.")
        mirror_form.form()
        if not here:
            starter.offline()


def _folders() -> None:
    """Where nobody has looked yet: the places where other tools keep theirs."""
    for folder in stores.known_folders():
        st.button(
            f"Use a model that is in {markdown.label(str(folder))}",
            icon=":material/folder_open:",
            key=f"deploy_folder {folder}",
            on_click=choose_to_deploy,
            args=(str(folder),),
        )
