"""What engines really gave and how long they took, remembered beside what was expected.

BERTH_HOME/slots/measured.json    the newest of each model on each kind of card
"""

import time
from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from lib.core.files import read_json, write_json
from lib.core.settings import settings
from lib.core.values import Frozen
from lib.slots.plan import Estimate, SlotPlan
from lib.slots.probe import Capacity

MOST_KEPT = 200


class Measured(Frozen):
    """One start that succeeded."""

    model: str
    revision: str
    cards: tuple[str, ...]  # names
    quantization: str = ""
    vllm: str
    utilization: float
    asked_context: int | None  # None: auto
    estimate: Estimate
    given: Capacity
    seconds: Mapping[str, float] = {}  # of each stage of the start
    at: float  # epoch seconds

    @property
    def sentence(self) -> str:
        """Beside the estimate, for people."""
        told = f"vLLM gave {self.given.kv_tokens:,} tokens of memory for conversations"
        if self.given.context:
            told += f", the longest {self.given.context:,}"
        about = f"about {self.estimate.kv_tokens:,} were expected"
        return f"{told}; {about}." if self.estimate.kv_tokens else f"{told}."


def measured(plan: SlotPlan, given: Capacity, seconds: dict[str, float]) -> Measured:
    """The record of a start."""
    return Measured(
        model=plan.request.model,
        revision=plan.revision,
        cards=tuple(card.name for card in plan.cards),
        quantization=plan.request.quantization,
        vllm=plan.program.version,
        utilization=plan.utilization,
        asked_context=plan.context,
        estimate=plan.estimate,
        given=given,
        seconds=seconds,
        at=time.time(),
    )


def all_measured() -> list[Measured]:
    """Newest first; a record that cannot be read is left out."""
    found = read_json(_file())
    rows = found if isinstance(found, list) else []
    return [record for row in rows if (record := _read(row))]


def recall(model: str, revision: str, cards: tuple[str, ...], quantization: str) -> Measured | None:
    """The newest start of this model on such cards; None where there was none."""
    for record in all_measured():
        if _kind(record) == (model, revision, cards, quantization):
            return record
    return None


def seconds_before(plan: SlotPlan) -> dict[str, float]:
    """How long each stage of a start of this plan took last time; {} where there was none."""
    cards = tuple(card.name for card in plan.cards)
    found = recall(plan.request.model, plan.revision, cards, plan.request.quantization)
    return dict(found.seconds) if found else {}


def remember(record: Measured) -> None:
    """Keep it in the place of an older one of its kind."""
    others = [one for one in all_measured() if _kind(one) != _kind(record)]
    rows = [one.model_dump(mode="json") for one in [record, *others][:MOST_KEPT]]
    write_json(_file(), rows)


def _kind(record: Measured) -> tuple[str, str, tuple[str, ...], str]:
    return record.model, record.revision, record.cards, record.quantization


def _read(row: object) -> Measured | None:
    try:
        return Measured.model_validate(row)
    except ValidationError:
        return None


def _file() -> Path:
    return settings().home / "slots" / "measured.json"
