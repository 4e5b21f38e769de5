"""Chat with any model of any engine."""

from lib.engines import all_models
from lib.ui import chat, starter
from lib.ui.shell import page, shown_errors

page("Chat", layout="centered")

with shown_errors():
    models, talk = all_models(), chat.opened()
    model = chat.header(models) if models else None
    chat.take_finished(talk)
    chat.messages(talk)
    if model is None:
        starter.invitation()
    else:
        chat.composer(talk, model)
