"""Chat with any model of any engine."""

from lib import limits
from lib.engines import all_models
from lib.ui import chat, compare, conversation, history, starter
from lib.ui.message_bar import ask_again_with
from lib.ui.messages import messages
from lib.ui.shell import page, shown_errors
from lib.ui.storage_events import hear

talk = conversation.opened()
compare.take_up(talk)
page("Chat", layout=compare.layout(talk))

with shown_errors():
    conversation.take_finished(talk)
    history.mount(talk["id"] if talk["turns"] else "", hear)
    models = limits.usable(all_models())
    model = chat.header(talk, models) if models else None
    chat.notes()
    messages(talk)
    if model is None:
        starter.invitation()
    else:
        chat.composer(talk, model)
        ask_again_with(chat.labels(models))
