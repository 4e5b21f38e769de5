"""Failures of GPU slots: what stands in the way before vLLM starts, and why it refused to.

The engine's own causes are known elsewhere, by its log; here each gets the button that helps.
"""

import re

from lib.deploy.failure import Action, Diagnosis, Known
from lib.engines.vllm import causes
from lib.engines.vllm.causes import Cause, Kind

FEWER = "16"  # requests at a time: enough for a small team, and a fraction of vLLM's default
EIGHT_BITS = "fp8_per_tensor"  # halves weights in bfloat16 while they are loaded

# What one press could do about each; what is not listed is tried again when it is put right.
_ACTIONS: dict[Kind, tuple[Action, str]] = {
    Kind.CARD_TAKEN: (Action.FREE_CARD, ""),
    Kind.WEIGHTS_TOO_LARGE: (Action.HALVE_WEIGHTS, EIGHT_BITS),
    Kind.NO_ROOM_FOR_CACHE: (Action.FEWER_REQUESTS, FEWER),
    Kind.MEMORY_RAN_OUT: (Action.FEWER_REQUESTS, FEWER),
    Kind.TOO_MANY_REQUESTS: (Action.FEWER_REQUESTS, FEWER),
    Kind.CONTEXT_TOO_LARGE: (Action.RETRY_WITH_CONTEXT, ""),
    Kind.CONTEXT_BEYOND_MODEL: (Action.RETRY_WITH_CONTEXT, ""),
    Kind.QUANTIZATION: (Action.NONE, ""),
    Kind.ARCHITECTURE: (Action.NONE, ""),
    Kind.REMOTE_CODE: (Action.NONE, ""),
    Kind.TOO_FEW_CARDS: (Action.NONE, ""),
    Kind.DISK_FULL: (Action.FREE_SPACE, ""),
}

# A line that no script writes: of one of vLLM's processes, or the end of a traceback.
_OF_THE_ENGINE = re.compile(
    r"\(\w+ pid=\d+\)|(?:\w+\.)*[A-Z]\w*(?:Error|Exception): |  Value error, |vllm: error: "
)
_CHOOSE = "Choose another repository of this model, or another model."
KNOWN = (
    Known(
        r"no NVIDIA driver on this machine|driver sees no card",
        "This machine has no NVIDIA card that its driver knows.",
        "Install the driver, restart the machine, then try again.",
        Action.RETRY,
    ),
    Known(
        r"driver knows CUDA ([\d.]+), and vLLM needs",
        "The NVIDIA driver is too old for vLLM: it knows CUDA {0}.",
        "Update it to 580 or later, then try again.",
        Action.RETRY,
    ),
    Known(
        r"divided into parts \(MIG\)|part of a divided card",
        "The card is divided into parts (MIG), which vLLM cannot be given.",
        "Choose another card, or undo the division.",
        Action.NONE,
    ),
    Known(
        r"rights, which this account does not have|needs root's rights",
        "These steps need root's rights, which Berth does not have here.",
        "Run the command that the log names in a terminal.",
        Action.RETRY,
    ),
    Known(
        r"systemd does not run this machine|no systemd on this machine",
        "This machine is not run by systemd, so no service can be made.",
        "Use a server that is, or run vLLM there by hand and add its address on System.",
        Action.NONE,
    ),
    Known(
        r"(\S+(?: and \S+)*) (?:is|are) missing, which vLLM needs when it starts",
        "vLLM compiles at its start, and {0} is missing.",
        "Install what the log names, then try again.",
        Action.RETRY,
    ),
    Known(
        r"mounted noexec",
        "Nothing may be run from the disk of vLLM's cache.",
        "Mount it without noexec, as the log says, then try again.",
        Action.RETRY,
    ),
    Known(
        r"Port ([\d,]+) is used by (.+?)\. End that program, or choose another slot",
        "Port {0} of this slot is used by {1}.",
        "End that program and try again, or choose another slot.",
        Action.RETRY,
    ),
    Known(
        r"does not carry Berth's mark|not a service of Berth's|and is not Berth's",
        "A service of this name is there already, and it is not Berth's.",
        "Rename or remove it, or choose another slot.",
        Action.RETRY,
    ),
    Known(
        r"no safetensors files|GGUF files alone|\.bin files alone",
        "The repository has no safetensors files, which vLLM serves.",
        _CHOOSE,
        Action.NONE,
    ),
    Known(
        r"only with code that comes with the model",
        "The model needs program code from its repository, which is never run here.",
        _CHOOSE,
        Action.NONE,
    ),
    Known(
        r"bitsandbytes, which vLLM",
        "The weights are quantized with bitsandbytes, which vLLM does not read.",
        _CHOOSE,
        Action.NONE,
    ),
    Known(
        r"nginx's configuration was broken before",
        "nginx's configuration was broken before Berth came, and nothing was touched.",
        "Correct it until nginx -t is content, then try again.",
        Action.RETRY,
    ),
    Known(
        r"LiteLLM does not take its settings",
        "LiteLLM does not take its settings, so nothing was changed.",
        "Correct config.yaml in /etc/berth/litellm, then try again.",
        Action.RETRY,
    ),
    Known(
        r"healthy, and (?:gives|makes) no token|healthy, and no token comes",
        "The engine says that it is healthy, and no token comes.",
        "Try again, which begins it anew; where that does not help, its log says more.",
        Action.RETRY,
    ),
    Known(
        r"Another (?:run|step) (?:is under way|still works)|A deployment works on slot",
        "Another deployment is under way on this slot.",
        "Wait until it has ended, then try again.",
        Action.RETRY,
    ),
)


def told(line: str) -> Diagnosis | None:
    """The failure whose sentence stands in this line of a script."""
    cause = causes.told(line)
    return _made(cause) if cause else None


def in_the_engines_own_words(log: str, code: int | None) -> Diagnosis | None:
    """The failure that vLLM tells at the end of a log; None where a script had the last word."""
    last = log.rstrip().rpartition("\n")[2]
    cause = causes.find(log, code) if _OF_THE_ENGINE.match(last) else None
    known = cause is not None and cause.kind not in (Kind.UNKNOWN, Kind.KILLED)
    return _made(cause) if cause and known else None


def _made(cause: Cause) -> Diagnosis:
    action, argument = _ACTIONS.get(cause.kind, (Action.RETRY, ""))
    return Diagnosis(
        cause=cause.message,
        line=cause.line,
        fix=cause.fix,
        action=action,
        argument=str(cause.context) if cause.context else argument,
    )
