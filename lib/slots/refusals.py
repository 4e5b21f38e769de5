"""Why an engine did not start, from what it wrote: its words, in a sentence with what would help.

It ends with 1 for nearly everything, so the text decides. The words are those of vLLM 0.32 and
0.33 (v1/worker/utils.py, v1/core/kv_cache_utils.py, v1/worker/gpu_worker.py, config/vllm.py). Pure.
"""

import re
from typing import NamedTuple

from lib.core.names import shown
from lib.core.values import Frozen

LONGEST_LINE = 300
ARGUMENTS_CODE = 2  # argparse's own


class Refusal(Frozen):
    """What happened, what to do about it, and whether the script may try again by itself."""

    cause: str
    fix: str
    line: str = ""  # of the log, that told
    context: int | None = None  # tokens that would fit, where the engine has said so
    is_passing: bool = False  # a neighbour's memory came and went: the same again may do


class _Known(NamedTuple):
    """A pattern whose groups fill the sentences."""

    pattern: str
    cause: str
    fix: str


_LESS = "Choose a quantized model, a larger card, or more cards: --tensor-parallel 2."
_KNOWN = (
    _Known(
        r"estimated maximum model length is (?P<context>\d+)",
        "A context of that length does not fit the card.",
        "Start it with --max-model-len {context}, or auto.",
    ),
    _Known(
        r"max seq len \((\d+)\).*?larger than the available KV cache",
        "The card has no room for one conversation of {0} tokens.",
        f"Use a shorter context: --max-model-len auto. {_LESS}",
    ),
    _Known(
        r"Free memory on device .*?\(([\d.]+)/([\d.]+) GiB\) on startup",
        "Others hold memory of the card: {0} of {1} GiB were free.",
        "Free the card (the System page says who uses it), then start again.",
    ),
    _Known(
        r"Error in memory profiling",
        "Another program gave memory of the card back while this one was measured.",
        "Start it again; start the slots of one card one after the other.",
    ),
    _Known(
        r"Cannot auto-fit max_model_len|No available memory for the cache blocks",
        "The model takes all the memory that it may, and none is left for conversations.",
        f"{_LESS} Fewer requests at a time and no images help a little: --text-only.",
    ),
    _Known(
        r"out of memory occurred when warming up sampler with (\d+)",
        "The card has no room to choose the words of {0} requests at a time.",
        "Free the card, or write max_num_seqs = 64 into /etc/berth/engine.toml.",
    ),
    _Known(
        r"CUDA out of memory|OutOfMemoryError",
        "The model is larger than the memory of the card.",
        _LESS,
    ),
    _Known(
        r"quantization (?:method|scheme) ?(\S*) ?is not supported for the current GPU.*?"
        r"[Mm]in(?:imum)? capability: (\d+)",
        "The card is too old for this quantization ({0}): it needs compute capability {1}.",
        "Choose another quantization of this model, or another card.",
    ),
    _Known(
        r"[Bb]float16 is only supported on GPUs with compute capability",
        "The card does not compute in bfloat16, which this model is stored in.",
        'Write arguments = ["--dtype", "half"] into /etc/berth/engine.toml, then try again.',
    ),
    _Known(
        r"Model architectures \[(.*?)\] are not supported for now",
        "vLLM does not know models of the kind {0}.",
        "Choose another model, or update Berth for a newer vLLM.",
    ),
    _Known(
        r"failed to be inspected",
        "vLLM cannot look into this kind of model: its own installation is broken or incomplete.",
        "Remove its folder below /opt/berth, then run this again: it is installed anew.",
    ),
    _Known(
        r"requires? you to execute the|trust_remote_code=True|contains custom code",
        "The model brings program code of its own, which is never run here.",
        "Choose a model whose architecture vLLM has built in.",
    ),
    _Known(
        r"driver (?:on your system )?is too old|libcudart\.so\.13|no kernel image is available"
        r"|CUDA driver version is insufficient",
        "The NVIDIA driver is too old for this build of vLLM.",
        "Update the driver to 580 or newer, restart the machine, then try again.",
    ),
    _Known(
        r"CUDA (?:unknown error|error: unknown)|cudaErrorUnknown|CUDA initialization|error 999",
        "CUDA does not start: after a reboot its device files may be missing.",
        "Run: sudo nvidia-modprobe -c0 -u, then start it again.",
    ),
    _Known(
        r"No CUDA GPUs are available|no NVIDIA GPU|Failed to infer device type",
        "The engine sees no card.",
        "Run nvidia-smi: it says whether the driver does. A changed card needs a new deployment.",
    ),
    _Known(
        r"[Pp]ython\.h: No such file|gcc.*?(?:not found|No such file)|Failed to find C compiler",
        "The engine compiles small programs when it starts, and there is no compiler.",
        "Run: sudo apt-get install build-essential python3-dev, then start it again.",
    ),
    _Known(
        r"Could not find nvcc|nvcc.*?not found",
        "Kernels are missing that the engine would have to compile.",
        "Run: sudo /opt/berth/vllm-VERSION/bin/vllm download-kernels, then start it again.",
    ),
    _Known(
        r"[Aa]ddress already in use|\[Errno 98\]",
        "Another program uses the port of this slot.",
        "End that program, or choose another slot.",
    ),
    _Known(
        r"No space left on device",
        "The disk is full.",
        "Free some space, then start it again.",
    ),
    _Known(
        r"Permission denied: ['\"]?(/[^\s'\"]+)",
        "The engine may not write to {0}.",
        "Remove that file or folder, then start it again: systemd makes it anew.",
    ),
    _Known(
        r"Timed out waiting for engine core processes",
        "The engine needed longer to load than it may.",
        "Start it again: what was read once is read faster. A slow disk needs a local copy.",
    ),
    _Known(
        r"Bus error|/dev/shm",
        "The memory that programs share (/dev/shm) is full or too small.",
        "Run: sudo mount -o remount,size=50% /dev/shm, then start it again.",
    ),
)
_PREFIX = re.compile(r"^(?:\([^)]*\) ?)*(?:ERROR|CRITICAL) +[\d :.-]+\[[^\]]*\] ?")
_ERROR = re.compile(r"^\s*(?:[\w.]+\.)?(\w*(?:Error|Exception)): *(.+)$")


def refusal(log: str, exit_code: int | None = None) -> Refusal:
    """What the log of a run that ended tells; its own first error where nothing is known of it."""
    for known in _KNOWN:
        if found := re.search(known.pattern, log):
            return _explained(known, found, log)
    line = first_error(log)
    if exit_code == ARGUMENTS_CODE:
        return Refusal(
            cause=f"vLLM does not take an argument that it was given: {line or 'it did not say'}.",
            fix="Correct /etc/berth/engine.toml, or update Berth.",
            line=line,
        )
    if exit_code is not None and exit_code < 0:
        return Refusal(
            cause=f"The system ended the engine (signal {-exit_code}), most often for memory.",
            fix="See that the machine has memory to spare, then start it again.",
            line=line,
        )
    told = f": {line}" if line else f" (exit code {exit_code})" if exit_code is not None else ""
    return Refusal(
        cause=f"The engine ended while it started{told}.", fix="Its log says more.", line=line
    )


def first_error(log: str) -> str:
    """The first error that it reports, without time and place; "" where there is none."""
    reported = ""
    for line in log.splitlines():
        text = _PREFIX.sub("", line)
        if error := _ERROR.match(text):
            return _short(f"{error[1]}: {error[2]}")
        if text != line and not reported and not text.startswith(("Traceback", " ")):
            reported = _short(text)
    return reported


def _explained(known: _Known, found: re.Match[str], log: str) -> Refusal:
    groups = [shown(text or "", 100) for text in found.groups()]
    context = found.groupdict().get("context")
    names = {"context": context or ""}
    return Refusal(
        cause=known.cause.format(*groups, **names),
        fix=known.fix.format(*groups, **names),
        line=_line_of(log, found.start()),
        context=int(context) if context else None,
        is_passing="memory profiling" in known.pattern,
    )


def _line_of(log: str, at: int) -> str:
    begin = log.rfind("\n", 0, at) + 1
    return _short(_PREFIX.sub("", log[begin:].partition("\n")[0]))


def _short(text: str) -> str:
    return shown(" ".join(text.split()), LONGEST_LINE).rstrip(".")
