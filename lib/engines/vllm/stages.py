"""How far a start of vLLM has come, by what its log says, and what it then has to give.

Texts are matched, never files or line numbers, which change with every version.
"""

import re
from enum import StrEnum
from typing import NamedTuple

from lib.core.values import Frozen

LONGEST = 400_000  # characters of a log, from its end


class Step(StrEnum):
    """The steps of a start, in order."""

    PROGRAM = "program"  # Python and the driver: nothing about the model yet
    WEIGHTS = "weights"
    COMPILE = "compile"
    CACHE = "cache"
    GRAPHS = "graphs"
    READY = "ready"


TITLES = {
    Step.PROGRAM: "Starting the program",
    Step.WEIGHTS: "Loading the weights",
    Step.COMPILE: "Measuring and compiling, which takes minutes the first time",
    Step.CACHE: "Making room for conversations",
    Step.GRAPHS: "Recording CUDA graphs",
    Step.READY: "Ready",
}


class Stage(Frozen):
    """Where a start stands; `done` of `total` parts of this step, 0 of 0 where nobody counts."""

    step: Step = Step.PROGRAM
    done: int = 0
    total: int = 0

    @property
    def title(self) -> str:
        """`Loading the weights (3 of 4)`."""
        counted = f" ({self.done:,} of {self.total:,})" if self.total else ""
        return f"{TITLES[self.step]}{counted}"


class Given(Frozen):
    """What the engine got; None where the log does not say."""

    kv_tokens: int | None = None
    concurrency: float | None = None  # conversations of `context` tokens at a time
    context: int | None = None
    context_wanted: int | None = None  # where it was reduced to fit
    weights_gib: float | None = None
    kv_gib: float | None = None
    graphs_gib: float | None = None
    kv_bytes_hint: int | None = None  # exact figure for --kv-cache-memory the next time


class _Sign(NamedTuple):
    step: Step
    pattern: re.Pattern[str]


_SIGNS = (
    _Sign(Step.WEIGHTS, re.compile(r"Starting to load model|checkpoint shards: ")),
    _Sign(
        Step.COMPILE,
        re.compile(
            r"Model loading took|Loading weights took|torch\.compile (?:took|takes)"
            r"|for vLLM's torch\.compile|Dynamo bytecode transform|Warming up model for"
        ),
    ),
    _Sign(
        Step.CACHE,
        re.compile(r"Available KV cache memory|Auto-fit max_model_len|KV cache size: "),
    ),
    _Sign(Step.GRAPHS, re.compile(r"Capturing CUDA graphs?")),
    _Sign(
        Step.READY,
        re.compile(r"Application startup complete|Starting vLLM (?:API )?server"),
    ),
)
_BEGINNING = re.compile(r"vLLM (?:API )?server version")
_SHARDS = re.compile(r"checkpoint shards: +\d+% Completed \| (\d+)/(\d+)")
_GRAPHS = re.compile(r"Capturing CUDA graphs?[^\r\n]*?\| *(\d+)/(\d+) \[")
_NUMBER = r"([\d,]+)"
_KV_LINE = re.compile(
    rf"KV cache size: {_NUMBER} tokens"
    rf"(?:, Maximum concurrency for {_NUMBER} tokens per request: ([\d.]+)x)?"
)
_KV_SECOND_LINE = re.compile(rf"Maximum concurrency for {_NUMBER} tokens per request: ([\d.]+)x")
_REDUCED = re.compile(rf"Auto-fit max_model_len: reduced from {_NUMBER} to {_NUMBER}")
_WEIGHTS = re.compile(r"Model loading took ([\d.]+) GiB")
_KV = re.compile(r"Available KV cache memory: (-?[\d.]+) GiB")
_GRAPHS_TOOK = re.compile(r"Graph capturing finished in [\d.]+ secs, took ([\d.]+) GiB")
_HINT = re.compile(r"--kv-cache-memory=(\d+)")


def last_run(log: str) -> str:
    """What the log says of the last start in it."""
    starts = [match.start() for match in _BEGINNING.finditer(log)]
    return log[log.rfind("\n", 0, starts[-1]) + 1 :] if starts else log


def read(log: str) -> Stage:
    """The furthest step that the last start in this log has reached, with its progress."""
    text = last_run(log[-LONGEST:])
    reached = [sign.step for sign in _SIGNS if sign.pattern.search(text)]
    step = reached[-1] if reached else Step.PROGRAM
    bar = {Step.WEIGHTS: _SHARDS, Step.GRAPHS: _GRAPHS}.get(step)
    found = bar.findall(text) if bar else []
    done, total = map(int, found[-1]) if found else (0, 0)
    return Stage(step=step, done=min(done, total), total=total)


def given(log: str) -> Given:
    """What the last start in this log says that the engine got."""
    text = last_run(log[-LONGEST:])
    kv, second = _KV_LINE.search(text), _KV_SECOND_LINE.search(text)
    reduced = _REDUCED.search(text)
    return Given(
        kv_tokens=_whole(kv and kv[1]),
        concurrency=float(second[2]) if second else None,
        context=_whole(second and second[1]),
        context_wanted=_whole(reduced and reduced[1]),
        weights_gib=_gib(_WEIGHTS, text),
        kv_gib=_gib(_KV, text),
        graphs_gib=_gib(_GRAPHS_TOOK, text),
        kv_bytes_hint=_whole(found[1] if (found := _HINT.search(text)) else None),
    )


def _gib(pattern: re.Pattern[str], text: str) -> float | None:
    found = pattern.search(text)
    return float(found[1]) if found else None


def _whole(digits: str | None) -> int | None:
    plain = (digits or "").replace(",", "")
    return int(plain) if plain.isdigit() and len(plain) < 19 else None
