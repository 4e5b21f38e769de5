"""A plan, and what stands in its way, as text for a terminal."""

from collections.abc import Iterator

from lib.core import words
from lib.core.errors import BerthError
from lib.engines.vllm.places import Places, port
from lib.fit.checkpoint import described
from lib.slots import measured
from lib.slots.check.collected import Checked
from lib.slots.plan import SlotPlan


def table(found: Checked, places: Places) -> str:
    """All of the plan, line by line; "" where there is none."""
    return "\n".join(_lines(found, found.plan, places)) if found.plan else ""


def obstacles(problems: tuple[BerthError, ...]) -> list[str]:
    """Each on a line of its own, with what would mend it."""
    count = words.count(len(problems), "thing stands", "things stand")
    return [f"{count} in the way:", *(f"  - {problem}" for problem in problems)]


def summary(problems: tuple[BerthError, ...]) -> BerthError:
    """What the script ends with: the first of them, and how many more there are."""
    first, *more = problems
    if not more:
        return first
    kind = type(first)
    told = kind.__new__(kind)
    BerthError.__init__(
        told, f"{len(problems)} things stand in the way. The first: {first.message}", first.fix
    )
    return told


def _lines(found: Checked, plan: SlotPlan, places: Places) -> Iterator[str]:
    yield f"Model     {plan.request.model} at {plan.revision[:12]}"
    if found.found:
        yield f"          {described(found.found.checkpoint)}"
    cards = ", ".join(f"{card.name} ({card.uuid})" for card in plan.cards)
    yield f"Slot      {plan.slot}, port {port(plan.slot)}: {cards}"
    yield f"Memory    {plan.estimate.sentence}"
    before = measured.recall(
        plan.request.model,
        plan.revision,
        tuple(card.name for card in plan.cards),
        plan.request.quantization,
    )
    if before:
        yield f"          Last time {before.sentence}"
    context = f"{plan.context:,} tokens" if plan.context else "as many tokens as fit (auto)"
    yield f"Context   {context}, {plan.max_num_seqs} requests at the same time"
    if plan.request.context not in (None, plan.context):
        asked = f"{plan.request.context:,} tokens were asked for"
        yield f"          {asked}, and vLLM had no room for more than this the last time."
    yield f"Engine    vLLM {plan.program.version} in {plan.program.folder}"
    total = words.disk(sum(file.bytes for file in plan.files))
    yield f"Files     {len(plan.files)}, {total}, to {plan.folder(places)}"
    yield f"Name      {plan.request.name}"
    yield from (f"Note      {note}" for note in found.notes)
    yield from (f"Missing   {text}" for text in plan.installs)
