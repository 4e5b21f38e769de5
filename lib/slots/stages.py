"""How far an engine's start has come, from what it has written: its own stages, in its own order.

The words are those of vLLM 0.32 and 0.33. Lines begin with a process, a time and a place in the
source, which change between versions: only the text is looked at. Pure.
"""

import re
from enum import StrEnum

from lib.core.values import Frozen


class Stage(StrEnum):
    """What it does now."""

    PROGRAM = "program"
    WEIGHTS = "weights"
    COMPILE = "compile"
    CACHE = "cache"
    GRAPHS = "graphs"
    READY = "ready"


# The last of these that the log has says how far it is; each begins its stage.
_SIGNS = (
    (Stage.PROGRAM, re.compile(r"vLLM server version|API server version|Initializing a V1 LLM")),
    (Stage.WEIGHTS, re.compile(r"Starting to load model|Loading safetensors checkpoint shards")),
    (Stage.COMPILE, re.compile(r"Model loading took|Loading weights took")),
    (Stage.CACHE, re.compile(r"torch\.compile (?:and initial profiling )?took|KV cache memory:")),
    (Stage.GRAPHS, re.compile(r"(?:GPU|CPU) KV cache size:|Capturing CUDA graphs")),
    (Stage.READY, re.compile(r"Application startup complete")),
)
_SHARDS = re.compile(r"checkpoint shards:\s+\d+% Completed \| (\d+)/(\d+)")
_REDUCED = re.compile(r"[Aa]uto-fit max_model_len: reduced from (\d+) to (\d+)")
TITLES = {
    Stage.PROGRAM: "the engine's program starts",
    Stage.WEIGHTS: "the weights are loaded",
    Stage.COMPILE: "the model is compiled and measured",
    Stage.CACHE: "the memory for conversations is laid out",
    Stage.GRAPHS: "CUDA graphs are recorded",
    Stage.READY: "the engine answers",
}
FIRST_SECONDS = {  # of a first start, where nothing was measured yet; weights come on top
    Stage.PROGRAM: 25.0,
    Stage.WEIGHTS: 5.0,
    Stage.COMPILE: 90.0,
    Stage.CACHE: 10.0,
    Stage.GRAPHS: 25.0,
}
LOAD_BYTES_PER_SECOND = 600e6  # an ordinary NVMe disk read for the first time


class Progress(Frozen):
    """Where a start stands."""

    stage: Stage = Stage.PROGRAM
    shards_done: int = 0
    shards: int = 0  # 0 where it has not said
    reduced_from: int | None = None  # context that the engine wanted, where it took less
    reduced_to: int | None = None

    @property
    def share(self) -> float:
        """Of the weights that are loaded, 0 to 1."""
        return self.shards_done / self.shards if self.shards else 0.0


def progress(log: str) -> Progress:
    """From the whole log of one run so far."""
    stage = Stage.PROGRAM
    for candidate, sign in _SIGNS:
        if sign.search(log):
            stage = candidate
    shards = _SHARDS.findall(log)
    done, count = map(int, shards[-1]) if shards else (0, 0)
    reduced = _REDUCED.search(log)
    return Progress(
        stage=stage,
        shards_done=min(done, count),
        shards=count,
        reduced_from=int(reduced[1]) if reduced else None,
        reduced_to=int(reduced[2]) if reduced else None,
    )


def expected_seconds(
    weights_bytes: int, before: dict[str, float] | None = None
) -> dict[str, float]:
    """How long each stage may take: as measured at an earlier start, else a plain guess."""
    guess = {str(stage): seconds for stage, seconds in FIRST_SECONDS.items()}
    guess[Stage.WEIGHTS] += weights_bytes / LOAD_BYTES_PER_SECOND
    return guess | (before or {})


def left_seconds(stage: Stage, spent: float, expected: dict[str, float]) -> float:
    """Until it answers: the rest of this stage, and all that follow."""
    order = list(Stage)
    later = sum(expected.get(one, 0.0) for one in order[order.index(stage) + 1 :])
    return max(0.0, expected.get(stage, 0.0) - spent) + later
