"""Why the built-in engine ended: its log and its exit code, in words for the user."""

import re
import signal
from typing import NamedTuple

from lib.core.errors import EngineError
from lib.core.names import shown
from lib.processes.background import ProgramFault


class PortTaken(EngineError):
    """Somebody was quicker to take the port; another one will do."""


class _Cause(NamedTuple):
    error: type[EngineError]
    pattern: re.Pattern[str]
    message: str  # {0} is what the pattern's group found
    fix: str


REFUSED_FLAG = r"^error: (?:invalid|unknown) argument: (\S+)"
_DOWNLOAD = "Download it again."
_SMALLER = "Stop another model, or choose a smaller context or a smaller quantization."
_UPDATE = "Update Berth for a newer engine, or choose another model."
_OF_THE_MODEL = (
    (r"invalid magic|failed to read magic", "The file is not a GGUF model.", _DOWNLOAD),
    (
        r"not within the file bounds|corrupted or incomplete",
        "The file is cut short or corrupt.",
        _DOWNLOAD,
    ),
    (
        r"failed to open GGUF file '.*' \((.+)\)",
        "The file could not be opened: {0}.",
        "Look at its permissions, or download it again.",
    ),
    (
        r"mismatch between text model .* and mmproj",
        "The projector beside the model, its mmproj file, belongs to another model.",
        "Put the right one into the model's folder, or none to run it without images.",
    ),
    (
        r"common_chat_templates_init: error: (.+?)\.?$",
        "The chat template cannot be read: {0}.",
        "Put one that can be read beside the model's file, under its name with .jinja at the end.",
    ),
    (
        r"failed to allocate buffer for kv cache",
        "The memory for the context could not be had.",
        "Choose a smaller context or fewer slots, or stop another model.",
    ),
    (
        r"failed to allocate|unable to allocate|bad_alloc|[Cc]annot allocate memory|"
        r"out of memory|MemoryError",
        "The memory for the model could not be had.",
        _SMALLER,
    ),
)
_OF_THE_PROGRAM = (
    (
        r"unknown model architecture: '(.+)'",
        "The engine does not know the architecture “{0}”.",
        _UPDATE,
    ),
    (
        r"unknown projector type: '?([^'\n]+)",
        "The engine does not know the projector “{0}”.",
        _UPDATE,
    ),
    (
        r"unknown pre-tokenizer type: '(.+)'",
        "The engine does not know the tokenizer “{0}”.",
        _UPDATE,
    ),
    (
        r"(missing tensor '.+?'|wrong number of tensors"
        r"|tensor '.+?' (?:has wrong shape|not found))",
        "The file does not match what the engine expects: {0}.",
        "Choose another file of this model, or update Berth for a newer engine.",
    ),
    (
        r"libgomp[.\w]*: cannot open shared object",
        "The engine needs the system library libgomp, which is not installed.",
        "Install it (Debian, Ubuntu: sudo apt install libgomp1), then start the model again.",
    ),
    (
        r"(?:error while loading shared libraries|Library not loaded): ([^\s:]+)",
        "The engine needs the library {0}, which is not there.",
        "Install it, or use another build of the engine.",
    ),
    (
        REFUSED_FLAG,
        "The engine does not know the option {0}.",
        "Use another version of the engine.",
    ),
    (
        r"No module named 'xllamacpp'",
        "The built-in engine is not installed.",
        "Run ./setup.sh again.",
    ),
    (
        r"(\S+ cannot be run: .+)\.",
        "The engine's program {0}.",
        "Look at its path in the settings.",
    ),
)
_CAUSES = [
    _Cause(error, re.compile(pattern, re.MULTILINE), message, fix)
    for error, rows in ((EngineError, _OF_THE_MODEL), (ProgramFault, _OF_THE_PROGRAM))
    for pattern, message, fix in rows
]
_PORT_TAKEN = re.compile(r"couldn't bind|Address already in use", re.IGNORECASE)
# What the wheel raises then and in other cases; the line above, which says why, is lost at times.
_NO_SERVER = re.compile(r"Failed to init server")
_FIRST_ERROR = re.compile(r"^[\d.]+ E (.+)|^(\w*Error: .+|.*GGML_ASSERT.*)", re.MULTILINE)
# What it says while all is well: it waits for requests, or has just answered one.
_WELL = re.compile(
    r"^.*(?:listening on http|all slots are idle|\bslot +release: ).*$", re.MULTILINE
)
# The refusals of single requests, which end nothing, with what the request itself had in it.
_REFUSALS = re.compile(
    r"^(?:[\d.]+ [EW] )?(?:"
    r"srv +send_error: .*"
    r"|srv +\w+(?:\(\))?: got exception: .*"
    r"|srv +process_sing\w*: failed to launch slot.*"
    r"|(?:\w+: )?failed to parse grammar.*"
    r"|parse: error parsing grammar: .*(?:\n(?![\d.]+ [A-Z] ).*)*"
    r")(?:\n|$)",
    re.MULTILINE,
)
_AGAIN = "Start it again; if it ends again, look at its log."
# Signals that say more than the log does. What crashes (SIGSEGV, SIGABRT) may have said why.
_FROM_OUTSIDE: dict[int, tuple[str, str]] = {
    signal.SIGTERM: ("something outside Berth ended it", "Start it again."),
    signal.SIGINT: ("something outside Berth ended it", "Start it again."),
    signal.SIGHUP: ("something outside Berth ended it", "Start it again."),
    signal.SIGILL: (
        "this build uses instructions that the processor does not have",
        "Use a build of the engine for this processor.",
    ),
}


# SIGKILL, by whether the kernel counted an end for lack of memory since the engine was started.
_KILLED = {
    True: ("the system ended it because memory ran out", _SMALLER),
    False: (
        "something outside Berth ended it, and no lack of memory was counted",
        "Start it again.",
    ),
    None: ("something outside Berth ended it, perhaps because memory ran out", _SMALLER),
}


def explain(log: str, code: int | None, ran_out: bool | None = None) -> EngineError:
    """The cause, from the end of the log and the exit code (−N for signal N, None unknown).

    `ran_out`: did the system end anything for lack of memory since its start? None: nobody knows.
    A ProgramFault where another program may do with the same model, also where nothing is known.
    """
    number = -code if code is not None and code < 0 else 0
    taken = PortTaken("Another program took the engine's port.", "Start it again.")
    if number == signal.SIGKILL or number in _FROM_OUTSIDE:
        why, fix = _FROM_OUTSIDE.get(number) or _KILLED[ran_out]
        error = ProgramFault if number == signal.SIGILL else EngineError
        return error(f"The engine ended (signal {number}): {why}.", fix)
    log = _last_words(log)
    if _PORT_TAKEN.search(log):
        return taken
    for cause in _CAUSES:
        if match := cause.pattern.search(log):
            found = [shown(text, 200) for text in match.groups()]
            return cause.error(cause.message.format(*found), cause.fix)
    how = "" if code is None else f" (signal {number})" if number else f" (exit code {code})"
    if match := _FIRST_ERROR.search(log):
        if _NO_SERVER.search(match[2] or ""):
            return taken
        said = shown(match[1] or match[2], 300).rstrip(".")
        return ProgramFault(f"The engine ended{how}: {said}.", _AGAIN)
    return ProgramFault(f"The engine ended{how}.", _AGAIN)


def _last_words(log: str) -> str:
    """What was said since all was well for the last time, without the refusals of requests."""
    well = [match.end() for match in _WELL.finditer(log)]
    return _REFUSALS.sub("", log[well[-1] :] if well else log)
