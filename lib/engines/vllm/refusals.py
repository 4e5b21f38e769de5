"""How vLLM refuses, as a table: the words of its log, what they mean, and what helps.

Its texts were taken from the source of 0.33, and recorded from 0.32 where that needs no card.
"""

from enum import StrEnum
from typing import NamedTuple


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


class Row(NamedTuple):
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
ROWS = (
    Row(
        Kind.CARD_TAKEN,
        r"Free memory on device \S+ \((?P<free>[\d.]+)/(?P<total>[\d.]+) GiB\) on startup is less"
        r" than desired GPU memory utilization \([\d.]+, (?P<wanted>[\d.]+) GiB\)",
        "The card has {free} of its {total} GiB free, and the engine was to take {wanted} GiB.",
        "Free the card (other slots and programs on it hold memory), or lower the utilization."
        " A smaller context does not help.",
    ),
    Row(
        Kind.CARD_TAKEN,
        r"is less than desired GPU memory utilization",
        "Other programs hold the card's memory.",
        "Free the card, or lower the utilization. A smaller context does not help.",
    ),
    Row(
        Kind.CONTEXT_TOO_LARGE,
        r"model's max seq len \(([\d,]+)\).*estimated maximum model length is (?P<context>[\d,]+)",
        "A context of {0} does not fit beside the model; {context} does.",
        "Use a context of {context}, or auto.",
        Retry.SMALLER_CONTEXT,
    ),
    Row(
        Kind.NO_ROOM_FOR_CACHE,
        r"No available memory for the cache blocks|Cannot auto-fit max_model_len"
        r"|larger than the available KV cache memory",
        "The model leaves no memory for conversations.",
        "Raise the utilization, have fewer requests at a time, or serve text alone."
        " Otherwise choose a quantized model, or more cards.",
    ),
    Row(
        Kind.NEIGHBOUR_MOVED,
        r"Error in memory profiling\. Initial free memory",
        "Another program gave memory of the card back while the engine measured it.",
        "Start it again; slots of one card start one after the other.",
        Retry.LATER,
    ),
    Row(
        Kind.TOO_MANY_REQUESTS,
        r"out of memory occurred when warming up sampler",
        "The card's memory does not suffice for so many requests at a time.",
        "Have fewer requests at a time, or lower the utilization.",
    ),
    Row(
        Kind.WEIGHTS_TOO_LARGE,
        r"(?:CUDA|HIP|torch\.)\S* ?out of memory|OutOfMemoryError|CUDA error: out of memory",
        "The model's weights do not fit on the card.",
        _SMALLER,
    ),
    Row(
        Kind.QUANTIZATION,
        r"quantization method (\S+) is not supported for the current GPU\. Minimum capability: "
        r"(\d+)(\d)(?:\. Current capability: (?P<major>\d+)(?P<minor>\d)\b)?",
        "The card cannot compute with {0}: that needs compute capability {1}.{2}{has}.",
        "Choose another quantization of the model, such as AWQ or GPTQ.",
    ),
    Row(
        Kind.QUANTIZATION,
        r"Quantization scheme is not supported for the current GPU",
        "The card is too old for the quantization of this model.",
        "Choose another quantization of the model, such as AWQ or GPTQ.",
    ),
    Row(
        Kind.BFLOAT16,
        r"Bfloat16 is only supported",
        "The card is too old for bfloat16.",
        "Deploy it with --dtype half.",
    ),
    Row(
        Kind.ARCHITECTURE,
        r"Model architectures? \['?(\w+).*not supported|has model type `(\w+)` but Transformers"
        r" does not recognize|Model architecture (\w+) (?:was supported|is not supported)",
        "vLLM does not know models of the kind “{0}”.",
        _OTHER_MODEL,
    ),
    Row(
        Kind.REMOTE_CODE,
        r"contains custom code which must be executed|trust_remote_code=True|--trust-remote-code",
        "The model needs program code from its repository, which is never run here.",
        "Choose a model that vLLM knows by itself.",
    ),
    Row(
        Kind.BROKEN_INSTALL,
        r"failed to be inspected|undefined symbol|No module named 'vllm"
        r"|cannot import name \S+ from 'vllm",
        "The installation of vLLM is damaged.",
        "Install it anew: remove its folder below /opt/berth, then deploy again.",
    ),
    Row(
        Kind.TOO_SLOW,
        r"Timed out waiting for engine core processes",
        "The model was not loaded within the time that vLLM allows.",
        "Raise VLLM_ENGINE_READY_TIMEOUT_S of the service: the disk is slow, or the model large.",
    ),
    Row(
        Kind.DRIVER_TOO_OLD,
        r"driver on your system is too old|CUDA driver version is insufficient"
        r"|libcudart\.so\.(\d+)|forward compatibility was attempted",
        "The NVIDIA driver is too old for this vLLM.",
        "Update the driver to 580 or later, or install the build of vLLM for CUDA 12.9.",
    ),
    Row(
        Kind.NO_CARD,
        r"No CUDA GPUs are available|no CUDA-capable device|CUDA unknown error|Error 999"
        r"|invalid device ordinal|No supported (?:platform|device)|Failed to infer device type",
        "The engine sees no card.",
        "Run sudo nvidia-modprobe -c0 -u, see whether nvidia-smi lists the card, and start again.",
    ),
    Row(
        Kind.NO_KERNELS,
        r"Could not find nvcc|nvcc: not found",
        "Kernels of vLLM are missing, and there is no CUDA compiler to make them.",
        "Run vllm download-kernels in its virtual environment, then start it again.",
    ),
    Row(
        Kind.NO_COMPILER,
        r"Failed to find C compiler|Python\.h: No such file|command '\S*(?:gcc|cc)' failed"
        r"|gcc: not found|No such file or directory: '\S*gcc'",
        "vLLM compiles at its start, and finds no C compiler or no headers of Python.",
        "Install them (Debian, Ubuntu: sudo apt install gcc python3-dev), then start it again.",
    ),
    Row(
        Kind.PARSER,
        r"invalid (tool call|reasoning) parser: (\S+)|(Reasoning) parser '(\S+)' not found",
        "This vLLM has no {0} parser “{1}”.",
        "Deploy the model again: Berth chooses one that it has.",
    ),
    Row(
        Kind.CONTEXT_BEYOND_MODEL,
        r"max_model_len \(([\d,]+)\) is greater than the derived max_model_len"
        r" \(\w+=(?P<context>\d+)",
        "A context of {0} is more than the model was made for: {context}.",
        "Use a context of {context}, or auto.",
    ),
    Row(
        Kind.PORT_TAKEN,
        r"Address already in use",
        "Another program uses the port of this slot.",
        "End that program, or use another slot.",
    ),
    Row(
        Kind.DISK_FULL,
        r"No space left on device",
        "The disk is full.",
        "Free some space, then start it again.",
    ),
    Row(
        Kind.NOT_WRITABLE,
        r"(?:Permission denied|Read-only file system): '?(/[^\s']+)",
        "The engine may not write to {0}.",
        "Deploy it again: its service gets a cache folder of its own.",
    ),
    Row(
        Kind.BROKEN_WEIGHTS,
        r"SafetensorError|safetensors\S*(?:corrupt|invalid)|[Ii]ncomplete metadata"
        r"|Cannot find any model weights",
        "The model's files are damaged or incomplete.",
        _AGAIN,
    ),
    Row(
        Kind.NO_MODEL,
        r"HFValidationError|Invalid repository ID or local directory|not a valid model identifier"
        r"|OfflineModeIsEnabled|LocalEntryNotFound",
        "The model's folder is not there.",
        _AGAIN,
    ),
    Row(
        Kind.TOO_FEW_CARDS,
        r"World size \((\d+)\) is larger than the number of available GPUs \((\d+)\)",
        "The model is to be divided among {0} cards, and there are {1}.",
        "Name as many cards as there are, or use several machines.",
    ),
    Row(
        Kind.WRONG_FLAG,
        r"error: (?:unrecognized arguments|argument \S+?): ?(.+)",
        "This vLLM does not take what it was started with: {0}.",
        "Deploy the model again with the version that Berth uses.",
    ),
)
# What the same words mean once the weights are in.
BESIDE_THE_WEIGHTS = Row(
    Kind.MEMORY_RAN_OUT,
    "",
    "The card's memory ran out beside the weights.",
    "Have fewer requests at a time or a smaller context, or lower the utilization.",
)
