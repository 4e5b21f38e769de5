"""What a deployment on a slot would do: found out once, then followed step by step."""

import time
from pathlib import Path

from pydantic import ValidationError

from lib.core.errors import BadInput
from lib.core.files import read_json, write_json, write_text
from lib.core.values import Frozen
from lib.engines.vllm.places import Places, unit_name
from lib.engines.vllm.units import mark_of
from lib.hub import RepoFile
from lib.slots.engine_settings import EngineSettings
from lib.slots.request import SlotRequest
from lib.slots.unit_text import SlotService, unit_text

PLAN, LINES = "plan.json", "lines"


class PlannedCard(Frozen):
    """A card that the model shall use."""

    index: int
    uuid: str
    name: str
    total_bytes: int
    free_bytes: int  # at the check, with what the slot itself holds


class Program(Frozen):
    """The vLLM that shall run it."""

    folder: Path  # as the running system sees it
    version: str
    is_there: bool


class Estimate(Frozen):
    """What is expected of the card, to be held against what the engine gives."""

    sentence: str
    context: int = 0  # tokens
    kv_tokens: int = 0  # of all conversations together
    conversations: float = 0.0  # of full length, at the same time


class SlotPlan(Frozen):
    """All that the steps after the check need to know."""

    request: SlotRequest
    revision: str  # the commit
    files: tuple[RepoFile, ...]
    weights_bytes: int
    model_type: str
    cards: tuple[PlannedCard, ...]
    program: Program
    context: int | None  # None: auto
    utilization: float
    max_num_seqs: int
    needs_half: bool = False
    parsers: tuple[str, ...] = ()
    estimate: Estimate
    installs: tuple[str, ...] = ()  # a sentence for each thing that is missing and would come
    home: str
    made_at: float

    @property
    def slot(self) -> int:
        """The slot's number."""
        return self.request.slot

    @property
    def unit(self) -> str:
        """The service's name."""
        return unit_name(self.slot)

    def folder(self, places: Places) -> Path:
        """Where the model's files are, or will be."""
        return places.model(self.request.model, self.revision)


def save(plan: SlotPlan, folder: Path) -> None:
    """For the steps, and in lines for the script."""
    write_json(folder / PLAN, plan.model_dump(mode="json"))
    write_text(folder / LINES, "".join(f"install={text}\n" for text in plan.installs))


def load(folder: Path) -> SlotPlan:
    """The plan that the check has saved; BadInput where there is none."""
    found = read_json(folder / PLAN)
    if found is None:
        raise BadInput(
            f"There is no plan in {folder}.", "Run ./deploy_model.sh from its beginning."
        )
    return SlotPlan.model_validate(found)


def load_kept(places: Places, slot: int) -> SlotPlan | None:
    """The plan by which the slot's model was deployed; None where there is none."""
    try:
        return SlotPlan.model_validate(read_json(places.state(slot) / PLAN))
    except ValidationError:
        return None


def service_of(plan: SlotPlan, extra: EngineSettings, written: str = "") -> SlotService:
    """The plan's service; `extra` is what the administrator adds."""
    return SlotService(
        slot=plan.slot,
        model=plan.request.model,
        revision=plan.revision,
        served_name=plan.request.name,
        folder=plan.folder(Places()),
        program=plan.program.folder,
        vllm=plan.program.version,
        cards=tuple(card.uuid for card in plan.cards),
        context=plan.context,
        utilization=plan.utilization,
        max_num_seqs=plan.max_num_seqs,
        tensor_parallel=plan.request.tensor_parallel,
        quantization=plan.request.quantization,
        kv_cache=plan.request.kv_cache,
        needs_half=plan.needs_half,
        is_text_only=plan.request.is_text_only,
        parsers=plan.parsers,
        extra_arguments=extra.arguments,
        extra_environment=extra.environment,
        home=plan.home,
        written=written or time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    )


def wanted_text(plan: SlotPlan, extra: EngineSettings, places: Places) -> str:
    """The service's file; word for word what stands there where nothing but its date differs."""
    there = present_text(plan.slot, places)
    written = mark_of(there).get("Written", "") if there else ""
    again = unit_text(service_of(plan, extra, written))
    return again if again == there else unit_text(service_of(plan, extra))


def present_text(slot: int, places: Places) -> str:
    """The slot's service file as it is; "" where there is none of Berth's."""
    try:
        text = places.unit(slot).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
    return text if mark_of(text) else ""
