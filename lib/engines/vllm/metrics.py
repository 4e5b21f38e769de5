"""What vLLM tells of itself at `/metrics`, in Prometheus' text format; pure and bounded.

Several engines behind one server (data parallel) are added up; of shares the largest counts.
"""

import math
import re
from collections.abc import Iterator, Mapping

from pydantic import Field

from lib.core.values import Frozen

LONGEST = 2**20  # characters
MOST_SAMPLES = 20_000
FULL = 0.9  # share of the KV cache from which on a request waits for memory, not for a place
FEWEST_SECONDS = 0.5  # between two readings, for a speed that means something

_SAMPLE = re.compile(r"vllm:([a-z0-9_]+)(?:\{(.*)\})? +(\S+)(?: +-?\d+)?$")
_LABEL = re.compile(r'([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"')
_WAITING_WORDS = {"capacity": " for a place"}  # vLLM's word, ours


class Figures(Frozen):
    """One reading. Totals count from the start of the server."""

    running: int = 0
    waiting: int = 0
    waiting_by_reason: Mapping[str, int] = Field(default_factory=dict)
    kv_share: float | None = None  # 0 … 1
    generated: float = 0  # tokens
    prompted: float = 0  # tokens
    stepped: float = 0  # tokens that went through the model, prompts in parts too
    preemptions: float = 0
    first_token_seconds: float = 0  # of all requests together
    first_tokens: float = 0  # how many requests had one
    kv_tokens: int | None = None  # what the KV cache holds
    concurrency: float | None = None  # conversations of full length at a time
    is_vllm: bool = False

    @property
    def is_full(self) -> bool:
        """Is the room for conversations used up?"""
        return self.kv_share is not None and self.kv_share >= FULL


class Speeds(Frozen):
    """What happened between two readings; None where nothing did."""

    tokens_per_second: float | None = None
    first_token_seconds: float | None = None  # mean


def parsed(text: str) -> Figures:
    """The figures in an answer of `/metrics`; what is not there has its default."""
    found: dict[str, float] = {}
    reasons: dict[str, int] = {}
    info: dict[str, str] = {}
    for number, (name, labels, value) in enumerate(_samples(text[:LONGEST])):
        if number > MOST_SAMPLES:
            break
        if name == "num_requests_waiting_by_reason":
            reason = labels.get("reason", "")
            reasons[reason] = reasons.get(reason, 0) + _count(value)
        elif name == "cache_config_info":
            info = info or labels
        elif name == "kv_cache_usage_perc":
            found[name] = max(found.get(name, 0.0), value)
        else:
            found[name] = found.get(name, 0.0) + value
    return _figures(found, reasons, info)


def speeds(before: Figures, after: Figures, seconds: float) -> Speeds:
    """What the time between two readings of one server tells."""
    made = after.generated - before.generated
    firsts = after.first_tokens - before.first_tokens
    waited = after.first_token_seconds - before.first_token_seconds
    is_long = seconds >= FEWEST_SECONDS
    return Speeds(
        tokens_per_second=made / seconds if is_long and made > 0 else None,
        first_token_seconds=waited / firsts if firsts > 0 and waited >= 0 else None,
    )


def line(now: Figures, lately: Speeds) -> str:
    """`2 answering · 1 waiting for memory · KV 37 % · 41 tok/s`; "" where it has nothing to do."""
    parts = [
        f"{now.running} answering" if now.running else "",
        f"{now.waiting} waiting{_why(now)}" if now.waiting else "",
        f"KV {now.kv_share:.0%}".replace("%", " %") if now.kv_share else "",
        f"{lately.tokens_per_second:.0f} tok/s" if lately.tokens_per_second else "",
        f"first token {lately.first_token_seconds:.2g} s" if lately.first_token_seconds else "",
        f"{now.preemptions:.0f} put back for memory" if now.preemptions else "",
    ]
    return " · ".join(part for part in parts if part)


def _why(now: Figures) -> str:
    if now.is_full:
        return " for memory"
    why = max(now.waiting_by_reason, key=now.waiting_by_reason.__getitem__, default="")
    return _WAITING_WORDS.get(why, "")


def _figures(
    found: Mapping[str, float], reasons: Mapping[str, int], info: Mapping[str, str]
) -> Figures:
    share = found.get("kv_cache_usage_perc")
    return Figures(
        running=_count(found.get("num_requests_running", 0)),
        waiting=_count(found.get("num_requests_waiting", 0)),
        waiting_by_reason={reason: number for reason, number in reasons.items() if number},
        kv_share=min(max(share, 0.0), 1.0) if share is not None else None,
        generated=found.get("generation_tokens_total", 0),
        prompted=found.get("prompt_tokens_total", 0),
        stepped=found.get("iteration_tokens_total_sum", 0),
        preemptions=found.get("num_preemptions_total", 0),
        first_token_seconds=found.get("time_to_first_token_seconds_sum", 0),
        first_tokens=found.get("time_to_first_token_seconds_count", 0),
        kv_tokens=_told(info.get("kv_cache_size_tokens")),
        concurrency=_number(info.get("kv_cache_max_concurrency", "")),
        is_vllm=bool(found or info),
    )


def _samples(text: str) -> Iterator[tuple[str, dict[str, str], float]]:
    """Name without `vllm:`, labels and value of each sample; odd lines are passed over."""
    for line in text.splitlines():
        match = _SAMPLE.match(line)
        value = _number(match[3]) if match else None
        if match and value is not None:
            yield match[1], dict(_LABEL.findall(match[2] or "")), value


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _count(value: float) -> int:
    return int(min(max(value, 0), 10**9))


def _told(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 19 else None
