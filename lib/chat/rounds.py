"""Answers that several models gave to one question: side by side, voted on, exported."""

import csv
import io
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from lib.chat.conversations import Turn
from lib.chat.reply import Figures, ReplyState
from lib.core import words

FORMAT = "berth-comparison"
FIGURES = (
    "first_token_seconds",
    "tokens_per_second",
    "completion_tokens",
    "prompt_tokens",
    "seconds",
    "finish_reason",
)
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a cell that begins so is a program to a spreadsheet


def answers(turns: Iterable[Turn], round_id: str) -> list[Turn]:
    """The answers of a round by their columns; of two in one column the newer."""
    found = {
        turn["lane"]: turn
        for turn in turns
        if round_id and turn["round"] == round_id and not turn["gone"]
    }
    return [found[lane] for lane in sorted(found)]


def preferred(found: Sequence[Turn]) -> Turn | None:
    """The answer of a round that was voted for."""
    return next((turn for turn in found if turn["vote"]), None)


def going_on(found: Sequence[Turn]) -> Turn:
    """The answer that the conversation goes on from: the preferred, else the first that is one."""
    whole = (turn for turn in found if turn["content"] and turn["state"] != ReplyState.FAILED)
    return preferred(found) or next(whole, found[0])


def prefer(turns: Iterable[Turn], turn_id: str) -> list[str]:
    """Vote for an answer in place of any other of its round; the ids of its round's answers."""
    every = list(turns)
    chosen = next((turn for turn in every if turn["id"] == turn_id), None)
    found = answers(every, chosen["round"]) if chosen else []
    for turn in found:
        turn["vote"] = turn["id"] == turn_id
    return [turn["id"] for turn in found]


def tally(turns: Iterable[Turn]) -> list[tuple[str, int]]:
    """Votes by model, the most first; a round has one at most."""
    every = list(turns)
    rounds = dict.fromkeys(turn["round"] for turn in every if turn["round"])
    chosen = (preferred(answers(every, round_id)) for round_id in rounds)
    return Counter(turn["model"] for turn in chosen if turn).most_common()


def as_markdown(prompt: str, found: Sequence[Turn]) -> str:
    """To read: the prompt, the figures as a table, every answer."""
    rows = [_row(turn) for turn in found]
    head = ("Model", "First token", "Speed", "Tokens", "Time", "Result")
    table = [_line(head), _line("---" for _ in head), *map(_line, rows)]
    parts = ["# Comparison", _quoted(prompt), "\n".join(table)]
    parts += [f"## {turn['model']}\n\n{turn['content'].strip() or _why(turn)}" for turn in found]
    return "\n\n".join(parts) + "\n"


def as_json(prompt: str, found: Sequence[Turn]) -> str:
    """For programs; seconds and tokens as numbers, null where nothing was measured."""
    entries = [{**_facts(turn), "answer": turn["content"]} for turn in found]
    whole = {"format": FORMAT, "version": 1, "prompt": prompt, "answers": entries}
    return json.dumps(whole, ensure_ascii=False, indent=1) + "\n"


def as_csv(prompt: str, found: Sequence[Turn]) -> str:
    """For a spreadsheet: a row per answer, no cell of which it takes for a formula."""
    file = io.StringIO()
    rows = [{"prompt": prompt, **_facts(turn), "answer": turn["content"]} for turn in found]
    writer = csv.DictWriter(file, list(rows[0]) if rows else [])
    writer.writeheader()
    writer.writerows({name: _cell(value) for name, value in row.items()} for row in rows)
    return file.getvalue()


def _facts(turn: Turn) -> dict[str, Any]:
    figures = {name: turn["figures"].get(name) for name in FIGURES}
    names = {"model": turn["model"], "engine": turn["engine"]}
    return {**names, "state": turn["state"], "preferred": turn["vote"], **figures}


def _cell(value: Any) -> Any:
    is_formula = isinstance(value, str) and value.startswith(FORMULA)
    return f"'{value}" if is_formula else value


def _row(turn: Turn) -> list[str]:
    figures = Figures.model_validate(turn["figures"])
    first, whole, speed = figures.first_token_seconds, figures.seconds, figures.tokens_per_second
    return [
        turn["model"],
        "" if first is None else words.duration(first),
        "" if speed is None else f"{speed:.1f} tok/s",
        "" if figures.completion_tokens is None else f"{figures.completion_tokens:,}",
        "" if whole is None else words.duration(whole),
        "preferred" if turn["vote"] else turn["state"],
    ]


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _quoted(text: str) -> str:
    return "\n".join(f"> {line}".rstrip() for line in text.strip().splitlines())


def _why(turn: Turn) -> str:
    """What stands in place of an answer that has no words."""
    problem = turn["problem"] or {}
    return f"*{problem.get('message') or 'No answer.'}*"
