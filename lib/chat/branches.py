"""A conversation as a tree: every question and answer keeps its place, one way down is shown.

An edited question and a repeated answer stand beside the older ones. What was deleted stays as an
empty, transparent place, so that what followed it still has somewhere to hang, and so that a copy
in another tab learns of it. Nothing here changes a turn but `delete` and `empty`.
"""

from collections.abc import Iterable, Sequence

from lib.chat.conversations import Turn


class Tree:
    """The turns of one conversation, by their ids and by what they follow; deleted ones unseen."""

    def __init__(self, turns: Iterable[Turn]) -> None:
        self._all = {turn["id"]: turn for turn in turns}
        self._followers: dict[str, list[Turn]] = {}
        for turn in self._all.values():
            if not turn["gone"]:
                self._followers.setdefault(self.parent(turn), []).append(turn)

    def get(self, turn_id: str) -> Turn | None:
        """The turn, unless it is unknown or deleted."""
        turn = self._all.get(turn_id)
        return turn if turn and not turn["gone"] else None

    def parent(self, turn: Turn) -> str:
        """The id of the turn that it follows, over what was deleted between; empty at the top."""
        above = self._all.get(turn["parent"])
        while above and above["gone"]:
            above = self._all.get(above["parent"])
        return above["id"] if above else ""

    def path(self, leaf: str) -> list[Turn]:
        """From the first turn down to `leaf`; to the newest end where `leaf` is not there."""
        at = self._all.get(leaf)
        if at is None:
            at = self._all.get(self.end(""))
        found: list[Turn] = []
        while at:
            if not at["gone"]:
                found.append(at)
            at = self._all.get(at["parent"])
        return found[::-1]

    def versions(self, turn: Turn) -> list[Turn]:
        """The turn and those that stand in its place on other branches, the oldest first."""
        beside = self._followers.get(self.parent(turn), [])
        return [one for one in beside if one["role"] == turn["role"]]

    def passed_over(self, turn: Turn) -> tuple[int, int]:
        """The version in its place that was gone on with further: its number, and how many
        messages came after it and its answer. `(0, 0)` where none was."""
        versions = self.versions(turn)
        lengths = [self._length(one["id"]) for one in versions]
        longest = max(lengths, default=0)
        if longest <= self._length(turn["id"]):
            return 0, 0
        is_question = turn["role"] == "user"
        return lengths.index(longest) + 1, longest - is_question

    def _length(self, turn_id: str) -> int:
        """How many messages follow down to the newest end."""
        length = 0
        while below := self._followers.get(turn_id):
            turn_id = below[-1]["id"]
            length += 1
        return length

    def followers(self, turn_id: str) -> list[Turn]:
        """What follows the turn, on all branches, the oldest first."""
        return list(self._followers.get(turn_id, ()))

    def end(self, turn_id: str) -> str:
        """The id of the newest end below the turn: itself where nothing follows."""
        while below := self._followers.get(turn_id):
            turn_id = below[-1]["id"]
        return turn_id

    def nearest_end(self, leaf: str) -> str:
        """The leaf, or where it was deleted the newest end below what is left above it."""
        turn = self._all.get(leaf)
        return leaf if turn is None or not turn["gone"] else self.end(self.parent(turn))


def merged(mine: Sequence[Turn], theirs: Sequence[Turn]) -> list[Turn]:
    """Two copies of a conversation as one with all that either has; deleted in one is deleted."""
    found = {turn["id"]: turn for turn in theirs}
    for turn in mine:
        other = found.get(turn["id"])
        found[turn["id"]] = other if other and other["gone"] else turn
    return list(found.values())


def delete(turns: Sequence[Turn], turn_id: str) -> list[str]:
    """Delete a question with its answers, or an answer with its question: the ids that went."""
    tree = Tree(turns)
    turn = tree.get(turn_id)
    if turn is None:
        return []
    question = tree.get(tree.parent(turn)) if turn["role"] == "assistant" else turn
    answers = tree.followers(question["id"]) if question else [turn]
    pair = [one for one in (question, *answers) if one and (one is question or _answers(one))]
    for one in pair:
        empty(one)
    return [one["id"] for one in pair]


def empty(turn: Turn) -> None:
    """Leave only the turn's place: nothing of what was said in it is kept."""
    turn["content"] = turn["reasoning"] = turn["check"] = ""
    turn["files"], turn["figures"], turn["problem"], turn["gone"] = [], {}, None, True


def _answers(turn: Turn) -> bool:
    return turn["role"] == "assistant"
