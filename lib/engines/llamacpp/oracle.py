"""The built-in engine's own answer to how much memory a model would take, before it is downloaded.

A child process is given the model's header as a file with a hole in place of the weights. The
engine plans its memory first and prints the plan; at that line the child is killed, so it never
loads anything. The answer takes about 0.1 s.
"""

import contextlib
import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from lib.core.errors import EngineError
from lib.core.values import Frozen
from lib.fit.gguf import Header
from lib.fit.memory import Load
from lib.fit.skeleton import skeleton
from lib.processes.helper import helper

TIMEOUT_SECONDS = 8.0
CHILD = Path(__file__).with_name("oracle_child.py")
_FOREIGN = ("LLAMA_", "HF_", "BERTH_")  # settings that would change the answer, and secrets
_LINE = re.compile(
    r"- (?P<name>\S+).*?\d+ =\s+(?P<model>\d+) \+\s+(?P<context>\d+) \+\s+(?P<compute>\d+)"
)


class Breakdown(Frozen):
    """What the engine plans to allocate, in bytes, known to 1 MiB each."""

    model: int
    context: int  # cache and recurrent state
    compute: int

    @property
    def total(self) -> int:
        """All of it; the process itself and its vocabulary come on top."""
        return self.model + self.context + self.compute


def ask(header: Header, start: Callable[[], bytes], load: Load) -> Breakdown:
    """The engine's plan for a model; `start` gets the beginning of its (first) file if needed.

    EngineError where the engine cannot load such a model. For Gemma 3n and 4 the plan counts an
    embedding matrix twice that is mapped once: there it is above the real need.
    """
    small, size = skeleton(header)
    with contextlib.suppress(EngineError):
        return planned(small, size, load)
    # An architecture that insists on its vocabulary: slower, with the header as it is.
    return planned(start()[: header.data_offset], header.file_bytes, load)


def planned(beginning: bytes, size_bytes: int, load: Load) -> Breakdown:
    """The plan for a file of this beginning and size."""
    with tempfile.TemporaryDirectory(prefix="berth-") as folder:
        path = Path(folder) / "model.gguf"
        path.write_bytes(beginning)
        os.truncate(path, size_bytes)
        with _child(path, load) as lines:
            return _breakdown(lines)


@contextlib.contextmanager
def _child(path: Path, load: Load) -> Iterator[Iterable[str]]:
    """The output of an engine that begins to load the file; it is killed at the end."""
    context, slots = load.context * load.slots, load.slots
    command = [sys.executable, str(CHILD), str(path), str(context), str(slots), load.kv_type]
    command += [str(load.batch), "read" if load.reads else "write"]
    kept = {name: text for name, text in os.environ.items() if not name.startswith(_FOREIGN)}
    world = kept | {"GGML_NO_BACKTRACE": "1"}
    with helper(command, world, with_errors=True, kill_after_seconds=TIMEOUT_SECONDS) as child:
        yield child.lines()


def _breakdown(lines: Iterable[str]) -> Breakdown:
    """The sum of the table's rows: the host's and, on x86, that of weights in another layout."""
    rows: dict[str, tuple[int, int, int]] = {}
    last = ""
    for line in lines:
        last = line.strip() or last
        row = _LINE.search(line)
        if row:
            rows[row["name"]] = (int(row["model"]), int(row["context"]), int(row["compute"]))
        if "CPU_REPACK" in rows or ("Host" in rows and "|" not in line):
            break
    if "Host" not in rows:
        raise EngineError(f"The engine cannot plan this model: {last[:300]}.", "Try another file.")
    model, context, compute = (sum(column) * 2**20 for column in zip(*rows.values(), strict=True))
    return Breakdown(model=model, context=context, compute=compute)
