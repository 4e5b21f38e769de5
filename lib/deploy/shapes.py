"""What a plan is made of."""

from enum import IntEnum
from typing import Literal

from lib.core.values import Frozen
from lib.engines.base import KvType
from lib.engines.llamacpp.oracle import Breakdown
from lib.fit.kinds import Task
from lib.fit.memory import Need, Room, Verdict

EngineName = Literal["ollama", "llamacpp"]


class Tier(IntEnum):
    """Where the files come from, always those of exactly the model that was asked for."""

    FILE = 0  # a file of this machine
    OWN = 1  # the repository's own GGUF files
    QUANTIZED = 2  # the most used GGUF repository that declares this one as its base model
    LIBRARY = 3  # Ollama's library, under its name for this model


class EngineChoice(Frozen):
    """The engine that will run the model, and why this one."""

    name: EngineName
    title: str
    reason: str
    is_installed: bool = True
    is_running: bool = True


class PlannedFile(Frozen):
    """A file to be there in the end; `sha256` is "" where nobody told."""

    path: str  # inside the repository, or on this machine
    bytes: int
    sha256: str = ""


class Row(Frozen):
    """One file of the model, or all parts of one, and how it would run here with the context."""

    name: str  # which no other row has: its quantization where that is enough
    quantization: str  # as its name tells it; the name where that tells none we know
    type: str  # how its header says it is stored; "" where that was not read
    note: str  # about its quality
    bytes: int
    files: tuple[str, ...]
    need: Need
    verdict: Verdict
    comfortable_context: int  # up to the plan's, that leaves other programs room; 0 for none
    tokens_per_second: float  # at most
    is_recommended: bool
    is_poor: bool


class Disk(Frozen):
    """Bytes: what is still to come, what an earlier try left, what is free where it goes."""

    needed: int
    kept: int
    free: int

    @property
    def is_short(self) -> bool:
        """Too little room?"""
        return self.needed > self.free


class Removable(Frozen):
    """A model that is installed and does not run."""

    name: str
    engine: str
    bytes: int


class Plan(Frozen):
    """All that a deployment would do, found out without changing anything."""

    model: str  # as asked for
    engine: EngineChoice
    tier: Tier
    source: str  # a sentence: where the files come from
    repository: str  # "" for a file and for Ollama's library
    revision: str  # the commit
    files: tuple[PlannedFile, ...]  # with its projector, where Berth fetches it
    projector: PlannedFile | None  # the file that lets it see images
    name: str  # in Ollama; the built-in engine names a model after its file
    is_pulled: bool  # Ollama fetches it; otherwise Berth does
    is_installed: bool  # nothing is to be fetched
    title: str  # of the chosen row
    quantization: str
    architecture: str
    parameters: int
    task: Task
    context: int
    context_trained: int | None
    slots: int
    kv_type: KvType
    fits_with_smaller_cache: bool  # where it does not fit as it is
    need: Need
    verdict: Verdict
    room: Room
    tokens_per_second: float  # at most
    is_speed_rough: bool = False  # the memory was measured while other programs were busy
    rows: tuple[Row, ...]  # best first
    disk: Disk
    removable: tuple[Removable, ...] = ()  # where the disk is short
    engine_plan: Breakdown | None = None  # the built-in engine's own figures
    estimate: str = ""  # where the figures are not Berth's own: a sentence
    warnings: tuple[str, ...] = ()

    @property
    def bytes(self) -> int:
        """Of all files together."""
        return sum(file.bytes for file in self.files)
