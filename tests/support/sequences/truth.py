"""What was entered in a conversation, and what has to be so of it: nothing lost, doubled, moved.

A question is a name of its own, an answer begins with `re:` and the name of what it answers. So
everything that is found later, on a page, in a stored copy, at the engine, says where it belongs.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

NAME = re.compile(r"(re:)?(q\d{3}-\d{2})")
TOKEN = re.compile(r"t(\d+)")


@dataclass(frozen=True)
class Entered:
    """A question, and those above it on the branch where it was entered."""

    name: str
    above: tuple[str, ...]


@dataclass
class Truth:
    """One conversation as it has to be; a branch is shown per tab."""

    prefix: str  # of its names
    branches: list[list[str]] = field(default_factory=lambda: [[]])
    entered: dict[str, Entered] = field(default_factory=dict)
    deleted: set[str] = field(default_factory=set)
    lost: set[str] = field(default_factory=set)  # told as faults already
    was_killed: bool = False
    count: int = 0

    def ask(self, tab: int) -> str:
        """A new question at the end of the tab's branch."""
        return self._enter(tab, self.branches[tab])

    def edit(self, tab: int, at: int) -> str:
        """Another question in place of one, on a branch of its own."""
        return self._enter(tab, self.branches[tab][:at])

    def _enter(self, tab: int, above: Sequence[str]) -> str:
        name = f"{self.prefix}-{self.count:02}"
        self.count += 1
        self.entered[name] = Entered(name, tuple(above))
        self.branches[tab] = [*above, name]
        return name

    def withdraw(self, tab: int, name: str, branch: list[str]) -> None:
        """It could not be entered, and the branch is as it was."""
        del self.entered[name]
        self.branches[tab] = branch

    def delete(self, tab: int, name: str) -> None:
        """It is gone; where it was the last, the newest of what stands beside it is shown."""
        branch = self.branches[tab]
        was_last = branch[-1] == name
        self.deleted.add(name)
        branch.remove(name)
        while was_last and (beside := self._below(branch)):
            branch.append(beside[-1])

    def _below(self, branch: list[str]) -> list[str]:
        return [n for n in self.entered if self._counts(n) and self.above(n) == branch]

    def above(self, name: str) -> list[str]:
        """What has to stand above a question by now."""
        return [one for one in self.entered[name].above if self._counts(one)]

    def _counts(self, name: str) -> bool:
        return name not in self.deleted and name not in self.lost

    def forget(self, names: Iterable[str]) -> None:
        """These were lost, which has been told."""
        self.lost.update(names)
        for branch in self.branches:
            branch[:] = [name for name in branch if name not in self.lost]

    def faults_of_page(self, tab: int, text: str) -> list[str]:
        """What is wrong with the messages that a tab shows."""
        found = [(bool(answer), name) for answer, name in NAME.findall(text)]
        questions = [name for is_answer, name in found if not is_answer]
        wrong = []
        if questions != self.branches[tab]:
            wrong.append(f"tab {tab} shows {questions}, not {self.branches[tab]}")
        for before, (is_answer, name) in zip([(True, ""), *found], found, strict=False):
            if is_answer and before != (False, name):
                wrong.append(f"tab {tab} has the answer to {name} below {before}")
        return wrong

    def faults_of_copies(self, conversations: Sequence[dict[str, Any]]) -> list[str]:
        """What is wrong with the conversation as the browser exports it."""
        if not conversations and not any(map(self._counts, self.entered)):
            return []
        if len(conversations) != 1:
            return [f"{len(conversations)} conversations are stored"]
        turns = {turn["id"]: turn for turn in conversations[0]["document"]["turns"]}
        if len(turns) != len(conversations[0]["document"]["turns"]):
            return ["two stored messages have one id"]
        return [*self._faults_of_questions(turns), *self._faults_of_answers(turns)]

    def _faults_of_questions(self, turns: dict[str, dict[str, Any]]) -> list[str]:
        asked = [t for t in turns.values() if t["role"] == "user" and not t.get("gone")]
        often = Counter(turn["content"] for turn in asked)
        wrong = [f"{n} is stored {often[n]} times" for n in self.entered if often[n] > 1]
        wrong += [f"{n} is not stored" for n in self.entered if self._counts(n) and not often[n]]
        wrong += [f"{n} is stored though deleted" for n in self.deleted if often[n]]
        wrong += [f"{n!r} is stored, which nobody said" for n in often if n not in self.entered]
        answered = {turn["parent"] for turn in turns.values() if turn["role"] == "assistant"}
        wrong += [f"{t['content']} has no answer" for t in asked if t["id"] not in answered]
        for turn in asked:
            if self._counts(turn["content"]) and turn["content"] in self.entered:
                found, wanted = _questions_above(turn, turns), self.above(turn["content"])
                found = [name for name in found if self._counts(name)]
                if found != wanted:
                    wrong.append(f"{turn['content']} is stored below {found}, not {wanted}")
        return wrong

    def _faults_of_answers(self, turns: dict[str, dict[str, Any]]) -> list[str]:
        wrong = []
        for turn in turns.values():
            if turn["role"] != "assistant" or turn.get("gone"):
                continue
            above = turns.get(turn["parent"], {})
            content, state = turn["content"].split(), turn.get("state", "done")
            if content and content[0] != f"re:{above.get('content')}":
                wrong.append(f"{content[0]} is stored below {above.get('content')}")
            if [f"t{n}" for n in range(len(content) - 1)] != content[1:]:
                wrong.append(f"the words of {content[0]} are {content[1:]}")
            if state == "failed" and not self.was_killed:
                wrong.append(f"the answer to {above.get('content')} failed: {turn.get('problem')}")
        return wrong

    def faults_of_calls(self, calls: Sequence[dict[str, Any]]) -> list[str]:
        """What is wrong with what the engine was asked."""
        prompts = [_said(call) for call in calls]
        often = Counter(said[-1] for said in prompts)
        wrong = [f"the engine was asked {n} {often[n]} times" for n in self.entered if often[n] > 1]
        for said in prompts:
            known = self.entered.get(said[-1])
            above = [n for n in known.above if n in said or n not in self.deleted] if known else []
            above = [name for name in above if name not in self.lost]
            if known and [n for n in said[:-1] if n not in self.lost] != above:
                wrong.append(f"the engine was asked {said[-1]} below {said[:-1]}, not {above}")
        return wrong


def _questions_above(turn: dict[str, Any], turns: dict[str, dict[str, Any]]) -> list[str]:
    found: list[str] = []
    at = turns.get(turn["parent"])
    while at:
        if at["role"] == "user" and not at.get("gone"):
            found.append(at["content"])
        at = turns.get(at["parent"])
    return found[::-1]


def _said(call: dict[str, Any]) -> list[str]:
    """The questions that one request has, the last one being asked."""
    return [m["content"] for m in call["body"]["messages"] if m["role"] == "user"]
