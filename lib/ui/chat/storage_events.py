"""What happens in the browser's storage and list, and what the open conversation makes of it."""

import contextlib
from collections.abc import Callable, Iterator, Sequence

import streamlit as st

from lib.chat import conversations, imports, replies
from lib.chat.branches import Tree, merged
from lib.chat.conversations import (
    Document,
    Turn,
    as_markdown,
    read_document,
)
from lib.chat.reply import Reply
from lib.core import names
from lib.core.errors import BadInput, BerthError, NotFound
from lib.ui import markdown
from lib.ui.chat import conversation as chat
from lib.ui.elements import attach, history
from lib.ui.elements.history import Event
from lib.ui.elements.kept_reply import drawn_blocks
from lib.ui.session import Conversation, Notice, conversation, notices, owner, set_conversation

CONTINUED = (
    "This conversation was continued in another tab too. Both ways are kept: where they part, "
    "the arrows below a message lead from one to the other."
)
DAMAGED = "The stored copy of this conversation is damaged. Yours goes on here as “{}”."


def hear(event: Event) -> None:
    """Do what one event asks for; what goes wrong is said on the page."""
    with _noticed():
        _HANDLERS[event.kind](event)


@contextlib.contextmanager
def _noticed() -> Iterator[None]:
    try:
        yield
    except BerthError as error:
        notices().append(Notice(level="error", text=markdown.error(error)))


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
    try:
        _fill(talk, event, read_document(event.raw))
    finally:
        talk["is_awaited"] = False


def _awaited(event: Event) -> Conversation | None:
    talk = conversation()
    return talk if talk and talk["is_awaited"] and talk["id"] == event.id else None


def _fill(talk: Conversation, event: Event, document: Document) -> None:
    """Stored turns, then what the server knows beyond them; saved if that is more."""
    talk["turns"], talk["leaf"] = list(document.turns), document.leaf
    talk["title"], talk["settings"], talk["revision"] = event.title, document.settings, event.rev
    talk["changed"] = _unstored(talk["turns"], document)
    if talk["is_awaited"]:
        chat.catch_up(talk)
        chat.add_known(talk)
    talk["is_awaited"] = False
    for pending in document.replies:
        _pursue(talk, pending)
    chat.take_finished(talk)
    if talk["changed"]:
        chat.save(talk)


def _unstored(turns: Sequence[Turn], stored: Document) -> list[str]:
    """The ids of turns that the stored copy lacks, or has otherwise, or in an older form."""
    known = {turn["id"]: turn for turn in stored.turns} if stored.version == 2 else {}
    return [turn["id"] for turn in turns if known.get(turn["id"]) != turn]


def _pursue(talk: Conversation, reply_id: str) -> None:
    """A reply that was being written when the conversation was stored."""
    if reply_id in talk["lanes"] or any(turn["id"] == reply_id for turn in talk["turns"]):
        return
    talk["lanes"].append(reply_id)
    reply = _reply(reply_id)
    if reply and reply.request.beginning:
        talk["replaced"] = reply.request.turns[-1]
    talk["is_handed_over"] = reply is None or reply.is_over


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
    if event.why != "deleted":
        chat.catch_up(talk)
        chat.add_known(talk)
    if talk["turns"] or (event.why != "deleted" and attach.has_files(talk["id"])):
        chat.save(talk)
        return
    chat.new()
    if event.why == "deleted":
        _say("This conversation was deleted. It can be restored under “Recently deleted”.")
    else:
        _say("This browser has no such conversation. Conversations stay where they were written.")


def _waiting(event: Event) -> None:
    """Replies that ended while their page was away, or whose save did not arrive."""
    document, talk = read_document(event.raw), conversation()
    if talk and talk["id"] == event.id:
        is_whole = not (talk["is_awaited"] or chat.is_running(talk))
        if is_whole and event.rev != talk["revision"]:
            _settle(event)
        return
    found = [reply for one in document.replies if (reply := _reply(one)) and reply.is_over]
    if found:
        left = chat.blank(event.id)
        _fill(left, event, document)


def _refused(event: Event) -> None:
    if event.why == "conflict":
        _settle(event)
        return
    kept = {"title": event.title, "document": event.mine, "why": event.why, "rev": event.rev}
    chat.unsaved()[event.id] = kept


def _lacking(event: Event) -> None:
    """The window has not got the words of replies that it was thought to have drawn: send them."""
    talk, change = conversation(), read_document(event.mine)
    for turn in change.turns:
        drawn_blocks().pop(turn["id"], None)
    if talk and talk["id"] == event.id:
        talk["changed"] += [turn["id"] for turn in change.turns]
        talk["revision"] = event.rev
        chat.save(talk)
        return
    known = {turn["id"]: reply for turn in change.turns if (reply := _reply(turn["id"]))}
    change.turns = [
        conversations.answer(known[turn["id"]]) if turn["id"] in known else turn
        for turn in change.turns
    ]
    history.put(event.id, event.title, change, event.rev, event.turns, is_answered=False)


def _settle(event: Event) -> None:
    """Another tab has saved: what both have said is kept, where they part on two branches."""
    talk = conversation()
    is_open = bool(talk and talk["id"] == event.id)
    mine = chat.document(talk) if talk and is_open else read_document(event.mine)
    try:
        stored = read_document(event.raw) if event.raw else Document(turns=[])
    except BadInput:
        _part(event, mine)
        return
    both = Document.model_construct(
        turns=merged(mine.turns, stored.turns),
        leaf=mine.leaf,
        replies=mine.replies,
        settings=mine.settings,
    )
    changed = _unstored(both.turns, stored)
    if talk and is_open:
        talk["turns"], talk["changed"], talk["revision"] = both.turns, changed, event.rev
        chat.save(talk)
        _tell_of_branches(both, mine)
    else:
        change = both.model_copy(update={"turns": [t for t in both.turns if t["id"] in changed]})
        history.put(event.id, event.title, change, event.rev, len(both.turns), is_answered=False)


def _tell_of_branches(both: Document, mine: Document) -> None:
    known = {turn["id"] for turn in mine.turns}
    if any(turn["id"] not in known and not turn["gone"] for turn in both.turns):
        _say(CONTINUED)


def _part(event: Event, mine: Document) -> None:
    """The stored copy cannot be read: this session's becomes a conversation of its own."""
    talk, name = conversation(), conversations.title(f"{event.title[:100]} (copy)")
    own_id = conversations.new_id()
    revision = history.put(own_id, name, mine, "", len(mine.turns), is_answered=False)
    if talk and talk["id"] == event.id:
        talk["id"], talk["title"], talk["revision"] = own_id, name, revision
        st.query_params["c"] = own_id
    _say(DAMAGED.format(markdown.plain(name)))


def _saved(event: Event) -> None:
    chat.unsaved().pop(event.id, None)


def _gone(event: Event) -> None:
    talk = conversation()
    if talk and talk["id"] == event.id:
        chat.new()


def _export(event: Event) -> None:
    document = read_document(event.raw)
    text = as_markdown(event.title, Tree(document.turns).path(document.leaf))
    history.save_file(f"{names.slug(event.title)}.md", text)


def _import(event: Event) -> None:
    notices().clear()
    entries, note = imports.read(event.raw)
    for entry in entries:
        entry.document.replies = []
    newest_first = sorted(entries, key=lambda entry: entry.ts, reverse=True)
    history.add(newest_first, note)


def _imported(event: Event) -> None:
    """What became of the conversations of a file."""
    _say(imports.outcome(event.counts, event.note))


_HANDLERS: dict[str, Callable[[Event], None]] = {
    "new": _new,
    "open": _open,
    "document": _document,
    "missing": _missing,
    "waiting": _waiting,
    "refused": _refused,
    "lacking": _lacking,
    "saved": _saved,
    "gone": _gone,
    "export": _export,
    "import": _import,
    "imported": _imported,
}
