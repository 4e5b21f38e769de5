"""Conversations as their owner's browser keeps them.

Whatever comes back from there is checked: anybody may have written it, or imported it from a file
of somebody else's. What passes is plain data of known size that the page draws like model output.
"""

import json
import math
import re
import secrets
import unicodedata
from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, TypeAdapter, ValidationError
from typing_extensions import TypedDict  # pydantic cannot read typing's own before Python 3.12

from lib.errors import BadInput
from lib.replies import FINAL, Figures, Problem, Reply, ReplyState

FORMAT = "berth-conversations"
TITLE_CHARACTERS = 60
LONGEST_TITLE = 120
LONGEST_TEXT = 2_000_000
MOST_TURNS = 5_000
LARGEST_FIGURE = 1e9

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_DIRECTION = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_ID = re.compile(r"[0-9a-f]{32}")


def _legible(text: str) -> str:
    return _CONTROL.sub("\ufffd", text)


def title(text: str) -> str:
    """One line without control and direction marks, of at most `LONGEST_TITLE` characters."""
    line = " ".join(_DIRECTION.sub("", text[: 4 * LONGEST_TITLE]).split())
    seen = "".join(c for c in line if unicodedata.category(c) not in ("Cc", "Cs", "Co", "Cn"))
    return seen[:LONGEST_TITLE] or "Untitled"


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


def _reply_id(text: str) -> str:
    return text if is_id(text) else ""


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


def _state(text: str) -> str:
    return text if text in FINAL else str(ReplyState.DONE)


def _filled(turn: Any) -> Any:
    """A turn that says no more than who spoke and what, as other programs write it."""
    empty = {"reply": "", "model": "", "reasoning": "", "state": str(ReplyState.DONE)}
    return {**empty, "figures": {}, "problem": None, **turn} if isinstance(turn, dict) else turn


Text = Annotated[str, Field(max_length=LONGEST_TEXT), AfterValidator(_legible)]
Title = Annotated[str, AfterValidator(title)]


class Turn(TypedDict):
    """One message; all but the first two keys are an assistant's."""

    role: Literal["user", "assistant"]
    content: Text
    reply: Annotated[str, AfterValidator(_reply_id)]
    model: Annotated[str, AfterValidator(_name)]
    reasoning: Text
    state: Annotated[str, AfterValidator(_state)]
    figures: Annotated[dict[str, Any], AfterValidator(_figures)]
    problem: Annotated[dict[str, Any] | None, AfterValidator(_problem)]


def _distinct(turns: list[Turn]) -> list[Turn]:
    """Every answer under an id of its own: the page names its parts by it."""
    known: set[str] = set()
    for turn in turns:
        is_answer = turn["role"] == "assistant"
        if is_answer and (not turn["reply"] or turn["reply"] in known):
            turn["reply"] = new_id()
        elif not is_answer:
            turn["reply"] = ""
        known.add(turn["reply"])
    return turns


Turns = Annotated[
    list[Annotated[Turn, BeforeValidator(_filled)]],
    Field(max_length=MOST_TURNS),
    AfterValidator(_distinct),
]


class Document(BaseModel):
    """What is stored of a conversation, apart from its title."""

    version: Literal[1] = 1
    turns: Turns
    reply: Annotated[str, AfterValidator(_reply_id)] = ""  # was being written when this was saved
    settings: dict[str, Any] = {}

    def text(self) -> str:
        """As it is stored."""
        return self.model_dump_json()


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


def said(role: Literal["user", "assistant"], content: str, reply: str = "") -> Turn:
    """A turn of which no more is known."""
    turn: Turn = _filled({"role": role, "content": content, "reply": reply})
    return turn


def answer(reply: Reply) -> Turn:
    """A reply that is over, as a turn."""
    return Turn(
        role="assistant",
        content=reply.text,
        reply=reply.id,
        model=reply.request.model,
        reasoning=reply.reasoning,
        state=str(reply.state),
        figures=reply.figures.model_dump(),
        problem=reply.problem.model_dump() if reply.problem else None,
    )


def turns_of(reply: Reply) -> list[Turn]:
    """What a reply answered, and the reply itself once it is over."""
    turns = [
        said("user", m.content) if m.role == "user" else said("assistant", m.content, new_id())
        for m in reply.request.messages
        if m.role != "system"
    ]
    return [*turns, answer(reply)] if reply.is_over else turns


def joined(kept: list[Turn], seen: list[Turn]) -> list[Turn] | None:
    """One conversation from two copies of which one goes on from the other; None where they part.

    A copy may lack replies that have no text: nobody sends them to a model.
    """
    at = 0
    for turn in kept:
        if not turn["content"]:
            continue
        while at < len(seen) and not seen[at]["content"]:
            at += 1
        if at == len(seen):
            return kept
        if (turn["role"], turn["content"]) != (seen[at]["role"], seen[at]["content"]):
            return None
        at += 1
    known = {turn["reply"] for turn in kept if turn["reply"]}
    return [*kept, *(turn for turn in seen[at:] if turn["reply"] not in known)]
