"""A plan as text for a terminal."""

from collections.abc import Iterator

from lib.core import words
from lib.core.names import shown
from lib.deploy.shapes import Plan, Row, Tier

TIERS = {
    Tier.FILE: "a file of this machine",
    Tier.OWN: "tier 1, the repository's own GGUF files",
    Tier.QUANTIZED: "tier 2, a GGUF repository that declares this base model",
    Tier.LIBRARY: "tier 3, Ollama's library",
}
MOST_REMOVABLE = 3
ROUGH = "memory was measured while other programs were busy, so it may be more"
SHORTEST_NAME, LONGEST_NAME = 22, 80  # characters


def table(plan: Plan) -> str:
    """All of it, line by line."""
    return "\n".join(_lines(plan))


def fit(plan: Plan) -> str:
    """The verdict and how each quantization would do."""
    verdict = f"{plan.verdict.word}. {plan.verdict.sentence}"
    return "\n".join([f"{plan.title}: {verdict}", *_rows(plan)])


def _lines(plan: Plan) -> Iterator[str]:
    yield f"Source    {TIERS[plan.tier]}: {plan.source}"
    yield f"Engine    {plan.engine.title}. {plan.engine.reason}"
    yield f"Memory    {plan.verdict.word}. {plan.verdict.sentence}"
    if plan.estimate:
        yield f"          {plan.estimate}"
    elif plan.engine_plan:
        ours = plan.need.weights + plan.need.kv_cache + plan.need.compute
        theirs = words.memory(plan.engine_plan.total)
        yield f"          The engine itself plans {theirs} for what is {words.memory(ours)} here."
    if plan.is_speed_rough:
        yield f"Speed     {words.at_most(plan.tokens_per_second).capitalize()}: {ROUGH}."
    yield f"Disk      {_disk(plan)}"
    yield from (f"Note      {warning}" for warning in plan.warnings)
    yield ""
    yield from _rows(plan)
    yield ""
    yield f"Chosen: {shown(plan.title, LONGEST_NAME)} with context {plan.context:,}."


def _rows(plan: Plan) -> Iterator[str]:
    width = max(SHORTEST_NAME, *(len(_name(row)) for row in plan.rows))
    yield _columns("", width, "file", "size", "memory", "at most", "verdict")
    yield from (_row(row, row.name == plan.title, width) for row in plan.rows)


def _disk(plan: Plan) -> str:
    disk = plan.disk
    kept = f", {words.disk(disk.kept)} are there already" if disk.kept else ""
    text = f"{words.disk(disk.needed)} needed, {words.disk(disk.free)} free{kept}."
    if disk.is_short and plan.removable:
        offered = [f"{one.name} ({words.disk(one.bytes)})" for one in plan.removable]
        text += f" Could be removed: {', '.join(offered[:MOST_REMOVABLE])}."
    return text


def _row(row: Row, is_chosen: bool, width: int) -> str:
    speed = words.at_most(row.tokens_per_second).removeprefix("at most ")
    verdict = f"{row.verdict.word}. {row.note}." if row.note else row.verdict.word
    size, memory = words.disk(row.bytes), words.memory(row.need.total)
    return _columns("→" if is_chosen else "", width, _name(row), size, memory, speed, verdict)


def _name(row: Row) -> str:
    name = shown(row.name, LONGEST_NAME)
    return f"{name} (recommended)" if row.is_recommended else name


def _columns(mark: str, width: int, *cells: str) -> str:
    widths = (width, 9, 9, 13, 0)
    padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
    return f"{mark:2}{'  '.join(padded)}".rstrip()
