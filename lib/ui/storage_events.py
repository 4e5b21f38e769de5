"""What happens in the browser's storage and list, and what the open conversation makes of it."""

import contextlib
from collections.abc import Callable, Iterator

import streamlit as st

from lib import conversations, names, replies, words
from lib.conversations import Document, as_markdown, joined, read_bundle, read_document
from lib.errors import BadInput, BerthError, NotFound
from lib.replies import Reply
from lib.ui import conversation as chat
from lib.ui import history
from lib.ui.history import Event
from lib.ui.session import Conversation, Notice, conversation, notices, owner, set_conversation

DIVERGED = "This conversation was changed in another tab. Yours goes on here as “{}”."


def hear(event: Event) -> None:
    """Do what one event asks for; what goes wrong is said on the page."""
    with _noticed():
        _HANDLERS[event.kind](event)


@contextlib.contextmanager
def _noticed() -> Iterator[None]:
    try:
        yield
    except BerthError as error:
        notices().append(Notice(level="error", text=f"**{error.message}** {error.fix}"))


def _say(text: str) -> None:
    notices().append(Notice(level="info", text=text))


def _new(_: Event) -> None:
    chat.new()


def _open(event: Event) -> None:
    """Chosen in the list; one that cannot be read leaves the open one open."""
    document = read_document(event.raw)
    chat.new()
    talk = chat.blank(event.id)
    _fill(talk, event, document)
    set_conversation(talk)
    st.query_params["c"] = talk["id"]


def _document(event: Event) -> None:
    """The stored copy of the conversation that the address names."""
    if not (talk := _awaited(event)):
        return
    talk["is_awaited"] = False
    _fill(talk, event, read_document(event.raw))


def _awaited(event: Event) -> Conversation | None:
    talk = conversation()
    return talk if talk and talk["is_awaited"] and talk["id"] == event.id else None


def _fill(talk: Conversation, event: Event, document: Document) -> None:
    """Stored turns, then what the server knows beyond them; saved if that is more."""
    turns = joined(document.turns, talk["turns"])
    if turns is None:  # the spool's newest reply belongs to a copy that parted from this one
        talk["reply"] = ""
    talk["turns"] = turns or document.turns
    talk["title"], talk["settings"] = event.title, document.settings
    talk["revisions"] = [event.rev]
    pending = document.reply
    if pending and not any(turn["reply"] == pending for turn in talk["turns"]):
        talk["reply"] = pending
        talk["is_handed_over"] = _is_over(pending)
        chat.take_finished(talk)
    elif pending or talk["turns"] != document.turns:
        chat.save(talk)


def _is_over(reply_id: str) -> bool:
    reply = _reply(reply_id)
    return reply is None or reply.is_over


def _reply(reply_id: str) -> Reply | None:
    try:
        return replies.find(reply_id, owner())
    except NotFound:
        return None


def _missing(event: Event) -> None:
    """The browser has nothing under the id; what the server knows may be all there is."""
    if not (talk := _awaited(event)):
        return
    talk["is_awaited"] = False
    if talk["turns"] and event.why != "deleted":
        chat.save(talk)
        return
    chat.new()
    if event.why == "deleted":
        _say("This conversation was deleted. It can be restored under “Recently deleted”.")
    else:
        _say("This browser has no such conversation. Conversations stay where they were written.")


def _waiting(event: Event) -> None:
    """A reply that ended while its page was away."""
    document, talk = read_document(event.raw), conversation()
    reply = _reply(document.reply)
    if not reply or not reply.is_over or (talk and talk["id"] == event.id):
        return
    turns = joined(document.turns, [*document.turns, conversations.answer(reply)])
    whole = document.model_copy(update={"turns": turns, "reply": ""})
    history.put(event.id, event.title, whole, [event.rev], is_answered=False)


def _refused(event: Event) -> None:
    if event.why == "conflict":
        _settle(event)
        return
    kept = {"title": event.title, "document": event.mine, "why": event.why, "rev": event.rev}
    chat.unsaved()[event.id] = kept


def _settle(event: Event) -> None:
    """Another tab has saved: take what it has more, or part and keep both."""
    talk = conversation()
    is_open = bool(talk and talk["id"] == event.id)
    if not is_open and event.id in _parted():
        return  # its newer copy has been saved already, under its new id
    mine = read_document(event.mine)
    if talk and is_open:
        mine.turns = talk["turns"]
    try:
        turns = joined(read_document(event.raw).turns, mine.turns)
    except BadInput:
        turns = None
    if turns is None:
        _part(event, mine)
    elif talk and is_open:
        talk["turns"] = turns
        talk["revisions"] = [event.rev]
        chat.save(talk)
    else:
        mine.turns = turns
        history.put(event.id, event.title, mine, [event.rev], is_answered=False)


def _parted() -> set[str]:
    """Ids under which this session's copy is stored no more."""
    parted: set[str] = st.session_state.setdefault("chat_parted", set())
    return parted


def _part(event: Event, mine: Document) -> None:
    """This session's copy becomes a conversation of its own."""
    talk, name = conversation(), conversations.title(f"{event.title[:100]} (other tab)")
    own: list[str] = []
    own_id = conversations.new_id()
    _parted().add(event.id)
    history.put(own_id, name, mine, own, is_answered=False)
    if talk and talk["id"] == event.id:
        talk["id"], talk["title"], talk["revisions"] = own_id, name, own
        st.query_params["c"] = own_id
    _say(DIVERGED.format(name))


def _saved(event: Event) -> None:
    chat.unsaved().pop(event.id, None)


def _gone(event: Event) -> None:
    talk = conversation()
    if talk and talk["id"] == event.id:
        chat.new()


def _export(event: Event) -> None:
    text = as_markdown(event.title, read_document(event.raw).turns)
    history.save_file(f"{names.slug(event.title)}.md", text)


def _import(event: Event) -> None:
    entries = read_bundle(event.raw)
    for entry in entries:
        entry.document.reply = ""
        history.add(entry)
    notices().clear()
    _say(f"Imported {words.count(len(entries), 'conversation')}.")


_HANDLERS: dict[str, Callable[[Event], None]] = {
    "new": _new,
    "open": _open,
    "document": _document,
    "missing": _missing,
    "waiting": _waiting,
    "refused": _refused,
    "saved": _saved,
    "gone": _gone,
    "export": _export,
    "import": _import,
}
