"""Why vLLM did not start or died: the first true cause in its log, in words for the user.

Its exit code is 1 for nearly everything, so the text decides. The error that it ends with often
sums up only ("Engine core initialization failed. See root cause above"): what counts stands before.
"""

import re
from enum import StrEnum
from typing import NamedTuple

from lib.core.errors import EngineError
from lib.core.names import shown
from lib.core.values import Frozen
from lib.engines.vllm import stages

LONGEST_LINE = 300
WRONG_FLAG = 2  # argparse's exit code


class Kind(StrEnum):
    """What stood in the way."""

    CARD_TAKEN = "card_taken"
    WEIGHTS_TOO_LARGE = "weights_too_large"
    NO_ROOM_FOR_CACHE = "no_room_for_cache"
    CONTEXT_TOO_LARGE = "context_too_large"
    CONTEXT_BEYOND_MODEL = "context_beyond_model"
    NEIGHBOUR_MOVED = "neighbour_moved"
    TOO_MANY_REQUESTS = "too_many_requests"
    MEMORY_RAN_OUT = "memory_ran_out"
    QUANTIZATION = "quantization"
    BFLOAT16 = "bfloat16"
    ARCHITECTURE = "architecture"
    REMOTE_CODE = "remote_code"
    BROKEN_INSTALL = "broken_install"
    TOO_SLOW = "too_slow"
    DRIVER_TOO_OLD = "driver_too_old"
    NO_CARD = "no_card"
    NO_COMPILER = "no_compiler"
    NO_KERNELS = "no_kernels"
    PARSER = "parser"
    PORT_TAKEN = "port_taken"
    NOT_WRITABLE = "not_writable"
    DISK_FULL = "disk_full"
    BROKEN_WEIGHTS = "broken_weights"
    NO_MODEL = "no_model"
    TOO_FEW_CARDS = "too_few_cards"
    WRONG_FLAG = "wrong_flag"
    CORE_DIED = "core_died"
    KILLED = "killed"
    UNKNOWN = "unknown"


class Retry(StrEnum):
    """Whether starting again by itself could help."""

    NEVER = "never"
    SMALLER_CONTEXT = "smaller_context"  # once, with the context that the log names
    LATER = "later"  # once, after a pause


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


class _Row(NamedTuple):
    """The pattern's groups fill the sentences; its group `context` is the context that fits."""

    kind: Kind
    pattern: str
    message: str
    fix: str
    retry: Retry = Retry.NEVER


_SMALLER = "Choose a quantized model or a smaller one, or give it more cards."
_OTHER_MODEL = "Choose another model, or a newer vLLM."
_AGAIN = "Deploy it again: what has arrived is kept."
# The first row that matches a line names its cause; the first line that has one names the log's.
_ROWS = (
    _Row(
        Kind.CARD_TAKEN,
        r"Free memory on device \S+ \((?P<free>[\d.]+)/(?P<total>[\d.]+) GiB\) on startup is less"
        r" than desired GPU memory utilization \([\d.]+, (?P<wanted>[\d.]+) GiB\)",
        "The card has {free} of its {total} GiB free, and the engine was to take {wanted} GiB.",
        "Free the card (other slots and programs on it hold memory), or lower the utilization."
        " A smaller context does not help.",
    ),
    _Row(
        Kind.CARD_TAKEN,
        r"is less than desired GPU memory utilization",
        "Other programs hold the card's memory.",
        "Free the card, or lower the utilization. A smaller context does not help.",
    ),
    _Row(
        Kind.CONTEXT_TOO_LARGE,
        r"model's max seq len \(([\d,]+)\).*estimated maximum model length is (?P<context>[\d,]+)",
        "A context of {0} does not fit beside the model; {context} does.",
        "Use a context of {context}, or auto.",
        Retry.SMALLER_CONTEXT,
    ),
    _Row(
        Kind.NO_ROOM_FOR_CACHE,
        r"No available memory for the cache blocks|Cannot auto-fit max_model_len"
        r"|larger than the available KV cache memory",
        "The model leaves no memory for conversations.",
        "Raise the utilization, have fewer requests at a time, or serve text alone."
        " Otherwise choose a quantized model, or more cards.",
    ),
    _Row(
        Kind.NEIGHBOUR_MOVED,
        r"Error in memory profiling\. Initial free memory",
        "Another program gave memory of the card back while the engine measured it.",
        "Start it again; slots of one card start one after the other.",
        Retry.LATER,
    ),
    _Row(
        Kind.TOO_MANY_REQUESTS,
        r"out of memory occurred when warming up sampler",
        "The card's memory does not suffice for so many requests at a time.",
        "Have fewer requests at a time, or lower the utilization.",
    ),
    _Row(
        Kind.WEIGHTS_TOO_LARGE,
        r"(?:CUDA|HIP|torch\.)\S* ?out of memory|OutOfMemoryError|CUDA error: out of memory",
        "The model's weights do not fit on the card.",
        _SMALLER,
    ),
    _Row(
        Kind.QUANTIZATION,
        r"quantization method (\S+) is not supported for the current GPU\. Minimum capability: "
        r"(\d+)(\d)(?:\. Current capability: (?P<major>\d+)(?P<minor>\d)\b)?",
        "The card cannot compute with {0}: that needs compute capability {1}.{2}{has}.",
        "Choose another quantization of the model, such as AWQ or GPTQ.",
    ),
    _Row(
        Kind.QUANTIZATION,
        r"Quantization scheme is not supported for the current GPU",
        "The card is too old for the quantization of this model.",
        "Choose another quantization of the model, such as AWQ or GPTQ.",
    ),
    _Row(
        Kind.BFLOAT16,
        r"Bfloat16 is only supported",
        "The card is too old for bfloat16.",
        "Deploy it with --dtype half.",
    ),
    _Row(
        Kind.ARCHITECTURE,
        r"Model architectures? \['?(\w+).*not supported|has model type `(\w+)` but Transformers"
        r" does not recognize|Model architecture (\w+) (?:was supported|is not supported)",
        "vLLM does not know models of the kind “{0}”.",
        _OTHER_MODEL,
    ),
    _Row(
        Kind.REMOTE_CODE,
        r"contains custom code which must be executed|trust_remote_code=True|--trust-remote-code",
        "The model needs program code from its repository, which is never run here.",
        "Choose a model that vLLM knows by itself.",
    ),
    _Row(
        Kind.BROKEN_INSTALL,
        r"failed to be inspected|undefined symbol|No module named 'vllm"
        r"|cannot import name \S+ from 'vllm",
        "The installation of vLLM is damaged.",
        "Install it anew: remove its folder below /opt/berth, then deploy again.",
    ),
    _Row(
        Kind.TOO_SLOW,
        r"Timed out waiting for engine core processes",
        "The model was not loaded within the time that vLLM allows.",
        "Raise VLLM_ENGINE_READY_TIMEOUT_S of the service: the disk is slow, or the model large.",
    ),
    _Row(
        Kind.DRIVER_TOO_OLD,
        r"driver on your system is too old|CUDA driver version is insufficient"
        r"|libcudart\.so\.(\d+)|forward compatibility was attempted",
        "The NVIDIA driver is too old for this vLLM.",
        "Update the driver to 580 or later, or install the build of vLLM for CUDA 12.9.",
    ),
    _Row(
        Kind.NO_CARD,
        r"No CUDA GPUs are available|no CUDA-capable device|CUDA unknown error|Error 999"
        r"|invalid device ordinal|No supported (?:platform|device)|Failed to infer device type",
        "The engine sees no card.",
        "Run sudo nvidia-modprobe -c0 -u, see whether nvidia-smi lists the card, and start again.",
    ),
    _Row(
        Kind.NO_KERNELS,
        r"Could not find nvcc|nvcc: not found",
        "Kernels of vLLM are missing, and there is no CUDA compiler to make them.",
        "Run vllm download-kernels in its virtual environment, then start it again.",
    ),
    _Row(
        Kind.NO_COMPILER,
        r"Failed to find C compiler|Python\.h: No such file|command '\S*(?:gcc|cc)' failed"
        r"|gcc: not found|No such file or directory: '\S*gcc'",
        "vLLM compiles at its start, and finds no C compiler or no headers of Python.",
        "Install them (Debian, Ubuntu: sudo apt install gcc python3-dev), then start it again.",
    ),
    _Row(
        Kind.PARSER,
        r"invalid (tool call|reasoning) parser: (\S+)|(Reasoning) parser '(\S+)' not found",
        "This vLLM has no {0} parser “{1}”.",
        "Deploy the model again: Berth chooses one that it has.",
    ),
    _Row(
        Kind.CONTEXT_BEYOND_MODEL,
        r"max_model_len \(([\d,]+)\) is greater than the derived max_model_len"
        r" \(\w+=(?P<context>\d+)",
        "A context of {0} is more than the model was made for: {context}.",
        "Use a context of {context}, or auto.",
    ),
    _Row(
        Kind.PORT_TAKEN,
        r"Address already in use",
        "Another program uses the port of this slot.",
        "End that program, or use another slot.",
    ),
    _Row(
        Kind.DISK_FULL,
        r"No space left on device",
        "The disk is full.",
        "Free some space, then start it again.",
    ),
    _Row(
        Kind.NOT_WRITABLE,
        r"(?:Permission denied|Read-only file system): '?(/[^\s']+)",
        "The engine may not write to {0}.",
        "Deploy it again: its service gets a cache folder of its own.",
    ),
    _Row(
        Kind.BROKEN_WEIGHTS,
        r"SafetensorError|safetensors\S*(?:corrupt|invalid)|[Ii]ncomplete metadata"
        r"|Cannot find any model weights",
        "The model's files are damaged or incomplete.",
        _AGAIN,
    ),
    _Row(
        Kind.NO_MODEL,
        r"HFValidationError|Invalid repository ID or local directory|not a valid model identifier"
        r"|OfflineModeIsEnabled|LocalEntryNotFound",
        "The model's folder is not there.",
        _AGAIN,
    ),
    _Row(
        Kind.TOO_FEW_CARDS,
        r"World size \((\d+)\) is larger than the number of available GPUs \((\d+)\)",
        "The model is to be divided among {0} cards, and there are {1}.",
        "Name as many cards as there are, or use several machines.",
    ),
    _Row(
        Kind.WRONG_FLAG,
        r"error: (?:unrecognized arguments|argument \S+?): ?(.+)",
        "This vLLM does not take what it was started with: {0}.",
        "Deploy the model again with the version that Berth uses.",
    ),
)
# What the same words mean once the weights are in.
_BESIDE_THE_WEIGHTS = _Row(
    Kind.MEMORY_RAN_OUT,
    "",
    "The card's memory ran out beside the weights.",
    "Have fewer requests at a time or a smaller context, or lower the utilization.",
)
_PATTERNS = [(row, re.compile(row.pattern)) for row in _ROWS]
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


def find(log: str, code: int | None = None) -> Cause | None:
    """The first true cause in the last start of this log; None where nothing in it is a failure.

    `code` is the exit code, negative for a signal.
    """
    text = stages.last_run(log)
    said = [_clean(line) for line in text.splitlines() if _may_tell(line)]
    lines = [line for line in said if not _SOURCE.match(line)]
    for line in lines:
        for row, pattern in _PATTERNS:
            if match := pattern.search(line):
                return _made(_meant(row, text), match, line)
    if told := _first_exception(lines):
        return _unknown(told, code)
    return _core_died(lines) or _by_code(code)


def _meant(row: _Row, text: str) -> _Row:
    """The row itself, but for memory that ran out: by how far the start had come."""
    is_loaded = stages.read(text).step not in (stages.Step.PROGRAM, stages.Step.WEIGHTS)
    return _BESIDE_THE_WEIGHTS if row.kind == Kind.WEIGHTS_TOO_LARGE and is_loaded else row


def _may_tell(line: str) -> bool:
    return bool(line.strip()) and not _NOT_AN_ERROR.match(line) and not _HARMLESS.search(line)


def _clean(line: str) -> str:
    """Without process, level, time and source, which differ from version to version."""
    return _PREFIX.sub("", line.rsplit("\r", 1)[-1], count=1).strip()[:10_000]


def _made(row: _Row, match: re.Match[str], line: str) -> Cause:
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
    for number, line in enumerate(lines):
        if _EXCEPTION.match(line) and not _SUMMARY.search(line):
            following = lines[number + 1] if number + 1 < len(lines) else ""
            is_list = "ValidationError" in line and "validation error" in line
            return following.removeprefix("Value error, ") if is_list and following else line
    return ""


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
            message="The system ended the engine, most often because memory ran out.",
            fix="Free memory of the machine, then start it again.",
        )
    return Cause(
        kind=Kind.WRONG_FLAG if code == WRONG_FLAG else Kind.UNKNOWN,
        message=f"The engine ended ({_ending(code)}) without a word that is known here.",
        fix="Its log says more.",
    )


def _ending(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"
