"""A slot taken away again: service, key, cache, entries, files; with the last one all of it."""

from collections.abc import Iterator
from pathlib import Path

from lib.core.errors import Conflict, EngineError
from lib.engines.vllm.places import SYSTEM_USER, Places, unit_name
from lib.engines.vllm.units import Unit, read_units
from lib.jobs.events import PhaseState
from lib.jobs.report import Report
from lib.slots import step, turns
from lib.slots.check.neighbours import foreign_service
from lib.slots.fetched import fetched
from lib.slots.gateway.phase import remove_from_gateway
from lib.slots.hands import Hands
from lib.slots.installation import installed
from lib.slots.journal import Journal
from lib.slots.plan import present_text
from lib.slots.service import RELOAD, account_note, has_user
from lib.slots.start import reset
from lib.slots.unit_text import PREPARATION


def remove(places: Places, slot: int, report: Report, *, is_rehearsal: bool) -> None:
    """All that was ever written for the slot; Conflict for what is not Berth's."""
    report.begin("remove", f"Removing slot {slot}.")
    for problem in foreign_service(places, slot):
        raise problem
    folder = places.state(slot)
    if not folder.exists() and not present_text(slot, places):
        report.end(f"There is nothing on slot {slot}.", PhaseState.SKIPPED)
        return
    hands = Hands(report, is_rehearsal=is_rehearsal)
    if is_rehearsal:
        _all(places, slot, hands, report)
        report.end("Nothing was changed.")
        return
    journal = Journal(folder)
    if journal.is_busy:
        raise Conflict(f"A deployment works on slot {slot}.", "End it first.")
    if journal.is_open:
        step.undo(places, slot, report, waits=False)
    with turns.working(places, slot):
        _all(places, slot, hands, report)
    if hands.problems:
        raise EngineError(
            f"Not all of slot {slot} could be removed: {' '.join(hands.problems)}",
            "Mend that, then run this again.",
        )
    report.end(f"Slot {slot} is empty.")


def _all(places: Places, slot: int, hands: Hands, report: Report) -> None:
    others = [unit for unit in read_units(places) if unit.slot != slot]
    remove_from_gateway(places, slot, others, hands, report)
    if present_text(slot, places):
        hands.run("systemctl", "disable", "--now", unit_name(slot))
        hands.run(*reset(unit_name(slot)), may_fail=True)
    hands.file(places.unit(slot))
    hands.file(places.env_file(slot))
    hands.folder(places.cache(slot))
    for folder in _unused(places, slot, others):
        hands.folder(folder)
        hands.empty(folder.parent, folder.parent.parent)
    if not others:
        _shared(places, hands)
    hands.run(*RELOAD)
    hands.folder(places.state(slot))
    _tidy(places, hands)


def _unused(places: Places, slot: int, others: list[Unit]) -> Iterator[Path]:
    """The folders of models that were fetched for the slot and that no other slot uses."""
    used = {(unit.model, unit.revision) for unit in others}
    for model, revision in fetched(places, slot):
        if (model, revision) not in used:
            yield places.model(model, revision)


def _shared(places: Places, hands: Hands) -> None:
    """What all slots used together."""
    hands.run(*reset(PREPARATION), may_fail=True)
    hands.file(places.units / PREPARATION)
    hands.folder(places.cache(0).parent)
    for folder in installed(places):
        hands.folder(folder)
    if account_note(places).exists():
        if has_user(places):
            hands.run("userdel", SYSTEM_USER)
        hands.file(account_note(places))


def _tidy(places: Places, hands: Hands) -> None:
    """Folders of Berth's own, where nothing is left in them."""
    slots = places.state(0).parent
    if slots.is_dir() and not any(path.is_dir() for path in slots.iterdir()):
        hands.folder(slots)
    hands.empty(
        places.models,
        slots.parent,
        places.cache(0).parent,
        places.settings,
        places.programs,
    )
