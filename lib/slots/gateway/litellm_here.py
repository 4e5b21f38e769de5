"""The LiteLLM of this machine: started, or replaced by another without a cut.

It reads its settings once, when it starts. So a second one is started with the new ones on the
other port; when it answers, nginx leads there, by a reload that leaves running streams with its old
workers; the first one serves these to their end and stops. Without nginx nothing can lead clients
over: then it is restarted, and how many requests run is said before.
"""

from collections.abc import Callable

from lib.core.errors import BerthError
from lib.core.http import get_json
from lib.engines.vllm import systemd
from lib.engines.vllm.places import Places
from lib.jobs.report import Report
from lib.slots.change import Doer
from lib.slots.gateway import files
from lib.slots.gateway.litellm import (
    DRAIN_SECONDS,
    HOST,
    PORTS,
    RESTART_SECONDS,
    START_SECONDS,
    UNITS,
)
from lib.slots.steps import Answer, Command

ACT_SECONDS = 60.0
_RUNNING = ("active", "activating", "deactivating", "reloading")


def runs(second: bool) -> bool:
    """Does it run, or come to its end? Where systemd does not answer, nothing does."""
    try:
        return systemd.state(UNITS[second]).active in _RUNNING
    except BerthError:
        return False


def is_current(places: Places, second: bool) -> bool:
    """Was it started after its files were last written?"""
    since = systemd.state(UNITS[second]).since
    read = (files.unit(places, second), files.config(places), files.include(places))
    try:
        return since is not None and max(path.stat().st_mtime for path in read) <= since
    except OSError:
        return False


def requests_running(places: Places, second: bool) -> int | None:
    """How many requests it works on; None where it does not tell."""
    headers = {"Authorization": f"Bearer {files.master_key(places)}"}
    try:
        told = get_json(f"http://{HOST}:{PORTS[second]}/health/backlog", headers)
    except BerthError:
        return None
    count = told.get("in_flight_requests") if isinstance(told, dict) else None
    return max(0, count - 1) if isinstance(count, int) else None  # the question is one itself


def start(doer: Doer, second: bool) -> None:
    """Start it, now and with the machine; it answers when this returns."""
    doer.do(
        Command(
            why="start LiteLLM",
            command=("systemctl", "enable", "--now", UNITS[second]),
            undo=("systemctl", "disable", "--now", UNITS[second]),
            seconds=ACT_SECONDS,
        ),
        _answer(second),
    )


def replace(doer: Doer, report: Report, active: bool, lead: Callable[[bool], None]) -> None:
    """Start the other one, and have clients led to it by `lead`; the active one runs on."""
    other = not active
    if runs(other):
        report.say("  waiting for requests that run since the last change")
        stop = ("systemctl", "stop", UNITS[other])
        doer.do(
            Command(
                why="end the LiteLLM of before",
                command=stop,
                seconds=DRAIN_SECONDS + ACT_SECONDS,
            )
        )
    report.note(f"  another LiteLLM takes over on port {PORTS[other]}; no stream is cut")
    doer.do(
        Command(why="start the other LiteLLM", command=("systemctl", "start", UNITS[other])),
        _answer(other),
        _at_boot(other, is_on=True),
    )
    lead(other)
    doer.do(_at_boot(active, is_on=False))


def restart(places: Places, doer: Doer, report: Report, second: bool) -> None:
    """Without nginx: told before, with a short time for what runs."""
    running = requests_running(places, second)
    report.note(
        f"  LiteLLM is restarted: {_counted(running)} that run there may take {RESTART_SECONDS} s"
    )
    again = ("systemctl", "restart", UNITS[second])
    seconds = DRAIN_SECONDS + ACT_SECONDS  # it may have been started while there was an nginx
    doer.do(
        Command(why="restart LiteLLM", command=again, undo=again, seconds=seconds), _answer(second)
    )


def end_other(places: Places, doer: Doer, report: Report, active: bool) -> None:
    """End the one that nobody is led to any more; it serves what it has begun first."""
    other = not active
    if not runs(other):
        return
    running = requests_running(places, other)
    if running:
        report.note(f"  to their end in the LiteLLM of before: {_counted(running)}")
    doer.do(stop_soon(other))


def stop_soon(second: bool) -> Command:
    """End it when its requests have ended, without waiting for that."""
    return Command(
        why="end the other LiteLLM",
        command=("systemctl", "stop", "--no-block", UNITS[second]),
        seconds=ACT_SECONDS,
    )


def _counted(running: int | None) -> str:
    """`1 request`, `2 requests`, `requests` where the number is not told."""
    if running is None:
        return "requests"
    return f"{running} request{'' if running == 1 else 's'}"


def _answer(second: bool) -> Answer:
    return Answer(
        why="reach LiteLLM",
        url=f"http://{HOST}:{PORTS[second]}/health/liveliness",
        seconds=START_SECONDS,
    )


def _at_boot(second: bool, *, is_on: bool) -> Command:
    verb, back = ("enable", "disable") if is_on else ("disable", "enable")
    return Command(
        why=f"have LiteLLM {'' if is_on else 'not '}started with the machine",
        command=("systemctl", verb, UNITS[second]),
        undo=("systemctl", back, UNITS[second]),
    )
