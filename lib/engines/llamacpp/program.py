"""Which `llama-server` of the user's own the built-in engine runs, where there is one.

It is named in the settings, or found on PATH. What came of trying it is kept in a file until the
program changes; what failed is tried again after a while, for its libraries may be there by then.
"""

import contextlib
import os
import shutil
import stat
import time
from pathlib import Path

from pydantic import ValidationError

from lib import VERSION
from lib.core.files import read_json, write_json
from lib.core.names import shown
from lib.core.preferences import preferences
from lib.core.settings import settings
from lib.core.values import Frozen
from lib.engines.llamacpp import records
from lib.engines.llamacpp.launch import LONGEST_SHOWN, Program
from lib.engines.llamacpp.trial import tried

NAME = "llama-server"
VARIABLE = "BERTH_LLAMA_SERVER"  # goes before the settings
OFF = "off"
RETRY_SECONDS = 3_600.0


class _Outcome(Frozen):
    """What came of a trial."""

    program: Program
    identity: str
    at: float  # epoch seconds


def found() -> Program | None:
    """The user's own, untried; its `problem` says where the path alone rules it out.

    None where there is none, or it is not wanted.
    """
    wanted = os.environ.get(VARIABLE) or preferences().llama_server
    if wanted.casefold() == OFF:
        return None
    path = _expanded(wanted) if wanted else shutil.which(NAME)
    return Program(path=path, problem=_objection(path)) if path else None


def known() -> Program | None:
    """The user's own with what a trial has shown; nothing is run, so perhaps it was none yet."""
    own = found()
    return own if own is None or own.problem else _remembered(own) or own


def checked(again: bool = False) -> Program | None:
    """The user's own after a trial, made now where none is remembered, or where asked for again.

    One process tries at a time. A trial takes a second; of a program that hangs, a minute.
    """
    own = found()
    if own is None or own.problem:
        return own
    with records.lock(".program"):  # no model's name begins with a dot
        known_before = None if again else _remembered(own)
        return known_before or _remember(tried(own.path))


def objection(own: Program | None) -> str:
    """Why the user's own is not used, in a sentence; "" where it is, or there is none."""
    if own is None or own.is_usable:
        return ""
    path = shown(own.path, LONGEST_SHOWN)
    if not own.problem:
        return f"Own llama-server at {path} is tried when the next model starts."
    return f"Own llama-server at {path} is not used: {own.problem}"


def _expanded(path: str) -> str:
    with contextlib.suppress(RuntimeError):  # a user without home
        return str(Path(path).expanduser())
    return path


def _objection(path: str) -> str:
    """Why this path cannot be used, as a sentence; "" where it can."""
    if not Path(path).is_absolute():
        return "Its path is relative."
    try:
        Path(path).stat()
        real = Path(path).resolve()
        places = (real, *real.parents, *Path(path).parents)
        open_to_all = next(filter(_can_anybody_write, places), None)
    except OSError as error:
        return f"{error.strerror}."
    except ValueError as error:  # a NUL
        return f"Its path cannot be used: {error}."
    if open_to_all:
        return f"Anybody on this machine can change {shown(str(open_to_all), LONGEST_SHOWN)}."
    if not real.is_file() or not os.access(real, os.X_OK):
        return "It is no file that can be run."
    return ""


def _can_anybody_write(path: Path) -> bool:
    """In a folder with the sticky bit, as /tmp, nobody can replace what belongs to others."""
    mode = path.stat().st_mode
    return bool(mode & stat.S_IWOTH) and not (stat.S_ISDIR(mode) and mode & stat.S_ISVTX)


def _identity(path: str) -> str:
    """Another text when it is another program, or other flags are asked of it."""
    real = Path(path).resolve()
    now = real.stat()
    return f"{real} {now.st_mtime_ns} {now.st_size} {VERSION}"


def _remembered(own: Program) -> Program | None:
    """What came of the last trial of this very program; None where it has to be tried."""
    with contextlib.suppress(OSError, ValidationError):
        outcome = _Outcome.model_validate(read_json(_cache_file()))
        is_old = time.time() - outcome.at > RETRY_SECONDS
        is_same = outcome.identity == _identity(own.path) and outcome.program.path == own.path
        if is_same and not (outcome.program.problem and is_old):
            return outcome.program
    return None


def _remember(program: Program) -> Program:
    with contextlib.suppress(OSError):  # a full disk, or a program that has just gone
        outcome = _Outcome(program=program, identity=_identity(program.path), at=time.time())
        write_json(_cache_file(), outcome.model_dump(mode="json"))
    return program


def _cache_file() -> Path:
    return settings().engines / "program.cache"
