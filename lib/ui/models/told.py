"""What is said of a model, in few words."""

from lib.core import words
from lib.core.access import role
from lib.engines import engine_of
from lib.engines.base import Model
from lib.fit.kinds import Task
from lib.fleet.figures import Figures
from lib.sharing.limits import may_use
from lib.ui import life, markdown

READS = {Task.EMBEDDING: "makes vectors (embeddings)", Task.RANKING: "ranks texts (rerank)"}


def facts(one: Figures) -> str:
    """`491 MB · Q4_K_M · context 8,192 · 655 MiB in memory · 43 tok/s · Built-in engine`.

    It is Markdown, in which what others wrote means nothing.
    """
    model = one.model
    parts = [
        words.disk(model.size_bytes) if model.size_bytes else "",
        markdown.plain(model.quantization),
        _context(one),
        f"{words.memory(model.memory_bytes)} in memory" if model.memory_bytes else "",
        f"{speed(one)} tok/s" if one.speed else "",
        f"used {words.ago(one.used_at)}" if one.used_at else "",
        limits(model),
        life.fact(model) if may_use(role(), model) else "",
        markdown.plain(where(model)),
    ]
    return " · ".join(part for part in parts if part)


def where(model: Model) -> str:
    """`Built-in engine`, `vLLM · slot 1`, `on lab`."""
    if model.is_elsewhere:
        return f"on {model.place}"
    return " · ".join(part for part in (engine_of(model).title, model.place) if part)


def limits(model: Model) -> str:
    """What it does instead of answering; "" for what chats."""
    if not model.writes:
        return READS[model.task]
    return "" if model.can_chat else "no chat template"


def speed(one: Figures) -> str:
    """`43`, `8.5`; "" where it has not been seen."""
    if not one.speed:
        return ""
    return f"{one.speed:,.0f}" if one.speed >= 10 else f"{one.speed:.1f}"


def memory(one: Figures) -> tuple[str, str]:
    """What it takes or took, and what was expected."""
    taken = words.memory(one.taken_bytes) if one.taken_bytes else ""
    if not one.expected_bytes or (one.is_rough and taken):
        return taken, ""
    expected = words.memory(one.expected_bytes)
    return (taken, f"{expected} expected") if taken else (f"about {expected}", "")


def goes(one: Figures) -> str:
    """Of one that is about to be removed: `frees 491 MB in 12 s`, as long as it can be undone."""
    if one.removal is None:
        return ""
    left = words.duration(max(1.0, round(one.removal.left_seconds)))
    size = one.removal.frees_bytes
    return f"frees {words.disk(size)} in {left}" if size else f"goes in {left}"


def frees(size_bytes: int | None) -> str:
    """`2.0 GB`, or `its files` where nobody knows."""
    return words.disk(size_bytes) if size_bytes else "its files"


def _context(one: Figures) -> str:
    """Nobody tells it of a broken file, and of a model on another machine, at times."""
    return f"context {one.context:,}" if one.context else ""
