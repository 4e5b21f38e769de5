"""Why a deployment failed and what would help: known failures, recognised by code and log.

The scripts already end with a sentence; here it gets the button that does what the sentence says.
"""

import re

from lib.core.names import shown
from lib.deploy import gpu_failures
from lib.deploy.failure import LONGEST_LINE, Action, Diagnosis, Known
from lib.jobs.jobs import Job, JobState

__all__ = ["LONGEST_LINE", "Action", "Diagnosis", "Known", "diagnose", "explained"]

LOG_LINES = 400
KILLED = 137
SMALLEST_CONTEXT = 512  # below it a conversation hardly begins


_SMALLER = "Choose a smaller quantization or context, or stop another model."
_NEWER = "Update Berth for a newer engine, or choose another model."
_AGAIN = "Try again: what has arrived is kept."

_KNOWN = (
    Known(
        r"has not been let in|is gated, and the token",
        "The model is gated, and the token's account has not been let in.",
        "Accept its terms on its page on the Hub, then try again.",
        Action.RETRY,
    ),
    Known(
        r"is gated: its files|\(40[13]\): the repository is private",
        "The model is gated: its files are for those who have accepted its terms.",
        "Accept them on its page on the Hub, then save a token of the same account.",
        Action.SIGN_IN,
    ),
    Known(
        r"The Hub refuses the token",
        "The Hub does not know the token.",
        "Save a new one, or remove it: public models need none.",
        Action.SIGN_IN,
    ),
    Known(
        r"token may not (?:read|see)|private or gated: Ollama was not let in",
        "The model is private, and the token may not read it.",
        "Save a token of an account that may.",
        Action.SIGN_IN,
    ),
    Known(
        r"(\S+/\S+) was not found: it does not exist",
        "The Hub shows no {0}: it does not exist, or it is private.",
        "Check the name; for a private model save a token that may read it.",
        Action.SIGN_IN,
    ),
    Known(
        r"cannot be run here: (.+?)\.(?:\s|$)",
        "This model cannot be run here: {0}.",
        "Choose another model.",
        Action.NONE,
    ),
    Known(
        r"(“.+?”) (?:cannot be deployed|is no model): it is (.+?)\.(?:\s|$)",
        "{0} is no model: it is {1}.",
        "Choose a model it is for.",
        Action.NONE,
    ),
    Known(
        r"has no GGUF file (“.+?”).*?Choose one of (?P<argument>.+?)(?:, | and \d|\.(?:\s|$))",
        "The repository has no file {0}.",
        "Choose {argument} or another one that is there.",
        Action.OTHER_QUANTIZATION,
    ),
    Known(
        r"refuses its address \(\d+\)|, where \S+ keeps .+? answered \d+",
        "The host that stores the Hub's files refused the address it was asked at.",
        _AGAIN,
        Action.RETRY,
    ),
    Known(
        r"has no (?:\S+ )?GGUF files",
        "There are no GGUF files of this model.",
        "Search for its name with GGUF, or choose another model.",
        Action.NONE,
    ),
    Known(
        r"has no (.+?), and no other repository.*?"
        r"Choose one of (?P<argument>.+?)(?:, | and \d|\.(?:\s|$))",
        "There is no {0} of this model.",
        "Choose {argument} or another one that is there.",
        Action.OTHER_QUANTIZATION,
    ),
    Known(
        r"(“.*?”) is not a quantization",
        "{0} is not a quantization.",
        "Choose one from the table, or leave the choice to Berth.",
        Action.OTHER_QUANTIZATION,
    ),
    Known(
        r"disk (?:is too|is|became|that holds Ollama's models is) full|No space left on device",
        "The disk is full.",
        "Remove a model or free some space, then go on: what has arrived is kept.",
        Action.FREE_SPACE,
    ),
    Known(
        r"(\S+) with context [\d,]+ (?:does not fit|fits only just).*?"
        r"Nearest: (?:.*?; )?\1 with context (?P<argument>[\d,]+)",
        "The context is too large for the memory that is free.",
        "Use a context of {argument}, or close other programs.",
        Action.RETRY_WITH_CONTEXT,
    ),
    Known(
        r"(?:does not fit|fits only just).*?"
        r"Nearest: (?P<argument>.+?)(?: with context [\d,]+)?(?:;|\.(?:\s|$))",
        "The model needs more memory than is free.",
        "Choose {argument}, or close other programs.",
        Action.OTHER_QUANTIZATION,
    ),
    Known(
        r"fits only just",
        "The model would take nearly all the memory that is free.",
        "Accept that, close other programs, or choose less.",
        Action.OTHER_QUANTIZATION,
    ),
    Known(
        r"does not fit",
        "The model needs more memory than is free.",
        "Stop other models and programs, or choose a smaller model.",
        Action.OTHER_QUANTIZATION,
    ),
    Known(
        r"memory for the context could not be had|failed to allocate buffer for kv cache",
        "The memory for the context could not be had.",
        "Use a smaller context, or stop another model.",
        Action.RETRY_WITH_CONTEXT,
    ),
    Known(
        r"no lack of memory",
        "Something outside Berth ended the work; memory was not short.",
        _AGAIN,
        Action.RETRY,
    ),
    Known(
        r"\(signal 9\), perhaps|perhaps because memory ran out",
        "The work was ended from outside, perhaps because memory ran out.",
        _SMALLER,
        Action.RETRY_WITH_CONTEXT,
    ),
    Known(
        r"memory ran out|memory for the model could not be had|out of memory",
        "Memory ran out, and the system ended the work.",
        _SMALLER,
        Action.RETRY_WITH_CONTEXT,
    ),
    Known(
        r"address already in use|took the engine's port|Port \d+ is used",
        "Another program uses the port.",
        "Use another port, or end the other program.",
        Action.OTHER_PORT,
    ),
    Known(
        r"built-in engine is (?:not installed|missing)|Berth is not installed|No module named",
        "The engine is not installed.",
        "Run ./setup.sh again.",
        Action.INSTALL_ENGINE,
    ),
    Known(
        r"is not used: versions before ([\d.]+)",
        "Ollama is too old: {0} is the oldest that is safe.",
        "Update Ollama, or use the built-in engine.",
        Action.INSTALL_ENGINE,
    ),
    Known(
        r"installer (?:failed|could not be downloaded)|Homebrew could not install",
        "Ollama could not be installed.",
        "Install it by hand from ollama.com/download, or use the built-in engine.",
        Action.INSTALL_ENGINE,
    ),
    Known(
        r"Ollama (?:is not installed|does not run|ended at once)",
        "Ollama is not there.",
        "Install or start it, or use the built-in engine.",
        Action.INSTALL_ENGINE,
    ),
    Known(
        r"\(429\)|too many questions",
        "The Hub limits how much may be asked from here.",
        "Wait some minutes, then go on. With a token the limits are higher.",
        Action.RETRY,
    ),
    Known(
        r"arrived damaged|not the file that was asked for",
        "The file arrived damaged and was removed.",
        "Try again: it is fetched from the beginning.",
        Action.RETRY,
    ),
    Known(
        r"is not a GGUF file|is cut short|ends inside its header|There is no file|cannot be read"
        r"|is (?:a folder|empty|a web page)|not a GGUF model|corrupt",
        "The file is no usable model.",
        "Choose another file, or download it again.",
        Action.NONE,
    ),
    Known(
        r"did not answer in time|too slowly|took too long",
        "The connection stalled: nothing came any more.",
        _AGAIN,
        Action.RETRY,
    ),
    Known(
        r"cannot be reached|connection to \S+ broke|ended the download too early|answered 5\d\d"
        r"|could not reach the place|HF_HUB_OFFLINE|cannot be trusted|broke off before",
        "The network broke, or the Hub cannot be reached.",
        "Check the network, then go on: what has arrived is kept.",
        Action.RETRY,
    ),
    Known(
        r"(?:does not know the architecture|know models of the kind) “(.+?)”",
        "The engine does not know models of the kind “{0}”.",
        _NEWER,
        Action.NONE,
    ),
    Known(
        r"does not know the tokenizer|does not match what the engine expects|claims \S+ layers",
        "The engine cannot load this model.",
        _NEWER,
        Action.NONE,
    ),
    Known(
        r"(?<!note: )no chat template",
        "The model has no chat template, so it can only continue a text.",
        "Choose one that was made to chat: its name often ends in Instruct or it.",
        Action.NONE,
    ),
    Known(
        r"longer than the context|exceeds? the (?:available )?context",
        "The context is too small for what was asked.",
        "Start the model with a larger context.",
        Action.NONE,
    ),
    Known(
        r"The answer was empty",
        "The model runs, and says nothing.",
        "Try again, or choose another quantization.",
        Action.RETRY,
    ),
    Known(
        r"Test failed",
        "The model runs, and a test of it failed.",
        "Try again; where it fails again, its log on the Models page says more.",
        Action.RETRY,
    ),
    Known(
        r"is not (?:a repository name|the path of)|Unknown option|needs a number|No such engine",
        "The request cannot be understood.",
        "Correct the name or the option, then try again.",
        Action.NONE,
    ),
)
_PLANNED = re.compile(r"with context ([\d,]+)")
_NOTE = re.compile(r"^(?:Note|Engine|Source|Memory|Disk) {2,}|^ *(?:→|passed)")
_ERROR = re.compile(r"\b(?:error|failed|failure|cannot|could not|refused|denied|traceback)\b", re.I)


def diagnose(job: Job) -> Diagnosis | None:
    """Why the job failed; None where it did not."""
    if job.state == JobState.LOST:
        return _lost(job)
    if job.state != JobState.FAILED:
        return None
    return explained(job.log_tail(LOG_LINES), job.exit_code)


def explained(log: str, code: int | None) -> Diagnosis:
    """The failure that the end of a log and an exit code tell; the last line tells most."""
    if found := gpu_failures.in_the_engines_own_words(log, code):
        return found
    lines = [line for line in log.splitlines() if line.strip() and not _NOTE.match(line)]
    for line in reversed(lines):
        if found := gpu_failures.told(line):
            return found
        for known in (*gpu_failures.KNOWN, *_KNOWN):
            if match := re.search(known.pattern, line, re.IGNORECASE):
                return _made(known, match, line, log)
    return _killed(log) if code == KILLED else _unknown(lines, code)


def _made(known: Known, match: re.Match[str], line: str, log: str) -> Diagnosis:
    named = match.groupdict()
    argument = (named.get("argument") or "").replace(",", "")
    if known.action == Action.RETRY_WITH_CONTEXT and not argument:
        argument = _half_of_context(log)
    groups = [shown(group or "", 100) for group in match.groups()]
    return Diagnosis(
        cause=known.cause.format(*groups, **named),
        line=shown(line.strip(), LONGEST_LINE),
        fix=known.fix.format(*groups, **named),
        action=known.action,
        argument=argument,
    )


def _half_of_context(log: str) -> str:
    """Half of what was tried; "" where that is not known."""
    tried = _PLANNED.findall(log)
    return str(max(int(tried[-1].replace(",", "")) // 2, SMALLEST_CONTEXT)) if tried else ""


def _killed(log: str) -> Diagnosis:
    return Diagnosis(
        cause="The script was killed from outside, perhaps because memory ran out.",
        line=f"exit code {KILLED}",
        fix=_SMALLER,
        action=Action.RETRY_WITH_CONTEXT,
        argument=_half_of_context(log),
    )


def _lost(job: Job) -> Diagnosis:
    return Diagnosis(
        cause="The machine went down, or everything of this deployment was killed.",
        line=shown(job.last_line(), LONGEST_LINE),
        fix=_AGAIN,
        action=Action.RETRY,
    )


def _unknown(lines: list[str], code: int | None) -> Diagnosis:
    told = next((line for line in lines if _ERROR.search(line)), lines[-1] if lines else "")
    return Diagnosis(
        cause=f"It ended with exit code {code}." if code is not None else "It ended early.",
        line=shown(told.strip(), LONGEST_LINE),
        fix="The log says more. Try again when that is put right.",
        action=Action.RETRY,
    )
