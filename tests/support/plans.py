"""What the engine plans for the shapes in blueprints.py, beside what lib.fit says.

engine_plans.csv holds the engine's figures; `python -m tests.bench.fit_accuracy --record` made it.
"""

import csv
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from lib.engines.llamacpp.oracle import Breakdown, ask
from lib.fit.architecture import geometry
from lib.fit.gguf import Header, read_file
from lib.fit.memory import Load, need
from lib.fit.quantizations import REPACKED
from tests.support.blueprints import MODELS
from tests.support.headers import write

MIB = 2**20
RECORDED = Path(__file__).with_name("engine_plans.csv")
COLUMNS = ("engine", "name", "context", "slots", "kv_type", "model", "cache", "compute")
LOADS = (
    Load(context=1_024),
    Load(context=8_192),
    Load(context=8_192, kv_type="q8_0"),
    Load(context=8_192, slots=4),
    Load(context=65_536),
)


class Comparison(NamedTuple):
    """One load of one model: the engine's plan and the estimate, in bytes."""

    name: str
    load: Load
    engine: Breakdown
    estimate: Breakdown
    counted_twice: int  # of the engine's plan, though loaded once

    @property
    def needed(self) -> int:
        """What the engine really loads."""
        return self.engine.total - self.counted_twice

    @property
    def error(self) -> int:
        """Bytes that the estimate is above that; negative: below."""
        return self.estimate.total - self.needed

    @property
    def share(self) -> float:
        """The same as a share of it."""
        return self.error / self.needed

    @property
    def is_close(self) -> bool:
        """Within 2 % + 64 MiB."""
        return abs(self.error) <= 0.02 * self.needed + 64 * MIB


def estimate(header: Header, load: Load) -> Breakdown:
    """The part of the need that the engine plans, too: by the figures that a plan shows."""
    own = need(geometry(header).stored_in(header.file_bytes), load)
    return Breakdown(model=own.weights, context=own.kv_cache, compute=own.compute)


def blueprint_file(name: str, folder: Path) -> Path:
    """The model's header as a file, with a hole for its weights."""
    return write(folder / f"{name}.gguf", MODELS[name]())


def asked(name: str, path: Path) -> list[Comparison]:
    """Every load, answered by the engine now."""
    header = read_file(path)
    with path.open("rb") as file:
        start = file.read(header.data_offset)
    return [_comparison(name, header, load, ask(header, lambda: start, load)) for load in LOADS]


def recorded(name: str, path: Path) -> list[Comparison]:
    """The loads of this model that were recorded."""
    header = read_file(path)
    with RECORDED.open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["name"] == name]
    return [_comparison(name, header, _load(row), _plan(row)) for row in rows]


def record(comparisons: list[Comparison]) -> None:
    """Keep the engine's figures, in MiB as it prints them."""
    engine = f"xllamacpp {version('xllamacpp')}"
    with RECORDED.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(COLUMNS)
        for one in comparisons:
            plan, load = one.engine, one.load
            figures = (plan.model // MIB, plan.context // MIB, plan.compute // MIB)
            table.writerow((engine, one.name, load.context, load.slots, load.kv_type, *figures))


def _comparison(name: str, header: Header, load: Load, plan: Breakdown) -> Comparison:
    return Comparison(name, load, plan, estimate(header, load), _counted_twice(header))


def _load(row: dict[str, str]) -> Load:
    return Load.model_validate({key: row[key] for key in ("context", "slots", "kv_type")})


def _plan(row: dict[str, str]) -> Breakdown:
    model, context, compute = (int(row[key]) * MIB for key in ("model", "cache", "compute"))
    return Breakdown(model=model, context=context, compute=compute)


def _counted_twice(header: Header) -> int:
    """What the plan counts twice and the engine maps once: Gemma 3n's and 4's shared embedding.

    Seen by loading: the mapped buffer has the file's size, and the plan one embedding more.
    """
    by_name = {tensor.name: tensor for tensor in header.tensors}
    embedding = by_name["token_embd.weight"]
    is_counted = header.architecture in ("gemma3n", "gemma4") and "output.weight" not in by_name
    return embedding.bytes if is_counted and embedding.type not in REPACKED else 0
