"""Chat with any model of any engine."""

import streamlit as st

from lib.engines import all_models
from lib.ui import chat, starter
from lib.ui.shell import page, shown_errors

page("Chat", layout="centered")

with shown_errors():
    models = all_models()
    if not models:
        starter.invitation()
        st.stop()
    picker, fresh = st.columns([5, 1], vertical_alignment="bottom")
    with picker:
        model = chat.model_picker(models)
    fresh.button("New chat", on_click=chat.new_conversation, width="stretch")
    talk = chat.opened()
    chat.take_finished(talk)
    chat.messages(talk)
    if not talk["turns"]:
        chat.welcome(model)
    chat.composer(talk, model)
