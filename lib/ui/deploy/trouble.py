"""What went wrong with a look-up, and the next thing to do."""

import streamlit as st

from lib.core.errors import BerthError, NetworkError
from lib.hub.errors import NoAccess
from lib.ui import markdown
from lib.ui.deploy import token_form


def draw(error: BerthError) -> None:
    """Message and remedy; where a token would help, the field for it."""
    st.error(words_of(error), icon=":material/error:")
    if isinstance(error, NoAccess):
        token_form.form(error.url)
    elif isinstance(error, NetworkError):
        st.button("Try again", icon=":material/refresh:", key="deploy_again")


def words_of(error: BerthError) -> str:
    """Message and remedy, with what others wrote into them shown letter for letter."""
    return markdown.error(error)
