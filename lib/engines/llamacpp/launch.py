"""How the built-in engine is started: its options, its environment and its command line.

The same launch runs the engine of the wheel or a `llama-server` of the user's own.
"""

import contextlib
import os
import platform
import sys
from collections.abc import Collection
from pathlib import Path

import psutil

from lib.core.errors import BrokenFile
from lib.core.names import shown
from lib.core.values import Frozen
from lib.engines.base import StartOptions
from lib.engines.llamacpp import child, drafts
from lib.engines.llamacpp.files import ModelFile
from lib.engines.llamacpp.projector import in_memory
from lib.fit import context_checkpoints, gguf
from lib.fit.architecture import geometry
from lib.fit.image_work import MOST_TOKENS, Projector
from lib.fit.kinds import Task
from lib.fit.memory import BATCH_TOKENS, Load, checkpoints

DEFAULT_CONTEXT = 8_192
READING_CONTEXT = 2_048  # of one that reads a text and writes none: longer ones are cut to pieces
UNKNOWN_CONTEXT = 4_096  # for a model that does not say what it was trained for
ALL_LAYERS = -1
LONGEST_SHOWN = 200
# Of a llama-server: what a build may lack, because it is older or newer, and still do the work.
DISPENSABLE = (
    "--cache-ram",
    "--ctx-checkpoints",
    "--no-webui",
    "--metrics",
    "--slots",
    "--props",
    "--no-context-shift",
    "--image-max-tokens",
)


def context_of(wish: int | None, trained: int | None, task: Task = Task.WRITING) -> int:
    """Tokens per slot to load a model with: as wished, never more than it was trained for."""
    usual = DEFAULT_CONTEXT if task == Task.WRITING else READING_CONTEXT
    return min(wish or usual, trained or wish or UNKNOWN_CONTEXT)


def load_of(
    options: StartOptions,
    trained: int | None,
    projector: Projector | None = None,
    task: Task = Task.WRITING,
    at_once: bool = False,
) -> Load:
    """What these options are for the arithmetic of lib/fit."""
    context = context_of(options.context, trained, task)
    return Load(
        context=context,
        slots=options.slots,
        kv_type=options.kv_type,
        prompt_cache_bytes=_prompt_cache_mib(options, task) * 2**20,
        projector=projector,
        batch=batch_of(context, at_once),
        reads=task != Task.WRITING,
    )


NEEDED = frozenset({"PATH", "HOME", "USER", "LOGNAME", "LANG", "LANGUAGE", "TZ", "TMPDIR", "SHELL"})
NEEDED_BEGINNINGS = (
    *("LC_", "LD_", "DYLD_", "XDG_", "GGML_", "MTL_", "METAL_"),
    *("OMP_", "GOMP_", "KMP_", "MKL_", "OPENBLAS_", "BLIS_"),
    *("CUDA_", "NVIDIA_", "HIP_", "HSA_", "ROCR_", "ROCM_", "GPU_", "VK_", "VULKAN_", "ONEAPI_"),
    *("SYCL_", "ZE_"),
)


def batch_of(context: int, at_once: bool) -> int:
    """Tokens that are worked on at the same time: all of a text for those that must see it all."""
    return max(context, BATCH_TOKENS) if at_once else BATCH_TOKENS


def _prompt_cache_mib(options: StartOptions, task: Task) -> int:
    """Earlier prompts are of use to who writes alone."""
    return options.prompt_cache_mib if task == Task.WRITING else 0


class Program(Frozen):
    """A `llama-server` of the user's own."""

    path: str
    version: str = ""  # as it tells it; "" before it was tried
    without: tuple[str, ...] = ()  # the dispensable flags that it does not know
    problem: str = ""  # why it is not used

    @property
    def is_usable(self) -> bool:
        """Was it tried, with success?"""
        return bool(self.version) and not self.problem

    @property
    def title(self) -> str:
        """For people: `llama.cpp b10488 of your own, /usr/local/bin/llama-server`."""
        return f"llama.cpp {self.version} of your own, {shown(self.path, LONGEST_SHOWN)}"


class Launch(Frozen):
    """All that the engine has to know; the key is in a file, never in here."""

    path: str
    alias: str
    port: int
    key_file: str
    context: int  # tokens of all slots together
    slots: int
    threads: int
    prompt_cache_mib: int
    kv_type: str
    gpu_layers: int
    wished_gpu_layers: int | None = None  # for a program of the user's own
    checkpoints: int = context_checkpoints.MOST
    projector: str = ""  # the file that lets it see images
    image_tokens: int = 0  # the most that one image may become; 0: as many as the model says
    template: str = ""  # the file of a chat template that goes before its own
    task: Task = Task.WRITING
    batch: int = BATCH_TOKENS  # tokens worked on at once
    draft: str = ""  # the file of the model that guesses ahead

    @property
    def url(self) -> str:
        """Where it will answer, without /v1."""
        return f"http://127.0.0.1:{self.port}"


def planned(file: ModelFile, options: StartOptions, port: int, key_file: Path) -> Launch:
    """What was chosen, and for the rest the defaults.

    Never more context than the model was trained for: the engine would take the memory for it,
    and then not use it.
    """
    context = context_of(options.context, file.context_trained, file.task)
    projector, draft = projector_for(file, options), drafts.draft_of(options)
    seen_by = in_memory(Path(projector)) if projector else None
    return Launch(
        path=str(file.full_path),
        alias=file.name,
        port=port,
        key_file=str(key_file),
        context=context * options.slots,
        slots=options.slots,
        threads=options.threads or default_threads(),
        prompt_cache_mib=_prompt_cache_mib(options, file.task),
        kv_type=options.kv_type,
        gpu_layers=_gpu_layers(options),
        wished_gpu_layers=options.gpu_layers,
        checkpoints=_checkpoints(file, options),
        projector=projector,
        image_tokens=MOST_TOKENS if seen_by and seen_by.limits_images else 0,
        template=file.template,
        task=file.task,
        batch=batch_of(context, file.reads_at_once),
        draft=str(draft.full_path) if draft else "",
    )


def _checkpoints(file: ModelFile, options: StartOptions) -> int:
    """As many copies of windows and states as the estimate of its memory counts."""
    with contextlib.suppress(BrokenFile):
        shape = geometry(gguf.read_model(file.full_path))
        return checkpoints(shape, load_of_file(file, options))
    return 1


def load_of_file(file: ModelFile, options: StartOptions) -> Load:
    """The same for a model of this machine, with its projector."""
    path = projector_for(file, options)
    projector = in_memory(Path(path)) if path else None
    trained = file.context_trained
    return load_of(options, trained, projector, file.task, file.reads_at_once)


def projector_for(file: ModelFile, options: StartOptions) -> str:
    """Of what lets it see images; "" where it has none, or is to be loaded without."""
    return file.projector if options.sees else ""


def default_threads() -> int:
    """One less than the physical cores: with all of them a busy machine stalls."""
    cores = psutil.cpu_count(logical=False) or os.cpu_count() or 1
    return max(1, cores - 1)


def default_gpu_layers() -> int:
    """All where the wheel has a GPU to use: Apple Silicon. None elsewhere."""
    is_apple_silicon = sys.platform == "darwin" and platform.machine() == "arm64"
    return ALL_LAYERS if is_apple_silicon else 0


def _gpu_layers(options: StartOptions) -> int:
    """As chosen, where the wheel has a GPU at all."""
    usual = default_gpu_layers()
    return usual if options.gpu_layers is None or not usual else options.gpu_layers


def command(launch: Launch, options_file: Path, own: Program | None = None) -> list[str]:
    """The argument list for the wheel's engine, or for a `llama-server` of the user's own."""
    if own:
        return [own.path, *_flags(launch, own.without)]
    return [sys.executable, "-I", child.__file__, str(options_file)]


def environment() -> dict[str, str]:
    """What an engine needs of ours: paths, language, libraries, and what speaks to its hardware.

    Settings that would override the launch, and secrets of whatever else runs here, stay behind.

    GOMP_SPINCOUNT: threads that wait for each other spin for microseconds, then sleep. The default
    spins for milliseconds and stalls on a busy machine (58 tokens/s idle, 4 to 26 busy), sleeping
    at once is slow on an idle one (33 and 16); this gave 56 and 24 on two cores.
    """
    ours = {name: value for name, value in os.environ.items() if _is_needed(name)}
    return {"GOMP_SPINCOUNT": "1000", **ours, "GGML_NO_BACKTRACE": "1"}


def _task_flags(launch: Launch) -> dict[str, str | int | None]:
    """For a model that writes nothing: what it does instead, and all of a text at once."""
    if launch.task == Task.WRITING:
        return {}
    does = "--reranking" if launch.task == Task.RANKING else "--embedding"
    return {does: None, "-b": launch.batch, "-ub": launch.batch}


def _is_needed(name: str) -> bool:
    return name in NEEDED or name.startswith(NEEDED_BEGINNINGS)


def _flags(launch: Launch, without: Collection[str]) -> list[str]:
    """Without the number of GPU layers, unless one was chosen: a build for a GPU knows best.

    No context shift: a reply that outgrows the context ends there, instead of going on without the
    beginning of the conversation.
    """
    options: dict[str, str | int | None] = {
        "-m": launch.path,
        **({"--mmproj": launch.projector} if launch.projector else {}),
        **({"--image-max-tokens": launch.image_tokens} if launch.image_tokens else {}),
        **({"--chat-template-file": launch.template} if launch.template else {}),
        **({"-md": launch.draft} if launch.draft else {}),
        **_task_flags(launch),
        "-c": launch.context,
        "-np": launch.slots,
        "-t": launch.threads,
        **({} if launch.wished_gpu_layers is None else {"-ngl": launch.wished_gpu_layers}),
        "-ctk": launch.kv_type,
        "-ctv": launch.kv_type,
        "--host": "127.0.0.1",
        "--port": launch.port,
        "--api-key-file": launch.key_file,
        "--alias": launch.alias,
        "--cache-ram": launch.prompt_cache_mib,
        "--ctx-checkpoints": launch.checkpoints,
        "--no-webui": None,
        "--metrics": None,
        "--slots": None,
        "--props": None,
        "--no-context-shift": None,
    }
    known = [(flag, value) for flag, value in options.items() if flag not in without]
    return [str(part) for pair in known for part in pair if part is not None]
