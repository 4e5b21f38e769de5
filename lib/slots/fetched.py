"""A model's files brought to where the slot's engine reads them: the server's own folder.

By the same downloader as the processor's side: what has arrived is kept, resumed and verified.
"""

from pathlib import Path

from lib.core import words
from lib.core.files import read_json, write_json
from lib.download import hub_files
from lib.engines.vllm.places import Places
from lib.jobs.report import Report
from lib.slots.plan import SlotPlan

FETCHED = "models.json"  # in the slot's folder: what was ever fetched for it


def fetch(plan: SlotPlan, places: Places, report: Report, *, is_rehearsal: bool) -> None:
    """The files, complete and verified, and readable for the engine; errors as in hub_files."""
    folder = plan.folder(places)
    if is_rehearsal:
        total = words.disk(sum(file.bytes for file in plan.files))
        report.begin("download", f"Downloading {plan.request.model}.")
        report.say(f"  would download {len(plan.files)} files, {total}, to {folder}")
        report.end()
        return
    note(places, plan.slot, plan.request.model, plan.revision)
    origin = hub_files.Origin(plan.request.model, plan.revision)
    patience = hub_files.patience_from_environment()
    hub_files.fetch_into(folder, origin, plan.files, report, patience)
    make_readable(folder, places.models)


def note(places: Places, slot: int, model: str, revision: str) -> None:
    """Have `--remove` know of it, whatever becomes of this run."""
    rows = fetched(places, slot)
    if (model, revision) not in rows:
        write_json(places.state(slot) / FETCHED, [*rows, (model, revision)])


def fetched(places: Places, slot: int) -> list[tuple[str, str]]:
    """Model and revision of all that was fetched for the slot."""
    rows = read_json(places.state(slot) / FETCHED)
    return [(row[0], row[1]) for row in rows] if isinstance(rows, list) else []


def make_readable(folder: Path, top: Path) -> None:
    """For the engines' account; there is no secret in a model's files."""
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)
    for parent in folder.parents:
        if parent.is_relative_to(top.parent):
            parent.chmod(0o755)
