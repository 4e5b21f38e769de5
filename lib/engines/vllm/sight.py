"""One look at a place where models run: its service, its health, its list, its figures, its log."""

import contextlib
import time
from pathlib import Path

from pydantic import SecretStr

from lib.core.errors import BerthError
from lib.core.files import write_text
from lib.core.http import Refused
from lib.core.redact import redact
from lib.core.settings import settings
from lib.core.values import Frozen
from lib.engines.vllm import answers, metrics, systemd
from lib.engines.vllm.answers import Listed
from lib.engines.vllm.metrics import Figures, Speeds
from lib.engines.vllm.pulse import Pulse
from lib.engines.vllm.systemd import ServiceState

LOG_LINES = 400
LOG_SECONDS = 15.0  # between two copies of the log of an engine that is up
VERSION_SECONDS = 60.0
WINDOW_SECONDS = 10.0  # that a speed is the mean of
MOST_READINGS = 16


class Target(Frozen):
    """A place to look at."""

    url: str  # …/v1
    root: str = ""  # where /health and /metrics stand; "" where nobody knows
    key: SecretStr | None = None
    unit: str = ""  # its service, on this machine
    home: Path | None = None  # of the units, so that two test systems are two places

    @property
    def id(self) -> str:
        """What tells it from every other."""
        return f"{self.home} {self.unit} {self.url}"


class Reading(Frozen):
    """Its figures at one moment."""

    at: float
    figures: Figures


class Sight(Frozen):
    """What was seen. Times are of time.monotonic, in seconds."""

    at: float
    service: ServiceState | None = None
    no_service: str = ""  # why systemd does not tell
    health: int = 0  # HTTP status; 0 where nothing listens or nothing comes in time
    models: tuple[Listed, ...] = ()
    problem: str = ""  # why the list could not be had
    version: str = ""
    version_at: float = 0.0
    readings: tuple[Reading, ...] = ()  # the latest last
    pulse: Pulse = Pulse()
    log: str = ""
    log_problem: str = ""
    log_at: float = 0.0

    @property
    def figures(self) -> Figures | None:
        """The latest; None where it tells none."""
        return self.readings[-1].figures if self.readings else None

    @property
    def speeds(self) -> Speeds:
        """Over the last seconds."""
        if len(self.readings) < 2:
            return Speeds()
        first, last = self.readings[0], self.readings[-1]
        return metrics.speeds(first.figures, last.figures, last.at - first.at)

    @property
    def activity(self) -> str:
        """What it does, in one line."""
        return metrics.line(self.figures, self.speeds) if self.figures else ""

    @property
    def is_vllm(self) -> bool:
        """Does it tell what vLLM tells?"""
        return bool(self.readings)


def look(target: Target, before: Sight | None) -> Sight:
    """Everything about it but its pulse; never raises for what the place does."""
    at = time.monotonic()
    service, no_service = _service(target)
    if before and _run(before.service) != _run(service):  # counters and version begin anew
        before = before.model_copy(update={"readings": (), "version_at": 0.0})
    is_up = service is None or service.is_running
    health = answers.health(target.root) if target.root and is_up else 0
    found = Sight(at=at, service=service, no_service=no_service, health=health)
    if is_up and (health == 200 or not target.unit):
        found = _with_answers(found, target, before)
    return _with_log(found, target, before) if target.unit else found


def _run(service: ServiceState | None) -> str:
    return service.run if service else ""


def _service(target: Target) -> tuple[ServiceState | None, str]:
    if not target.unit:
        return None, ""
    try:
        return systemd.state(target.unit), ""
    except BerthError as error:
        return None, str(error)


def _with_answers(found: Sight, target: Target, before: Sight | None) -> Sight:
    problem, models = "", tuple[Listed, ...]()
    try:
        models = tuple(answers.listed(target.url, target.key))
    except BerthError as error:
        problem = error.message
        if before and not isinstance(error.__cause__, Refused):
            models = before.models  # it is slow, or away for a moment
    figures = answers.figures(target.root) if target.root else None
    readings = _readings(before, figures, found.at)
    told = {"models": models, "problem": problem, "readings": readings}
    return found.model_copy(update={**told, **_version(target, before, found.at, bool(readings))})


def _readings(before: Sight | None, figures: Figures | None, at: float) -> tuple[Reading, ...]:
    if figures is None:
        return ()
    kept = [one for one in (before.readings if before else ()) if at - one.at <= WINDOW_SECONDS]
    return (*kept[1 - MOST_READINGS :], Reading(at=at, figures=figures))


def _version(
    target: Target, before: Sight | None, at: float, is_vllm: bool
) -> dict[str, str | float]:
    if before and before.version_at and at - before.version_at < VERSION_SECONDS and before.version:
        return {"version": before.version, "version_at": before.version_at}
    return {"version": answers.version(target.root) if is_vllm else "", "version_at": at}


def _with_log(found: Sight, target: Target, before: Sight | None) -> Sight:
    """With the end of its log, read again only where there may be news in it."""
    if before and not _has_news(found, before):
        kept = {"log": before.log, "log_problem": before.log_problem, "log_at": before.log_at}
        return found.model_copy(update=kept)
    try:
        log = redact(systemd.journal(target.unit, LOG_LINES), _secrets(target))
    except BerthError as error:
        return found.model_copy(update={"log_problem": str(error), "log_at": found.at})
    with contextlib.suppress(OSError):  # a full disk costs the copy, nothing else
        write_text(log_file(target.unit), log)
    return found.model_copy(update={"log": log, "log_at": found.at})


def _has_news(found: Sight, before: Sight) -> bool:
    if _phase(before) != _phase(found) or not before.log_at:
        return True
    is_idle = found.service is None or found.service.active in ("inactive", "failed")
    is_recent = found.at - before.log_at < LOG_SECONDS
    return not is_idle and not (found.health == 200 and is_recent)


def _phase(sight: Sight) -> tuple[object, ...]:
    """What is followed by words in the log when it changes."""
    now = sight.service
    return (now.active, now.run, now.restarts, sight.health) if now else ()


def _secrets(target: Target) -> list[str]:
    return [target.key.get_secret_value()] if target.key else []


def log_file(unit: str) -> Path:
    """The copy of the end of a service's log, for pages."""
    return settings().slots / f"{unit.removesuffix('.service')}.log"
