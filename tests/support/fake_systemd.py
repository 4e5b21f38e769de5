"""A systemd small enough for a folder: real programs named systemctl, journalctl and sudo.

A unit's ExecStart is really run, with its Environment and EnvironmentFile, by a supervisor that
starts it again as Restart=always asks, until StartLimitBurst; its output is the journal. In a test:

    systemd = FakeSystemd(tmp_path)
    systemd.use(monkeypatch)          # PATH and BERTH_SYSTEM_ROOT
    systemd.write("berth-slot-0.service", [sys.executable, "-m", "http.server"], mark)
    ...
    systemd.end()                     # whatever still runs

Standard library only, because it is run as a program by its path.
"""

import contextlib
import fcntl
import json
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

LIFETIME_SECONDS = 900
FOLDER = "FAKE_SYSTEMD"
DENIED = "sudo: a password is required"
UNREADABLE = "No journal files were opened due to insufficient permissions."
IDLE = {
    "LoadState": "loaded",
    "ActiveState": "inactive",
    "SubState": "dead",
    "Result": "success",
    "ExecMainCode": "0",
    "ExecMainStatus": "0",
    "ExecMainStartTimestampMonotonic": "0",
    "NRestarts": "0",
    "InvocationID": "",
    "MainPID": "0",
    "UnitFileState": "disabled",
}


class FakeSystemd:
    """The folder, seen from a test."""

    def __init__(self, folder: Path) -> None:
        self.root, self.folder = folder / "system", folder / "systemd"
        self.units = self.root / "etc/systemd/system"
        self.units.mkdir(parents=True)
        for name in ("state", "journal", "bin"):
            (self.folder / name).mkdir(parents=True)
        for name in ("systemctl", "journalctl", "sudo"):
            script = self.folder / "bin" / name
            me, python = shlex.quote(__file__), shlex.quote(sys.executable)
            script.write_text(f'#!/bin/sh\nexec {python} -I -S {me} {name} "$@"\n')
            script.chmod(0o755)

    def world(self) -> dict[str, str]:
        """What a process needs in its environment to see it."""
        return {
            "PATH": f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "BERTH_SYSTEM_ROOT": str(self.root),
            FOLDER: str(self.folder),
        }

    def use(self, monkeypatch: Any) -> "FakeSystemd":
        """Have this process see it, and what it starts."""
        for name, value in self.world().items():
            monkeypatch.setenv(name, value)
        return self

    def write(
        self,
        unit: str,
        command: Sequence[str],
        mark: Mapping[str, str] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Path:
        """A unit file; with a `mark`, one of Berth's."""
        lines = ["[Service]", f"ExecStart={shlex.join(command)}", "Restart=always"]
        lines += [f"Environment={shlex.quote(f'{k}={v}')}" for k, v in (environment or {}).items()]
        if mark is not None:
            lines += ["", "[X-Berth]", *(f"{key}={value}" for key, value in mark.items())]
        path = self.units / unit
        path.write_text("\n".join([*lines, ""]))
        return path

    def refuse(self, *, is_refusing: bool = True) -> None:
        """From now on sudo wants a password, and the journal is root's."""
        self._flag("refuses", is_refusing)

    def ctl(self, verb: str, unit: str) -> None:
        """What somebody else does with systemctl meanwhile."""
        subprocess.run(self._ctl(verb, unit), env={**os.environ, **self.world()}, check=True)

    def later(self, verb: str, unit: str, seconds: float = 1.0) -> None:
        """The same in a moment, without waiting for it."""
        act = threading.Timer(seconds, self.ctl, (verb, unit))
        act.daemon = True
        act.start()

    def _ctl(self, verb: str, unit: str) -> list[str]:
        return [str(self.folder / "bin/systemctl"), verb, unit]

    def state(self, unit: str) -> dict[str, str]:
        """All that `systemctl show` would tell."""
        return _read(self.folder, unit)

    def log(self, unit: str) -> str:
        """All that the unit has written."""
        return "".join(path.read_text() for path in _logs(self.folder, unit))

    def say(self, unit: str, text: str) -> None:
        """Have the unit's journal say this as its last run."""
        _new_log(self.folder, unit, uuid.uuid4().hex).write_text(text)

    def asked(self) -> list[list[str]]:
        """Every call so far, with its program's name."""
        path = self.folder / "asked"
        lines = path.read_text().splitlines() if path.exists() else []
        return [json.loads(line) for line in lines]

    def end(self) -> None:
        """Stop all that runs; what does not listen is killed."""
        for path in (self.folder / "state").glob("*.json"):
            pid = int(_read(self.folder, path.stem)["MainPID"])
            if _stop(self.folder, path.stem):
                _kill(pid)

    def _flag(self, name: str, is_set: bool) -> None:
        path = self.folder / name
        path.touch() if is_set else path.unlink(missing_ok=True)


def main(name: str, arguments: list[str]) -> int:
    """Do as the program of this name would."""
    folder = Path(os.environ[FOLDER])
    if name == "keep":
        return _keep(folder, arguments[0])
    with (folder / "asked").open("a") as file:
        file.write(json.dumps([name, *arguments]) + "\n")
    return {"systemctl": _systemctl, "journalctl": _journalctl, "sudo": _sudo}[name](
        folder, arguments
    )


def _sudo(folder: Path, arguments: list[str]) -> int:
    if (folder / "refuses").exists():
        print(DENIED, file=sys.stderr)
        return 1
    command = [word for word in arguments if word != "-n"]
    return subprocess.run(command, env={**os.environ, "FAKE_ROOT": "1"}).returncode


def _systemctl(folder: Path, arguments: list[str]) -> int:
    options = [word for word in arguments if word.startswith("--")]
    verb, *units = [word for word in arguments if not word.startswith("-")]
    if verb == "daemon-reload":
        return 0
    return _VERBS[verb](folder, units[0], options)


def _show(folder: Path, unit: str, options: list[str]) -> int:
    wanted = [o.partition("=")[2].split(",") for o in options if o.startswith("--property=")]
    told = _read(folder, unit)
    for key in wanted[0] if wanted else told:
        print(f"{key}={told[key]}")
    return 0


def _start(folder: Path, unit: str, _options: list[str]) -> int:
    if not _unit(unit).exists():
        print(f"Failed to start {unit}: Unit {unit} not found.", file=sys.stderr)
        return 5
    now = _read(folder, unit)
    if now["ActiveState"] == "active":
        return 0
    if now["Result"] == "start-limit-hit":
        print(f"Job for {unit} failed. Start request repeated too quickly.", file=sys.stderr)
        return 1
    _change(folder, unit, ActiveState="activating", SubState="start", NRestarts="0")
    keeper = [sys.executable, "-I", "-S", __file__, "keep", unit]
    subprocess.Popen(
        keeper,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    return 0 if _waited(lambda: _read(folder, unit)["SubState"] != "start") else 1


def _stop_unit(folder: Path, unit: str, _options: list[str]) -> int:
    return _stop(folder, unit)


def _stop(folder: Path, unit: str) -> int:
    now = _read(folder, unit)
    if now["ActiveState"] in ("inactive", "failed"):
        return 0
    _change(folder, unit, ActiveState="deactivating", SubState="stop-sigterm")
    with contextlib.suppress(ProcessLookupError):
        if int(now["MainPID"]) > 1:
            os.kill(int(now["MainPID"]), signal.SIGTERM)
    return 0 if _waited(lambda: _read(folder, unit)["ActiveState"] in ("inactive", "failed")) else 1


def _kill(pid: int) -> None:
    """The process and its children, which are one group."""
    with contextlib.suppress(ProcessLookupError):
        if pid > 1:
            os.killpg(pid, signal.SIGKILL)


def _give_up(folder: Path, unit: str, pid: int, *_signal: Any) -> None:
    """Nobody has ended the test: what it started must not stay."""
    _change(folder, unit, ActiveState="deactivating")
    _kill(pid)


def _restart(folder: Path, unit: str, options: list[str]) -> int:
    return _stop(folder, unit) or _start(folder, unit, options)


def _reset(folder: Path, unit: str, _options: list[str]) -> int:
    if _read(folder, unit)["ActiveState"] == "failed":
        _change(folder, unit, ActiveState="inactive", SubState="dead", Result="success")
    return 0


def _enable(folder: Path, unit: str, options: list[str]) -> int:
    _change(folder, unit, UnitFileState="enabled")
    return _start(folder, unit, options) if "--now" in options else 0


def _disable(folder: Path, unit: str, options: list[str]) -> int:
    _change(folder, unit, UnitFileState="disabled")
    return _stop(folder, unit) if "--now" in options else 0


_VERBS: dict[str, Callable[[Path, str, list[str]], int]] = {
    "show": _show,
    "start": _start,
    "stop": _stop_unit,
    "restart": _restart,
    "reset-failed": _reset,
    "enable": _enable,
    "disable": _disable,
}


def _journalctl(folder: Path, arguments: list[str]) -> int:
    if (folder / "refuses").exists() and "FAKE_ROOT" not in os.environ:
        print(UNREADABLE, file=sys.stderr)
        return 1
    given = dict(word.lstrip("-").split("=", 1) for word in arguments if "=" in word)
    run = given.get("_SYSTEMD_INVOCATION_ID", "")
    text = "".join(p.read_text() for p in _logs(folder, given["unit"]) if run in p.name)
    lines = text.split("\n")[:-1]
    sys.stdout.write("".join(f"{line}\n" for line in lines[-int(given.get("lines", 10)) :]))
    return 0


def _keep(folder: Path, unit: str) -> int:
    """Run the unit until it is stopped or has ended too often; this process is its supervisor."""
    signal.alarm(LIFETIME_SECONDS)
    limit = int(_setting(folder, "burst", "4"))
    for number in range(limit):
        run = uuid.uuid4().hex
        with _new_log(folder, unit, run).open("ab") as log:
            process = subprocess.Popen(
                _command(unit),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **_environment(unit)},
                start_new_session=True,
            )
        _change(
            folder,
            unit,
            ActiveState="active",
            SubState="running",
            Result="success",
            MainPID=str(process.pid),
            NRestarts=str(number),
            InvocationID=run,
            ExecMainCode="0",
            ExecMainStatus="0",
            ExecMainStartTimestampMonotonic=str(int(time.monotonic() * 1e6)),
        )
        signal.signal(signal.SIGALRM, partial(_give_up, folder, unit, process.pid))
        code = process.wait()
        how = {"ExecMainCode": "2" if code < 0 else "1", "ExecMainStatus": str(abs(code))}
        if _read(folder, unit)["ActiveState"] == "deactivating":
            _change(folder, unit, ActiveState="inactive", SubState="dead", MainPID="0", **how)
            return 0
        _change(folder, unit, ActiveState="activating", SubState="auto-restart", MainPID="0", **how)
        time.sleep(float(_setting(folder, "restart_seconds", "0.05")))
        if _read(folder, unit)["ActiveState"] == "deactivating":
            _change(folder, unit, ActiveState="inactive", SubState="dead")
            return 0
    _change(folder, unit, ActiveState="failed", SubState="failed", Result="start-limit-hit")
    return 0


def _setting(folder: Path, name: str, default: str) -> str:
    path = folder / name
    return path.read_text() if path.exists() else default


def _command(unit: str) -> list[str]:
    """What ExecStart runs; what lies below the root is taken from there."""
    return [_seen(word) for word in shlex.split(_lines(unit, "ExecStart")[-1])]


def _seen(word: str) -> str:
    inside = Path(os.environ["BERTH_SYSTEM_ROOT"]) / word.lstrip("/")
    return str(inside) if word.startswith("/") and inside.exists() else word


def _environment(unit: str) -> dict[str, str]:
    pairs = [word for line in _lines(unit, "Environment") for word in shlex.split(line)]
    for name in _lines(unit, "EnvironmentFile"):
        pairs += Path(_seen(name.lstrip("-"))).read_text().splitlines()
    return dict(pair.split("=", 1) for pair in pairs if "=" in pair)


def _lines(unit: str, key: str) -> list[str]:
    text = _unit(unit).read_text().replace("\\\n", " ")
    return [line.split("=", 1)[1] for line in text.splitlines() if line.startswith(f"{key}=")]


def _unit(unit: str) -> Path:
    return Path(os.environ["BERTH_SYSTEM_ROOT"]) / "etc/systemd/system" / unit


def _logs(folder: Path, unit: str) -> list[Path]:
    return sorted((folder / "journal").glob(f"{unit} *"))


def _new_log(folder: Path, unit: str, run: str) -> Path:
    return folder / "journal" / f"{unit} {len(_logs(folder, unit)):04} {run}"


def _read(folder: Path, unit: str) -> dict[str, str]:
    with contextlib.suppress(OSError):
        return {**IDLE, **json.loads((folder / "state" / f"{unit}.json").read_text())}
    is_there = (folder.parent / "system/etc/systemd/system" / unit).exists()
    return IDLE if is_there else {**IDLE, "LoadState": "not-found"}


def _change(folder: Path, unit: str, **fields: str) -> None:
    path = folder / "state" / f"{unit}.json"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        part = path.with_name(f".{unit}.{os.getpid()}")
        part.write_text(json.dumps({**_read(folder, unit), **fields}))
        part.replace(path)


def _waited(is_so: Callable[[], bool], seconds: float = 10.0) -> bool:
    give_up_at = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > give_up_at:
            return False
        time.sleep(0.01)
    return True


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
