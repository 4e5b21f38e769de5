"""What a deployment does after its check, phase by phase.

unload → download → service → gateway → start → test. Each is told as a phase of its own, and each
leaves alone what is so already: a second run for the same model changes only what differs.
"""

import contextlib
import os
import time
from pathlib import Path

from lib.core import words
from lib.core.files import read_json, write_json, write_text
from lib.core.settings import settings
from lib.engines.vllm import keys, systemd
from lib.engines.vllm.causes import Retry
from lib.jobs.events import PhaseState
from lib.slots import installation, levels, measured, probe, start
from lib.slots import service as service_files
from lib.slots.engine_settings import engine_settings
from lib.slots.fetched import fetch
from lib.slots.gateway import phase as gateway_phase
from lib.slots.installation import VLLM
from lib.slots.plan import SlotPlan, present_text, wanted_text
from lib.slots.probe import Engine
from lib.slots.start import Ended, reset
from lib.slots.step import Phase, Step
from lib.slots.steps import Command, WantedFile

# For the script, which hands them to its caller's own records.
GOT, KEY = "measured.json", "key"
PLAN = "plan.json"


def unload(step: Step) -> None:
    """Stop what runs on the slot, so that its memory is free; only Berth's own can be there."""
    unit = step.plan.unit
    if not present_text(step.plan.slot, step.places):
        step.report.begin("unload", f"Slot {step.plan.slot} is empty.")
        step.report.end("", PhaseState.SKIPPED)
        return
    now = systemd.state(unit)
    if is_unchanged(step.plan, step) and now.is_running:
        step.report.begin("unload", f"{step.plan.request.model} runs there already.")
        step.report.end("", PhaseState.SKIPPED)
        return
    step.report.begin("unload", f"Stopping what runs on slot {step.plan.slot}.")
    if now.is_running or now.active == "activating":
        step.doer.do(
            Command(why="start the former model again", undo=("systemctl", "start", unit)),
            Command(why="let it be started again", undo=reset(unit)),
        )
    step.doer.do(
        Command(
            why="stop the service",
            command=("systemctl", "stop", unit),
            seconds=systemd.ACT_SECONDS,
        )
    )
    step.report.end()


def is_unchanged(plan: SlotPlan, step: Step) -> bool:
    """Would the service be word for word what it is, and does it have its key?"""
    wanted = wanted_text(plan, engine_settings(step.places), step.places)
    has_key = bool(service_files.key(plan.slot, step.places)) or step.is_rehearsal
    return has_key and wanted == present_text(plan.slot, step.places)


def download(step: Step) -> None:
    """vLLM itself where it is missing, and the model's files."""
    program = step.plan.program
    if not program.is_there:
        step.report.begin("download", f"Installing vLLM {program.version}.")
        installation.install(VLLM, program, step.places, step.doer, step.report)
    fetch(step.plan, step.places, step.report, is_rehearsal=step.is_rehearsal)


def service(step: Step) -> None:
    """Account, key, unit files; verified by systemd itself."""
    service_files.write(step.plan, step.places, step.doer, step.report)


def gateway(step: Step) -> None:
    """LiteLLM and nginx, so far as they are wanted."""
    if not gateway_phase.has_gateway(step.plan.request, step.places):
        step.report.begin("gateway", "LiteLLM and nginx are left out.")
        step.report.end("", PhaseState.SKIPPED)
        return
    gateway_phase.prepare_gateway(step.plan, step.places, step.doer, step.report)


def begin(step: Step) -> None:
    """Start the engine and follow it until it answers, then let clients in."""
    plan, report = step.plan, step.report
    report.begin("start", f"Starting {plan.request.name}.")
    if step.is_rehearsal:
        if is_unchanged(plan, step) and systemd.state(plan.unit).is_running:
            report.say("  would leave it running: nothing differs")
        else:
            start.begin(plan.unit, step.doer)
            report.say("  would follow its log until it answers")
        gateway_phase.open_gateway(plan, step.places, step.doer, report)
        report.end()
        return
    began = time.monotonic()
    engine = _engine(step)
    if _runs_already(step, engine):
        report.say("  It runs already, and nothing differs.")
        seconds: dict[str, float] = {}
    else:
        seconds = _started(step, engine)
    probe.token(engine, levels.token_seconds())
    given = probe.capacity(engine)
    record = measured.measured(step.plan, given, seconds)
    report.note(f"  {record.sentence}")
    _keep(record, engine, step.folder)
    gateway_phase.open_gateway(plan, step.places, step.doer, report)
    report.end(f"Ready after {words.duration(time.monotonic() - began)}.")


def test(step: Step) -> None:
    """The four levels."""
    report, plan = step.report, step.plan
    report.begin("test", f"Testing {plan.request.name}.")
    chain = gateway_phase.chain(plan, step.places)
    if step.is_rehearsal:
        for line in levels.steps(chain):
            report.say(f"  would test: {line}")
        report.end()
        return
    levels.run(_engine(step), chain, report)
    gateway_phase.settle_gateway(plan, step.places, step.doer, report)
    kept = step.plan.model_dump_json(indent=1) + "\n"
    step.doer.do(WantedFile(path=step.places.state(plan.slot) / PLAN, text=kept))
    report.end(f"{plan.request.name} is ready at {chain.whole.base_url}")


def _engine(step: Step) -> Engine:
    return service_files.engine(step.plan.slot, step.plan.request.name, step.places)


def _runs_already(step: Step, engine: Engine) -> bool:
    """Was it left running by `unload`, with the very service that is there now?"""
    unit = step.plan.unit
    return (
        is_unchanged(step.plan, step)
        and systemd.state(unit).is_running
        and probe.is_healthy(engine)
    )


def _started(step: Step, engine: Engine) -> dict[str, float]:
    """How long each step of the start took, in seconds.

    What only time mends is tried again once, after a pause; so is a context that the engine says
    is too long, with the one that it says it has room for. Nothing else is tried by itself.
    """
    tried = set[Retry]()
    while True:
        start.begin(step.plan.unit, step.doer)
        try:
            before = measured.seconds_before(step.plan)
            return start.follow(step.plan, engine, step.report, before)
        except Ended as ended:
            stop = ("systemctl", "stop", step.plan.unit)
            step.doer.do(Command(why="stop it", command=stop, seconds=systemd.ACT_SECONDS))
            _try_again(step, ended, tried)


def _try_again(step: Step, ended: Ended, tried: set[Retry]) -> None:
    """Make ready for one more try; the error for people where that would not help."""
    why = ended.why
    if why.retry in tried or why.retry == Retry.NEVER:
        raise ended.error
    tried.add(why.retry)
    if why.retry == Retry.SMALLER_CONTEXT and why.context:
        step.report.note(f"  {why.message} It is started with that.")
        step.plan = step.plan.model_copy(update={"context": why.context})
        service_files.rewrite(step.plan, step.places, step.doer)
    else:
        pause = start.pause_seconds()
        step.report.note(f"  {why.message} Trying again in {words.duration(pause)}.")
        time.sleep(pause)


def _keep(record: measured.Measured, engine: Engine, folder: Path) -> None:
    """In the records of whoever called; where these are not this account's, the script does it.

    Root writes nothing into another's home: it leaves both in the script's own folder.
    """
    home = settings().home
    if not home.exists() or home.stat().st_uid == os.geteuid():
        measured.remember(record)
        return
    write_json(folder / GOT, record.model_dump(mode="json"))
    write_text(folder / KEY, f"{engine.key.get_secret_value()}\n")
    for name in (GOT, KEY):
        os.chown(folder / name, home.stat().st_uid, home.stat().st_gid)


def remember(slot: int, folder: Path) -> None:
    """Keep what the engine gave, and its key, in the records of whoever called the script."""
    measured.remember(measured.Measured.model_validate(read_json(folder / GOT)))
    with contextlib.suppress(FileNotFoundError):
        key = (folder / KEY).read_text(encoding="utf-8")
        write_text(keys.key_copy(settings().home, slot), key)


def forget(slot: int) -> None:
    """The slot is gone: its key goes from the records of whoever called the script."""
    keys.key_copy(settings().home, slot).unlink(missing_ok=True)


ALL = (
    Phase("unload", unload),
    Phase("download", download),
    Phase("service", service, needs_turn=True),
    Phase("gateway", gateway, needs_turn=True),
    Phase("start", begin, needs_turn=True),
    Phase("test", test, needs_turn=True),
)
