"""Everything about deploying one model on one slot, found out for whoever decides about it.

The check's own list is for a terminal. Here it is taken apart by what a person does about each
thing: the model, the memory, the machine, and the rights.
"""

from typing import NamedTuple

from lib.core.access import Action, require
from lib.core.errors import BerthError, DoesNotFit
from lib.engines.vllm.places import Places, places
from lib.fit.card_memory import CardVerdict
from lib.hub.checkpoints import HubCheckpoint
from lib.jobs.jobs import Job
from lib.machine.cards import Cards
from lib.slots import job, measured, overview, table
from lib.slots.alternatives import Alternative, Situation, alternatives
from lib.slots.check import collected, disk, model, system
from lib.slots.check.collected import Checked
from lib.slots.engine_settings import engine_settings
from lib.slots.measured import Measured
from lib.slots.plan import SlotPlan
from lib.slots.request import SlotRequest


class Offer(NamedTuple):
    """What a deployment would do, and what stands in its way."""

    request: SlotRequest
    refusal: BerthError | None  # why the model itself cannot be had
    obstacles: tuple[BerthError, ...]  # on this machine
    needs_root: BerthError | None  # with the command to paste
    notes: tuple[str, ...]
    plan: SlotPlan | None = None
    found: HubCheckpoint | None = None
    verdict: CardVerdict | None = None
    alternatives: tuple[Alternative, ...] = ()  # where it does not fit
    before: Measured | None = None  # what the engine really gave the last time
    missing_bytes: int = 0  # still to be downloaded


def offer(request: SlotRequest, seen: Cards, where: Places) -> Offer:
    """Look everything up and change nothing; a second or so, most of it the Hub's."""
    checked = collected.check(request, where)
    refusal = checked.refusal
    about_rights = [error for error in checked.problems if system.STEPS_OF_ROOT in error.message]
    known = {str(error) for error in (*about_rights, *filter(None, [refusal]))}
    return Offer(
        request=request,
        refusal=refusal,
        obstacles=tuple(
            error
            for error in checked.problems
            if str(error) not in known and not isinstance(error, DoesNotFit)
        ),
        needs_root=about_rights[0] if about_rights else None,
        notes=checked.notes,
        plan=checked.plan,
        found=checked.found,
        verdict=checked.verdict,
        alternatives=_alternatives(checked, request, seen, where),
        before=_before(checked.plan),
        missing_bytes=_missing_bytes(checked.plan, where),
    )


def start(request: SlotRequest) -> Job:
    """The deployment as a job, refused at once where something stands in its way."""
    require(Action.DEPLOY)
    problems = collected.check(request, places()).problems
    if problems:
        raise table.summary(problems)
    return job.start(request)


def _alternatives(
    checked: Checked, request: SlotRequest, seen: Cards, where: Places
) -> tuple[Alternative, ...]:
    if not checked.found or not checked.verdict or checked.verdict.fits:
        return ()
    slots = overview.slots(seen, where)
    now = Situation(
        request=request,
        found=checked.found,
        wanted=model.serving(request, _usual_num_seqs(where)),
        slots=slots,
        promised={slot.number: collected.promised(where, slot.number) for slot in slots},
    )
    return tuple(alternatives(now))


def _usual_num_seqs(where: Places) -> int | None:
    try:
        return engine_settings(where).max_num_seqs
    except BerthError:
        return None  # told as an obstacle


def _before(plan: SlotPlan | None) -> Measured | None:
    if plan is None:
        return None
    cards = tuple(card.name for card in plan.cards)
    return measured.recall(plan.request.model, plan.revision, cards, plan.request.quantization)


def _missing_bytes(plan: SlotPlan | None, where: Places) -> int:
    if plan is None:
        return 0
    sizes = {file.path: file.bytes for file in plan.files}
    return disk.missing_bytes(sizes, plan.folder(where))
