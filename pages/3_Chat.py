"""Chat with any model of any engine."""

from lib.engines import all_models
from lib.sharing import limits
from lib.ui.chat import compare, conversation
from lib.ui.chat import page as chat
from lib.ui.chat.message_actions import ask_again_with
from lib.ui.chat.messages import messages
from lib.ui.chat.storage_events import hear
from lib.ui.deploy import starter
from lib.ui.elements import history
from lib.ui.shell import page, shown_errors

talk = conversation.opened()
compare.take_up(talk)
page("Chat", layout=compare.layout(talk))

with shown_errors():
    conversation.take_finished(talk)
    history.mount(talk["id"] if talk["turns"] else "", hear)
    models = [model for model in limits.usable(all_models()) if model.writes]
    model = chat.header(talk, models) if models else None
    chat.notes()
    messages(talk, conversation.offer(talk, model))
    if model is None:
        starter.invitation()
    else:
        chat.composer(talk, model)
        ask_again_with(chat.labels(models))
