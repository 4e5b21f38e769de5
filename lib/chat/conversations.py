"""Conversations as their owner's browser keeps them.

Whatever comes back from there is checked: anybody may have written it, or imported it from a file
of somebody else's. What passes is plain data of known size that the page draws like model output.
"""

import json
import math
import re
import secrets
import unicodedata
import zlib
from collections.abc import Collection, Iterable
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, TypeAdapter, ValidationError
from typing_extensions import TypedDict  # pydantic cannot read typing's own before Python 3.12

from lib.chat import schema_check
from lib.chat import settings as chat_settings
from lib.chat.reply import (
    FINAL,
    Figures,
    Problem,
    Reply,
    ReplyState,
)
from lib.core.errors import BadInput

FORMAT = "berth-conversations"
TITLE_CHARACTERS = 60
LONGEST_TITLE = 120
LONGEST_TEXT = 2_000_000
MOST_TURNS = 5_000
MOST_FILES = 20
MOST_LANES = 4  # models that answer side by side
LARGEST_FIGURE = 1e9

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_DIRECTION = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_UNSEEN = ("Cc", "Cs", "Co", "Cn")  # categories: control, surrogate, private, unassigned
_ID = re.compile(r"[0-9a-f]{32}")
_IMAGE = re.compile(r"data:image/(png|jpeg|webp|gif);base64,[A-Za-z0-9+/]+={0,2}")


def _legible(text: str) -> str:
    return _CONTROL.sub("\ufffd", text)


def title(text: str) -> str:
    """One line without control and direction marks, of at most `LONGEST_TITLE` characters."""
    start = _DIRECTION.sub("", text[: 4 * LONGEST_TITLE])
    seen = "".join(c for c in start if c.isspace() or unicodedata.category(c) not in _UNSEEN)
    return " ".join(seen.split())[:LONGEST_TITLE].strip() or "Untitled"


def title_of(message: str) -> str:
    """The title that a first message gives: its beginning, cut between two words."""
    whole = title(re.sub(r"^[\s#>*`-]+", "", message))
    if len(whole) <= TITLE_CHARACTERS:
        return whole
    start, gap, _ = whole[:TITLE_CHARACTERS].rpartition(" ")
    return f"{start if gap and len(start) > TITLE_CHARACTERS // 2 else whole[:TITLE_CHARACTERS]}…"


def new_id() -> str:
    """An id that nobody can guess: it names a conversation in an address."""
    return secrets.token_hex(16)


def is_id(text: str) -> bool:
    """Could this be the id of a conversation or of a reply?"""
    return bool(_ID.fullmatch(text))


def _own_id(text: str) -> str:
    return text if is_id(text) else new_id()


def _known_id(text: str) -> str:
    return text if is_id(text) else ""


def _image(text: str) -> str:
    return text if not text or _IMAGE.fullmatch(text) else ""


def _name(text: str) -> str:
    return title(text) if text else ""


def _figures(found: dict[str, Any]) -> dict[str, Any]:
    """What was measured, or nothing where it cannot have been."""
    if not found:
        return {}
    try:
        figures = Figures.model_validate(found).model_dump()
    except ValidationError:
        return {}
    numbers = [value for value in figures.values() if isinstance(value, int | float)]
    is_sane = all(math.isfinite(n) and 0 <= n < LARGEST_FIGURE for n in numbers)
    return figures if is_sane and len(figures["finish_reason"]) < LONGEST_TITLE else {}


def _problem(found: dict[str, Any] | None) -> dict[str, str] | None:
    return Problem.model_validate(found).model_dump() if found else None


def _settings(found: Any) -> dict[str, Any]:
    return chat_settings.read(found).stored()


def _state(text: str) -> str:
    return text if text in FINAL else str(ReplyState.DONE)


def _empty() -> dict[str, Any]:
    """What a turn has beside who spoke and what, where nothing is known of it."""
    answer = {"model": "", "engine": "", "reasoning": "", "state": str(ReplyState.DONE)}
    outcome: dict[str, Any] = {"figures": {}, "problem": None, "check": ""}
    return {**answer, **outcome, "files": [], "gone": False, "round": "", "lane": 0, "vote": False}


def _filled(turn: Any) -> Any:
    """A turn that says no more than who spoke and what, as other programs write it."""
    if not isinstance(turn, dict):
        return turn
    return {"id": turn.get("reply", ""), **_empty(), **turn}


def _chained(turns: Any) -> Any:
    """Turns that do not say what they follow each follow the one before."""
    if not isinstance(turns, list):
        return turns
    found: list[Any] = []
    for turn in map(_filled, turns):
        if isinstance(turn, dict):
            if not isinstance(turn["id"], str) or not is_id(turn["id"]):
                turn["id"] = new_id()
            before = found[-1] if found else None
            turn.setdefault("parent", before["id"] if isinstance(before, dict) else "")
        found.append(turn)
    return found


Text = Annotated[str, Field(max_length=LONGEST_TEXT), AfterValidator(_legible)]
Title = Annotated[str, AfterValidator(title)]
OwnId = Annotated[str, AfterValidator(_own_id)]
KnownId = Annotated[str, AfterValidator(_known_id)]
Name = Annotated[str, AfterValidator(_name)]


class File(TypedDict):
    """Something that was sent with a question: `text`, or `image` as a data: URI."""

    name: Title
    text: Text
    image: Annotated[str, Field(max_length=LONGEST_TEXT), AfterValidator(_image)]
    tokens: Annotated[int, Field(ge=0, le=LARGEST_FIGURE)]


class Turn(TypedDict):
    """One message; what stands below `files` is an assistant's."""

    id: OwnId
    parent: KnownId  # the turn it follows; empty at the top
    role: Literal["user", "assistant"]
    content: Text
    gone: bool  # deleted: an empty place that others may still follow
    files: Annotated[list[File], Field(max_length=MOST_FILES)]
    model: Name
    engine: Name
    reasoning: Text
    state: Annotated[str, AfterValidator(_state)]
    figures: Annotated[dict[str, Any], AfterValidator(_figures)]
    problem: Annotated[dict[str, Any] | None, AfterValidator(_problem)]
    round: KnownId  # answers that were asked for together, to be compared, share one
    lane: Annotated[int, Field(ge=0, le=MOST_LANES)]  # the answer's column, from 1; 0 for none
    vote: bool  # preferred to the others of its round
    check: Annotated[str, Field(max_length=2_000)]  # against the schema: ok, or what is wrong


def _rooted(turns: list[Turn]) -> list[Turn]:
    """Every turn once, and after the one that it follows."""
    known: set[str] = set()
    for turn in turns:
        if turn["id"] in known:
            turn["id"] = new_id()
        if turn["parent"] not in known:
            turn["parent"] = ""
        known.add(turn["id"])
    return turns


Turns = Annotated[
    list[Turn],
    BeforeValidator(_chained),
    Field(max_length=MOST_TURNS),
    AfterValidator(_rooted),
]


class Document(BaseModel):
    """What is stored of a conversation, apart from its title."""

    version: Literal[1, 2] = 2  # 1 had no branches: every turn followed the one before
    turns: Turns
    leaf: KnownId = ""  # the end of the branch that is shown; empty for the newest
    # Replies that were being written when this was saved.
    replies: Annotated[list[KnownId], Field(max_length=MOST_LANES)] = []
    settings: Annotated[dict[str, Any], BeforeValidator(_settings)] = {}

    def text(self, drawn: Collection[str] = ()) -> str:
        """As it is stored: what is empty in a turn is left out, for browsers keep little.

        Of turns that the browser has `drawn` only the checksums of their words go there.
        """
        empty, whole = _empty(), self.model_dump()
        whole["turns"] = [
            {name: value for name, value in turn.items() if empty.get(name, ...) != value}
            for turn in (_summed(turn) if turn["id"] in drawn else turn for turn in whole["turns"])
        ]
        return json.dumps(whole, ensure_ascii=False, separators=(",", ":"))


def _summed(turn: dict[str, Any]) -> dict[str, Any]:
    """A turn with the checksums of what was said and thought in place of both."""
    sums = [zlib.crc32(turn[words].encode(errors="replace")) for words in ("content", "reasoning")]
    return {**turn, "content": "", "reasoning": "", "sums": sums}


class Entry(BaseModel):
    """A conversation in an exported file."""

    id: Annotated[str, AfterValidator(_own_id)] = Field(default_factory=new_id)
    title: Title = "Untitled"
    pinned: bool = False
    ts: Annotated[float, Field(ge=0, le=8.64e15, allow_inf_nan=False)] = 0  # epoch milliseconds
    document: Document


class Bundle(BaseModel):
    """An exported file."""

    format: Literal["berth-conversations"] = "berth-conversations"
    version: Literal[1] = 1
    conversations: Annotated[list[Entry], Field(max_length=10_000)]


_DOCUMENT: TypeAdapter[Document] = TypeAdapter(Document)
_BUNDLE: TypeAdapter[Bundle] = TypeAdapter(Bundle)


def read_document(raw: str) -> Document:
    """A conversation from the browser, or BadInput."""
    try:
        return _DOCUMENT.validate_json(raw)
    except ValidationError as error:
        raise BadInput(
            f"This conversation cannot be read: {_first(error)}.",
            "It stays in the browser as it is; export it to look at it, or delete it.",
        ) from None


def read_bundle(raw: str) -> list[Entry]:
    """The conversations of an exported file, or BadInput."""
    try:
        found = json.loads(raw)
        if not isinstance(found, dict) or found.get("format") != FORMAT:
            raise BadInput("This is not a file of Berth conversations.", _WANTED)
        return _BUNDLE.validate_json(raw).conversations
    except ValidationError as error:
        raise BadInput(f"This file cannot be imported: {_first(error)}.", _WANTED) from None
    except (ValueError, RecursionError):
        raise BadInput("This file is not JSON, or it was cut off.", _WANTED) from None


_WANTED = "Choose a JSON file that “Export” or “Export all” has made."


def _first(error: ValidationError) -> str:
    """Where and what the first thing wrong is."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    place = ".".join(str(part)[:40] for part in first["loc"][:6])
    said = first["msg"].rstrip(".")
    return f"{said} (at {place})" if place else said


def bundle(entry: Entry) -> str:
    """One conversation as the text of an exported file."""
    return Bundle(conversations=[entry]).model_dump_json(indent=1)


def as_markdown(name: str, turns: Iterable[Turn]) -> str:
    """A conversation to read elsewhere."""
    parts = [f"# {name}"]
    for turn in turns:
        speaker = "You" if turn["role"] == "user" else turn["model"] or "Model"
        parts.append(f"**{speaker}**\n\n{turn['content'].strip()}".strip())
    return "\n\n".join(parts) + "\n"


def said(
    role: Literal["user", "assistant"], content: str, turn_id: str = "", parent: str = ""
) -> Turn:
    """A turn of which no more is known."""
    known = {"role": role, "content": content, "id": turn_id or new_id(), "parent": parent}
    turn: Turn = _filled(known)
    return turn


def answer(reply: Reply) -> Turn:
    """A reply that is over, as a turn."""
    return Turn(
        id=reply.id,
        parent=reply.request.parent,
        role="assistant",
        content=reply.text,
        gone=False,
        files=[],
        model=reply.request.model,
        engine=reply.request.engine,
        reasoning=reply.reasoning,
        state=str(reply.state),
        figures=reply.figures.model_dump(),
        problem=reply.problem.model_dump() if reply.problem else None,
        round=reply.request.round,
        lane=reply.request.lane,
        vote=False,
        check=_check(reply),
    )


def _check(reply: Reply) -> str:
    """What a reply that was to follow a schema came to; empty where none was, or nothing came."""
    schema = reply.request.options.json_schema
    if schema is None or not (reply.text or reply.state == ReplyState.DONE):
        return ""
    if reply.state != ReplyState.DONE:
        return schema_check.UNFINISHED
    if reply.figures.finish_reason == "length":
        return "It was cut at the token limit, so it is not whole."
    return schema_check.check(reply.text, schema)


def turns_of(reply: Reply) -> list[Turn]:
    """What a reply answered, and the reply itself once it is over.

    What is kept with a reply before is not among it.
    """
    turns: list[Turn] = []
    request = reply.request
    spoken = [m for m in request.messages if m.role != "system"]
    for message, turn_id in zip(spoken, request.turns, strict=False):
        role: Literal["user", "assistant"] = "user" if message.role == "user" else "assistant"
        parent = turns[-1]["id"] if turns else request.before
        turns.append(said(role, message.content, turn_id, parent))
    if spoken and spoken[-1].role == "assistant":
        turns.pop()  # the part that this reply goes on from
    return [*turns, answer(reply)] if reply.is_over else turns
