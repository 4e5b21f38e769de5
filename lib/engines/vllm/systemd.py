"""Services of Berth's own through systemctl and journalctl; no other unit can be named here.

Asking needs no rights. What changes something is done by root itself, else through `sudo -n`; where
that is refused, the error's fix is the command to paste.
"""

import os
import re
import shlex
import time
from collections.abc import Sequence

from lib.core.errors import BadInput, EngineError
from lib.core.names import shown
from lib.core.values import Frozen
from lib.processes.command import NOT_FOUND, TIMED_OUT, Done, run

ASK_SECONDS = 5.0
ACT_SECONDS = 150.0  # a stop waits for streams that are still being answered
REFUSED_SECONDS = 60.0  # so long sudo is not asked for a log again that it has refused
LONGEST_JOURNAL = 5_000  # lines

_OURS = re.compile(r"berth-[a-z0-9]+(?:[-@][a-z0-9]+)*\.service")
_DENIED = re.compile(
    r"sudo: (?:a (?:password|terminal)|no tty|.*no new privileges)|may not run sudo"
    r"|not in the sudoers|not allowed to execute|access denied|authentication (?:is )?required"
    r"|permission denied|insufficient permissions",
    re.IGNORECASE,
)
_PROPERTIES = {
    "LoadState": "load",
    "ActiveState": "active",
    "SubState": "sub",
    "Result": "result",
    "ExecMainCode": "how",
    "ExecMainStatus": "exit_code",
    "ExecMainStartTimestampMonotonic": "since",
    "NRestarts": "restarts",
    "InvocationID": "run",
    "UnitFileState": "enabled",
}
_EXITED = 1  # CLD_EXITED; everything else is a signal


class ServiceState(Frozen):
    """How systemd says that a service stands."""

    active: str = "inactive"  # active, activating, deactivating, inactive, failed
    sub: str = "dead"  # running, auto-restart, …
    result: str = "success"  # exit-code, signal, start-limit-hit, …
    exit_code: int | None = None  # of the last main process; negative: a signal
    restarts: int = 0  # by itself, since it was started
    since: float | None = None  # epoch seconds: when its main process was last started
    load: str = "loaded"  # not-found: systemd has no such unit
    run: str = ""  # id of this run, by which the journal knows it
    enabled: str = ""

    @property
    def is_running(self) -> bool:
        """Does its main process run?"""
        return self.active == "active"

    @property
    def gave_up(self) -> bool:
        """It ended so often that systemd starts it no more until `reset_failed`."""
        return self.active == "failed"


def state(unit: str) -> ServiceState:
    """How the service stands; EngineError where there is no systemd that answers."""
    names = ",".join(_PROPERTIES)
    done = _run(["systemctl", "show", _ours(unit), f"--property={names}"], ASK_SECONDS)
    if not done.is_good:
        raise _unanswered(done)
    return _state(done.stdout)


def start(unit: str) -> None:
    """Start it; returns when its program runs, which is long before it answers."""
    _act("start", unit)


def stop(unit: str) -> None:
    """Stop it and return when it is gone."""
    _act("stop", unit)


def restart(unit: str) -> None:
    """Stop and start it."""
    _act("restart", unit)


def reset_failed(unit: str) -> None:
    """Forget that it ended too often: a start is refused before that."""
    _act("reset-failed", unit)


def enable(unit: str) -> None:
    """Have it started with the machine."""
    _act("enable", unit)


def disable(unit: str) -> None:
    """Have it not started with the machine."""
    _act("disable", unit)


def daemon_reload() -> None:
    """Have systemd read the unit files again."""
    _privileged(["systemctl", "daemon-reload"])


def journal(unit: str, lines: int = 200, since: float | None = None, run_id: str = "") -> str:
    """The last lines that the service wrote, oldest first; EngineError where they may not be read.

    `since` is in epoch seconds; `run_id` names one run of it, as `ServiceState.run` does.
    """
    command = ["journalctl", "--no-pager", "--quiet", "--all", "--output=cat"]
    command += [f"--unit={_ours(unit)}", f"--lines={max(1, min(lines, LONGEST_JOURNAL))}"]
    command += [f"--since=@{since:.0f}"] if since is not None else []
    command += [f"_SYSTEMD_INVOCATION_ID={run_id}"] if run_id.isalnum() else []
    done = _run(command, ASK_SECONDS)
    if not done.is_good and _DENIED.search(done.stderr):
        done = _journal_as_root(command)
    if not done.is_good:
        raise _unanswered(done)
    return done.stdout


def _ours(unit: str) -> str:
    """The name as given, or BadInput: no other service is asked about, still less stopped."""
    if not _OURS.fullmatch(unit):
        raise BadInput(f"“{shown(unit)}” is no service of Berth's.", "Use systemctl for it.")
    return unit


def _act(verb: str, unit: str) -> None:
    _privileged(["systemctl", "--no-ask-password", verb, _ours(unit)])


def _privileged(command: Sequence[str]) -> None:
    """Do it with root's rights; EngineError where they are not given, or systemd refuses."""
    what = " ".join(word for word in command if word != "--no-ask-password")
    done = _as_root(command, f"This needs root's rights: {what}.", ACT_SECONDS)
    if done.is_good:
        return
    if done.code == TIMED_OUT:
        raise EngineError(f"{what} takes too long.", "Look at it again in a minute.")
    raise EngineError(f"{what} failed: {_said(done)}.", "The log of the service says more.")


_journal_refused: list[float] = []  # when sudo refused it last


def _journal_as_root(command: Sequence[str]) -> Done:
    """Asked again and again by pages, so a refusal holds for a while: sudo reports each try."""
    why = "The log of the service may not be read by this account."
    if _journal_refused and time.monotonic() - _journal_refused[-1] < REFUSED_SECONDS:
        raise EngineError(why, _pasted(command))
    try:
        return _as_root(command, why, ASK_SECONDS)
    except EngineError:
        _journal_refused[:] = [time.monotonic()]
        raise


def _as_root(command: Sequence[str], refusal: str, seconds: float) -> Done:
    """What the command ends with; EngineError with `refusal` where root's rights are refused."""
    is_root = os.geteuid() == 0
    done = _run(command if is_root else ["sudo", "-n", *command], seconds)
    if done.code == NOT_FOUND and is_root:
        raise _unanswered(done)
    if done.code == NOT_FOUND or (not done.is_good and _DENIED.search(done.stderr)):
        raise EngineError(refusal, _pasted(command))
    return done


def _run(command: Sequence[str], seconds: float) -> Done:
    """In the language that the patterns here are written in."""
    return run(command, environment={**os.environ, "LC_ALL": "C"}, seconds=seconds)


def _pasted(command: Sequence[str]) -> str:
    return f"Run this in a terminal: {_by_hand(command)}"


def _by_hand(command: Sequence[str]) -> str:
    """The command as a person types it."""
    return shlex.join(["sudo", *(word for word in command if word != "--no-ask-password")])


def _unanswered(done: Done) -> EngineError:
    if done.code == NOT_FOUND:
        return EngineError("There is no systemd on this machine.", "Use a Linux that has it.")
    return EngineError(f"systemd does not answer: {_said(done)}.", "Try again in a moment.")


def _said(done: Done) -> str:
    text = " ".join(done.stderr.split()) or f"exit code {done.code}"
    return shown(text, 300).rstrip(".")


def _state(text: str) -> ServiceState:
    """From `Name=value` lines; what cannot be understood has its default."""
    told = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    fields = {field: told[name] for name, field in _PROPERTIES.items() if told.get(name)}
    since = _number(fields.pop("since", ""))
    restarts = _number(fields.pop("restarts", ""))
    code = _exit_code(_number(fields.pop("how", "")), _number(fields.pop("exit_code", "")))
    return ServiceState.model_validate(
        {
            **fields,
            "exit_code": code if since else None,
            "restarts": restarts or 0,
            "since": _epoch(since) if since else None,
        }
    )


def _exit_code(how: int | None, status: int | None) -> int | None:
    return -status if how and status and how != _EXITED else status


def _epoch(monotonic_microseconds: int) -> float:
    """Epoch seconds of a moment on the machine's own clock, which every systemd tells."""
    return time.time() - time.monotonic() + monotonic_microseconds / 1e6


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() else None
