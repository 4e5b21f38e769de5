"""The conversations in the browser's own storage: one element that keeps, lists and searches them.

Python sends it operations, each with a number, so that none is run twice. The element sends
events, all that Python has not confirmed yet: of two triggers in a row Streamlit keeps the newer.
Neither is state: state would go up to the server again with every run.
"""

import math
import secrets
import time
from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import Any, Literal

import streamlit as st
from pydantic import BaseModel, TypeAdapter, ValidationError

from lib.chat.conversations import Document, Entry, Title
from lib.ui.elements.element import element

KEY = "history"
OFFER_SECONDS = 1.0  # runs in this time offer it again: the next may start before an offer left

Handler = Callable[["Event"], None]


class Event(BaseModel):
    """What happened in the browser; `raw` is the stored document, `mine` one that was refused."""

    n: int
    kind: Literal[
        "new", "open", "document", "missing", "waiting", "refused", "lacking", "saved", "gone",
        "export", "import", "imported",
    ]  # fmt: skip
    id: str = ""
    title: Title = ""
    rev: str = ""
    raw: str = ""
    mine: str = ""
    why: str = ""
    turns: int = 0  # how many the conversation has, where the change lacked the words of some
    counts: dict[str, int] = {}  # of imported conversations, by what became of them
    note: str = ""  # what was said with them


_EVENTS: TypeAdapter[list[Event]] = TypeAdapter(list[Event])


def mount(opened: str, handler: Handler) -> None:
    """Draw the list with `opened` marked; `handler` gets what happens, before the page's next run.

    What is to be saved has to be queued before.
    """
    memory, now = _memory(), time.monotonic()
    offered = [op for op in memory["ops"] if now - op["offered"] < OFFER_SECONDS]
    memory["ops"] = offered
    with st.sidebar:
        element("history")(
            key=KEY,
            data={
                "session": memory["session"],
                "opened": opened,
                "heard": memory["heard"],
                "ops": [{k: v for k, v in op.items() if k != "offered"} for op in offered],
            },
            on_event_change=partial(_hear, handler),
        )
    for op in offered:  # only now: a run that was ended before has offered nothing
        op["offered"] = min(op["offered"], time.monotonic())


def _memory() -> dict[str, Any]:
    """This session's side of the exchange."""
    fresh = {"session": secrets.token_hex(8), "heard": 0, "sent": 0, "ops": []}
    memory: dict[str, Any] = st.session_state.setdefault("history_memory", fresh)
    return memory


def _hear(handler: Handler) -> None:
    memory, told = _memory(), st.session_state.get(KEY)
    try:
        events = _EVENTS.validate_python((told.get("event") if told else None) or [])
    except ValidationError:
        return  # not from our element
    for event in events:
        if event.n > memory["heard"]:
            memory["heard"] = event.n
            handler(event)


def _queue(kind: str, **details: Any) -> None:
    memory = _memory()
    memory["sent"] += 1
    memory["ops"].append({"op": kind, "seq": memory["sent"], "offered": math.inf, **details})


def put(
    conversation: str,
    title: str,
    change: Document,
    revision: str,
    turns: int,
    is_answered: bool,
    drawn: Collection[str] = (),
) -> str:
    """Put the turns of `change` into the stored copy; the new revision is returned.

    Refused unless the stored copy is of this `revision` and then has as many `turns` as there are.
    With `is_answered` success is told too. What the window has `drawn` is not sent once more: an
    event `lacking` tells that it has not got those words.
    """
    new = secrets.token_hex(4)
    _queue(
        "put",
        id=conversation,
        title=title,
        doc=change.text(drawn),
        waits=bool(change.replies),
        known=revision,
        turns=turns,
        rev=new,
        answer=is_answered,
    )
    return new


def get(conversation: str) -> None:
    """Ask for a document: an event `document` or `missing` will tell."""
    _queue("get", id=conversation)


def add(entries: Sequence[Entry], note: str) -> None:
    """Store imported conversations; an event `imported` tells what became of them, and the note."""
    found = [
        {
            "id": entry.id,
            "title": entry.title,
            "ts": entry.ts,
            "pinned": entry.pinned,
            "doc": entry.document.text(),
            "rev": secrets.token_hex(4),
        }
        for entry in entries
    ]
    _queue("add", entries=found, note=note)


def save_file(name: str, text: str) -> None:
    """Have the browser save a text as a file."""
    _queue("file", name=name, text=text)
