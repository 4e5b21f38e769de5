"""Why vLLM did not start or died: the first true cause in its log, in words for the user.

Its exit code is 1 for nearly everything, so the text decides. The error that it ends with often
sums up only ("Engine core initialization failed. See root cause above"): what counts stands before.
"""

import re

from lib.core.errors import EngineError
from lib.core.names import shown
from lib.core.values import Frozen
from lib.engines.vllm import stages
from lib.engines.vllm.refusals import BESIDE_THE_WEIGHTS, ROWS, Kind, Retry, Row

__all__ = ["Cause", "Kind", "Retry", "find", "told"]

LONGEST_LINE = 300
WRONG_FLAG = 2  # argparse's exit code


class Cause(Frozen):
    """A failure in words; `line` is the line of the log that told."""

    kind: Kind
    message: str
    fix: str
    retry: Retry = Retry.NEVER
    context: int | None = None  # tokens that would fit
    line: str = ""

    @property
    def error(self) -> EngineError:
        """The same, to be raised."""
        return EngineError(self.message, self.fix)


def _blank(name: re.Match[str]) -> str:
    """What stands for a part of a sentence that differs from case to case."""
    return r"(?P<context>[\d,]+)" if name[1] == "context" else ".*?"


_PATTERNS = [(row, re.compile(row.pattern)) for row in ROWS]
# The same sentences read back, as a script's last line has them.
_SENTENCES = [
    (row.kind, re.compile(re.sub(r"\\{(\w+)\\}", _blank, re.escape(row.message))))
    for row in (*ROWS, BESIDE_THE_WEIGHTS)
]
_PREFIX = re.compile(r"^(?:\(\w[^)]*\) )?(?:[A-Z]+ \d\d-\d\d [\d:]+ \[[^\]]*\] ?)?")
_NOT_AN_ERROR = re.compile(r"^(?:\([^)]*\) )?(?:INFO|WARNING|DEBUG)\b")
_EXCEPTION = re.compile(r"(?:[A-Za-z_]\w*\.)*[A-Z]\w*(?:Error|Exception): .")
_SUMMARY = re.compile(
    r"See root cause above|EngineDeadError|See stack trace|Engine core proc\S* died"
)
# Noise of a healthy start that has words of a failure in it.
_HARMLESS = re.compile(r"ulimit|OSError: \[Errno 24\]|Retrying with a new port")
_SOURCE = re.compile(r"raise \w|f?[\"']")  # of Python, as a traceback quotes it
_DIED = re.compile(r"EngineDeadError|EngineCore encountered an issue")
# The first words of a core that dies; the server answers what comes meanwhile, and ends later.
_DIES = re.compile(
    rf"{_DIED.pattern}|EngineCore encountered a fatal error|engine core\b.*? unexpectedly",
    re.IGNORECASE,
)
# The engine was well: it was ready, or a request was answered or refused.
_WELL = re.compile(
    r'^.*(?:Application startup complete|"POST \S+ HTTP/[\d.]+" [234]\d\d).*$', re.MULTILINE
)


def find(log: str, code: int | None = None) -> Cause | None:
    """The first true cause in the last start of this log; None where nothing in it is a failure.

    `code` is the exit code, negative for a signal.
    """
    text = stages.last_run(log)
    said = [_clean(line) for line in _last_words(text).splitlines() if _may_tell(line)]
    lines = [line for line in said if not _SOURCE.match(line)]
    if _was_well(text):
        lines = _to_first_exception(lines)
    for line in lines:
        for row, pattern in _PATTERNS:
            if match := pattern.search(line):
                return _made(_meant(row, text), match, line)
    if first := _first_exception(lines):
        return _unknown(first, code)
    return _core_died(lines) or _by_code(code)


def told(sentence: str) -> Cause | None:
    """The cause whose sentence this is or has in it; None where it is none of ours."""
    for kind, pattern in _SENTENCES:
        if match := pattern.search(sentence):
            digits = match.groupdict().get("context", "").replace(",", "")
            return Cause(
                kind=kind,
                message=match[0],
                fix=sentence[match.end() :].strip(),
                context=int(digits) if digits else None,
                line=shown(sentence, LONGEST_LINE),
            )
    return None


def _last_words(text: str) -> str:
    """What was said since all was well for the last time before the core died.

    Errors of requests that were refused stand before that.
    """
    dies = _DIES.search(text)
    well = [match.end() for match in _WELL.finditer(text, 0, dies.start() if dies else len(text))]
    return text[well[-1] :] if well else text


def _was_well(text: str) -> bool:
    """Was it ready? What it then died of is its first exception; requests may be refused later."""
    return _WELL.search(text) is not None


def _meant(row: Row, text: str) -> Row:
    """The row itself, but for memory that ran out: by how far the start had come."""
    is_loaded = stages.read(text).step not in (stages.Step.PROGRAM, stages.Step.WEIGHTS)
    return BESIDE_THE_WEIGHTS if row.kind == Kind.WEIGHTS_TOO_LARGE and is_loaded else row


def _may_tell(line: str) -> bool:
    return bool(line.strip()) and not _NOT_AN_ERROR.match(line) and not _HARMLESS.search(line)


def _clean(line: str) -> str:
    """Without process, level, time and source, which differ from version to version."""
    return _PREFIX.sub("", line.rsplit("\r", 1)[-1], count=1).strip()[:10_000]


def _made(row: Row, match: re.Match[str], line: str) -> Cause:
    named = {key: value or "" for key, value in match.groupdict().items()}
    found = [_found(group) for group in match.groups() if group]
    if "major" in named:
        major, minor = named["major"], named["minor"]
        named["has"] = f", and it has {major}.{minor}" if major else ""
    context = named.get("context", "").replace(",", "")
    numbers = {**named, "context": f"{int(context):,}"} if context else named
    return Cause(
        kind=row.kind,
        message=row.message.format(*found, **numbers),
        fix=row.fix.format(*found, **numbers),
        retry=row.retry,
        context=int(context) if context else None,
        line=shown(line, LONGEST_LINE),
    )


def _found(group: str) -> str:
    """`Reasoning` as in the middle of a sentence, and `32,768` as people write it."""
    text = shown(group, 100).strip().rstrip(".")
    if text.isascii() and text.isdigit():
        return f"{int(text):,}"
    return "reasoning" if text == "Reasoning" else text


def _first_exception(lines: list[str]) -> str:
    """The first exception's own words; those of a validation stand in its next line."""
    if (number := _exception_at(lines)) is None:
        return ""
    line, following = lines[number], "".join(lines[number + 1 : number + 2])
    is_list = "ValidationError" in line and "validation error" in line
    return following.removeprefix("Value error, ") if is_list and following else line


def _to_first_exception(lines: list[str]) -> list[str]:
    number = _exception_at(lines)
    return lines if number is None else lines[: number + 2]


def _exception_at(lines: list[str]) -> int | None:
    """Where the first one stands that does not only sum up."""
    found = (
        number
        for number, line in enumerate(lines)
        if _EXCEPTION.match(line) and not _SUMMARY.search(line)
    )
    return next(found, None)


def _unknown(told: str, code: int | None) -> Cause:
    said = shown(told.split(" [type=")[0], LONGEST_LINE).rstrip(".")
    how = f" (exit code {code})" if code is not None and code > 0 else ""
    return Cause(
        kind=Kind.UNKNOWN,
        message=f"The engine ended{how}: {said}.",
        fix="Its log says more.",
        line=shown(told, LONGEST_LINE),
    )


def _core_died(lines: list[str]) -> Cause | None:
    """Its core was killed or crashed after it was ready; the server then ends with exit code 0."""
    told = next((line for line in lines if _DIED.search(line)), "")
    if not told:
        return None
    return Cause(
        kind=Kind.CORE_DIED,
        message="The engine's core died while it ran.",
        fix="It starts again by itself; where it dies again, its log says more.",
        line=shown(told, LONGEST_LINE),
    )


def _by_code(code: int | None) -> Cause | None:
    if code is None or code in (0, -15, -2, 130, 143):
        return None
    if code in (-9, 137):
        return Cause(
            kind=Kind.KILLED,
            message="Something ended the engine (signal 9), perhaps because memory ran out.",
            fix="Free memory of the machine, then start it again.",
        )
    return Cause(
        kind=Kind.WRONG_FLAG if code == WRONG_FLAG else Kind.UNKNOWN,
        message=f"The engine ended ({_ending(code)}) without a word that is known here.",
        fix="Its log says more.",
    )


def _ending(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"
