"""Conversations that other programs have exported: ChatGPT's and Open WebUI's files, and our own.

Both keep a tree of messages: branches stay. Every id is made of theirs, so that a file that is
imported twice is known the second time. What is no text is left out, and counted.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from pydantic import ValidationError

from lib.chat.conversations import FORMAT, Document, Entry, read_bundle, said
from lib.core import words
from lib.core.errors import BadInput

MOST_CONVERSATIONS = 10_000
LEFT_OUT = "(A picture or file was here.)"  # in place of a question's words
WANTED = (
    "Choose a JSON file that Berth, ChatGPT or Open WebUI has exported, or ChatGPT's whole .zip."
)

_THOUGHTS = re.compile(
    r"<details[^>]*type=\"reasoning\"[^>]*>(?:\s*<summary>.*?</summary>)?(.*?)</details>\s*",
    re.DOTALL,
)
_SPEAKERS = ("user", "assistant")


class Import(NamedTuple):
    """What a file has; `note` says what could not be taken over."""

    entries: list[Entry]
    note: str = ""


class _Node(NamedTuple):
    """A message in another program's tree; one that says nothing is only a place in it."""

    parent: str
    role: str = ""
    content: str = ""
    reasoning: str = ""
    model: str = ""
    left_out: int = 0  # pictures and files


class _Talk(NamedTuple):
    """A conversation of another program."""

    id: str
    title: str
    changed: float  # epoch seconds
    nodes: dict[str, _Node]
    leaf: str
    pinned: bool = False


def read(raw: str) -> Import:
    """The conversations of a file, or BadInput."""
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError):
        raise BadInput("This file is not JSON, or it was cut off.", WANTED) from None
    if isinstance(found, dict) and found.get("format") == FORMAT:
        return Import(read_bundle(raw))
    talks = found if isinstance(found, list) else [found]
    if len(talks) > MOST_CONVERSATIONS:
        raise BadInput(
            f"This file has {len(talks):,} conversations; {MOST_CONVERSATIONS:,} is the most.",
            "No browser could keep them: export fewer.",
        )
    reader = next((reads for knows, reads in _READERS if any(map(knows, talks))), None)
    if reader is None:
        raise BadInput("No conversations of a known kind are in this file.", WANTED)
    return _imported(talks, reader)


def outcome(counts: Mapping[str, int], note: str) -> str:
    """What is said of an import: how many were new, here already, had more, did not fit."""
    added, known, joined, left = (counts.get(n, 0) for n in ("added", "known", "joined", "left"))
    parts = (
        [f"Imported {words.count(added, 'conversation')}."] if added or not known + joined else []
    )
    if joined:
        parts.append(f"{joined:,} had more messages in the file, which were added.")
    if known:
        parts.append(f"{known:,} {'was' if known == 1 else 'were'} here already.")
    if left:
        parts.append(
            f"{left:,} did not fit into the browser's storage, the oldest: export what is here, "
            "delete some of it, and import the file again."
        )
    return " ".join([*parts, note] if note else parts)


def _imported(talks: list[Any], reader: Callable[[dict[str, Any]], _Talk]) -> Import:
    entries, broken, left_out = [], 0, 0
    for one in talks:
        try:
            talk = reader(one)
            entries.append(_entry(talk))
            left_out += sum(node.left_out for node in talk.nodes.values())
        except (KeyError, TypeError, ValueError, AttributeError, ValidationError):
            broken += 1
    entries = [entry for entry in entries if entry.document.turns]
    if not entries:
        raise BadInput("No conversation in this file can be read.", WANTED)
    return Import(entries, _note(broken, left_out))


def _note(broken: int, left_out: int) -> str:
    parts = []
    if left_out:
        are = "was" if left_out == 1 else "were"
        parts.append(
            f"{words.count(left_out, 'picture or file', 'pictures and files')} {are} left out."
        )
    if broken:
        parts.append(f"{words.count(broken, 'conversation')} could not be read.")
    return " ".join(parts)


def _entry(talk: _Talk) -> Entry:
    turns, leaf = _turns(talk)
    document = Document.model_validate({"turns": turns, "leaf": leaf})
    return Entry(
        id=_id(talk.id),
        title=talk.title,
        ts=max(0.0, talk.changed) * 1000,
        pinned=talk.pinned,
        document=document,
    )


def _id(*parts: str) -> str:
    return hashlib.md5(
        "/".join(parts).encode("utf-8", "replace"), usedforsecurity=False
    ).hexdigest()


def _turns(talk: _Talk) -> tuple[list[Any], str]:
    """The messages that say something, each behind the one it follows, and the shown end.

    An answer that other programs keep in several pieces is one here.
    """
    turns: dict[str, Any] = {}
    place = {"": ""}  # of every message: the turn that it is in, or that is above it
    for name, node in _from_the_top(talk.nodes):
        above = place.get(node.parent, "")
        if node.role not in _SPEAKERS or not (node.content or node.reasoning or node.left_out):
            place[name] = above
            continue
        before = turns.get(above)
        if before and node.role == before["role"] == "assistant" and not before["follows"]:
            _add(before, node)
            place[name] = above
            continue
        if before:
            before["follows"] = True
        turn: Any = said(
            "user" if node.role == "user" else "assistant", "", _id(talk.id, name), above
        )
        turns[turn["id"]] = turn | {"follows": False}
        _add(turns[turn["id"]], node)
        place[name] = turn["id"]
    for turn in turns.values():
        del turn["follows"]
    return list(turns.values()), place.get(talk.leaf, "")


def _add(turn: dict[str, Any], node: _Node) -> None:
    content = node.content or (LEFT_OUT if node.left_out else "")
    for name, more in (("content", content), ("reasoning", node.reasoning)):
        turn[name] = "\n\n".join(part for part in (turn[name], more) if part)
    turn["model"] = node.model or turn["model"]


def _from_the_top(nodes: dict[str, _Node]) -> Iterator[tuple[str, _Node]]:
    """Every message after the one that it follows; one that follows itself is never reached."""
    followers: dict[str, list[str]] = {}
    for name, node in nodes.items():
        followers.setdefault(node.parent if node.parent in nodes else "", []).append(name)
    waiting = followers.get("", [])[::-1]
    while waiting:
        name = waiting.pop()
        node = nodes[name]
        yield name, node if node.parent in nodes else node._replace(parent="")
        waiting += followers.get(name, [])[::-1]


def _is_chatgpt(one: Any) -> bool:
    return isinstance(one, dict) and isinstance(one.get("mapping"), dict)


def _chatgpt(one: dict[str, Any]) -> _Talk:
    nodes = {
        str(name): _chatgpt_node(str(node.get("parent") or ""), node.get("message") or {})
        for name, node in one["mapping"].items()
    }
    return _Talk(
        id=str(one.get("conversation_id") or one.get("id") or one.get("create_time")),
        title=str(one.get("title") or ""),
        changed=float(one.get("update_time") or one.get("create_time") or 0),
        nodes=nodes,
        leaf=str(one.get("current_node") or ""),
    )


def _chatgpt_node(parent: str, message: dict[str, Any]) -> _Node:
    told, content = message.get("metadata") or {}, message.get("content") or {}
    role = str((message.get("author") or {}).get("role") or "")
    if told.get("is_visually_hidden_from_conversation") or message.get("recipient", "all") != "all":
        return _Node(parent)
    kind = content.get("content_type")
    if kind == "thoughts":
        thoughts = [str(one.get("content") or "") for one in content.get("thoughts") or []]
        return _Node(parent, role, reasoning="\n\n".join(filter(None, thoughts)))
    if kind not in ("text", "multimodal_text"):
        return _Node(parent)
    parts = content.get("parts") or []
    pictures = sum(isinstance(part, dict) for part in parts)
    return _Node(
        parent,
        role,
        content="\n\n".join(part for part in parts if isinstance(part, str) and part),
        model=str(told.get("model_slug") or "") if role == "assistant" else "",
        left_out=max(pictures, len(told.get("attachments") or [])),
    )


def _is_open_webui(one: Any) -> bool:
    return isinstance(one, dict) and isinstance(one.get("chat"), dict)


def _open_webui(one: dict[str, Any]) -> _Talk:
    chat = one["chat"]
    history = chat.get("history") or {}
    found = history.get("messages") or {}
    if not found:  # its first versions had a list alone
        found = _chained(chat.get("messages") or [])
    nodes = {str(name): _open_webui_node(message) for name, message in found.items()}
    return _Talk(
        id=str(one.get("id") or chat.get("id") or chat.get("timestamp")),
        title=str(one.get("title") or chat.get("title") or ""),
        changed=float(one.get("updated_at") or one.get("created_at") or 0),
        nodes=nodes,
        leaf=str(history.get("currentId") or next(reversed(nodes), "")),
        pinned=one.get("pinned") is True,
    )


def _chained(messages: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {
        str(number): {**message, "parentId": str(number - 1) if number else ""}
        for number, message in enumerate(messages)
    }


def _open_webui_node(message: dict[str, Any]) -> _Node:
    role, content = str(message.get("role") or ""), str(message.get("content") or "")
    thoughts = _THOUGHTS.findall(content) if role == "assistant" else []
    return _Node(
        parent=str(message.get("parentId") or ""),
        role=role,
        content=_THOUGHTS.sub("", content).strip() if thoughts else content,
        reasoning="\n\n".join(_unquoted(thought) for thought in thoughts),
        model=str(message.get("modelName") or message.get("model") or ""),
        left_out=len(message.get("files") or []),
    )


def _unquoted(thought: str) -> str:
    """Open WebUI stores thoughts as a quotation."""
    return re.sub(r"^(?:>|&gt;) ?", "", thought.strip(), flags=re.MULTILINE)


_READERS: tuple[tuple[Callable[[Any], bool], Callable[[dict[str, Any]], _Talk]], ...] = (
    (_is_chatgpt, _chatgpt),
    (_is_open_webui, _open_webui),
)
