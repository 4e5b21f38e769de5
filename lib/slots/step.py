"""A deployment done: alone on its slot, noted in the journal, taken back where it fails."""

import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from lib.core.errors import Conflict
from lib.core.files import tail
from lib.core.settings import ROOT
from lib.engines.vllm import systemd
from lib.engines.vllm.places import Places, unit_name
from lib.engines.vllm.units import Unit, read_units
from lib.jobs.report import Report
from lib.processes import background
from lib.processes.birth import born
from lib.processes.identity import created_at
from lib.slots import probe, service, turns
from lib.slots.change import Change, Doer
from lib.slots.journal import Journal, Owner
from lib.slots.plan import SlotPlan

UNDO_SECONDS = 1_800.0  # a model that ran before has so long to answer again
LOOK_SECONDS = 0.3


@dataclass
class Step:
    """What each phase works with."""

    plan: SlotPlan  # an engine that wants less than was planned changes it
    places: Places
    report: Report
    doer: Doer
    folder: Path  # the script's own, for what one step tells the next
    is_rehearsal: bool


class Phase(NamedTuple):
    """A part of a deployment."""

    name: str
    work: Callable[[Step], None]
    needs_turn: bool = False  # it writes what slots share


def rehearse(phases: Sequence[Phase], step: Step) -> None:
    """Tell what they would do."""
    for phase in phases:
        phase.work(step)


def perform(
    phases: Sequence[Phase], plan: SlotPlan, places: Places, report: Report, folder: Path
) -> None:
    """Do them. Where one fails or is ended, everything since the first is taken back."""
    journal = Journal(places.state(plan.slot))
    step = Step(plan, places, report, Change(journal, report), folder, is_rehearsal=False)
    journal.require_free(this_process())
    with turns.working(places, plan.slot):
        if journal.begin(f"{plan.request.model} on slot {plan.slot}", this_process()):
            report.say("An earlier run was broken off here; this one goes on from where it was.")
    try:
        with turns.working(places, plan.slot):
            for phase in phases:
                if phase.needs_turn:
                    _take_turn(places, plan.slot, report)
                phase.work(step)
            journal.close()
            turns.give_back(places, plan.slot)
    except BaseException as error:
        undo_apart(places, plan.slot, report, waits=not isinstance(error, KeyboardInterrupt))
        raise


def this_process() -> Owner:
    """Who a change belongs to that is begun here."""
    return Owner(pid=os.getpid(), created_at=created_at(os.getpid()), birth=born(os.getpid()))


def undo(places: Places, slot: int, report: Report, *, waits: bool) -> None:
    """Take the slot's open change back; its former model is started again by that.

    Conflict where something could not be taken back: the journal is kept, for another try.
    """
    with turns.working(places, slot):
        journal = Journal(places.state(slot))
        if not journal.is_open:
            return
        report.say("Taking back what was changed.")
        problems = Change(journal, report).undo()
        turns.give_back(places, slot)
    for problem in problems:
        report.say(f"  {problem}")
    if problems:
        raise Conflict(
            "Not everything could be taken back.",
            f"Run this again: ./deploy_model.sh --remove {slot} takes the rest away.",
        )
    report.say(_as_it_is(places, slot, waits=waits))


def undo_apart(places: Places, slot: int, report: Report, *, waits: bool) -> None:
    """The same in a process of its own, which goes on where this one is killed."""
    folder = places.state(slot)
    log, ended = folder / "undo.log", folder / "undo.exit"
    command = [sys.executable, "-m", "lib.slots", "undo", "--slot", str(slot)]
    command += [] if waits else ["--without-waiting"]
    search = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    world = {**os.environ, "PYTHONPATH": os.pathsep.join(search)}
    world.pop("BERTH_EVENTS", None)
    child = background.start(command, world, log, ended)
    shown, give_up_at = 0, time.monotonic() + UNDO_SECONDS
    while time.monotonic() < give_up_at:
        is_over = not background.is_alive(child)
        lines = tail(log).splitlines()
        for line in lines[shown:]:
            report.say(line)
        shown = len(lines)
        if is_over:
            break
        time.sleep(LOOK_SECONDS)
    for file in (log, ended):
        file.unlink(missing_ok=True)


def _as_it_is(places: Places, slot: int, *, waits: bool) -> str:
    """What runs on the slot now."""
    units = [unit for unit in read_units(places) if unit.slot == slot]
    if not units or not systemd.state(unit_name(slot)).is_running:
        return "The machine is as it was."
    told = f"The machine is as it was: {units[0].model} runs again on slot {slot}"
    if not waits:
        return f"{told}, and answers when it is loaded."
    return f"{told}." if _answers(units[0], places) else f"{told}, but does not answer yet."


def _answers(unit: Unit, places: Places) -> bool:
    """Does the model that is back answer within its time?"""
    engine = service.engine(unit.slot, unit.served_name, places)
    give_up_at = time.monotonic() + UNDO_SECONDS
    while not probe.is_healthy(engine):
        if time.monotonic() > give_up_at or not systemd.state(unit.name).is_running:
            return False
        time.sleep(LOOK_SECONDS)
    return True


def _take_turn(places: Places, slot: int, report: Report) -> None:
    def waiting(other: int) -> None:
        report.note(f"  waiting for the deployment on slot {other} to end")

    def broken_off(other: int) -> None:
        report.say(f"A deployment on slot {other} was broken off.")
        undo_apart(places, other, report, waits=False)
        if Journal(places.state(other)).is_open:
            raise Conflict(
                f"What was broken off on slot {other} could not be taken back.",
                f"Run ./deploy_model.sh --remove {other}, then this again.",
            )

    turns.take(places, slot, waiting, broken_off)
