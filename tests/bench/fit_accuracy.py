"""How far the memory estimate is from the engine's own plan, worst first.

python -m tests.bench.fit_accuracy [--record] [FILE.gguf …]

Without files: all shapes of tests/support/blueprints.py, then how far the rule of bits per weight
is from the real files listed in file_sizes.csv (it is used only where no file exists to be asked).
"""

import argparse
import csv
import statistics
import tempfile
from pathlib import Path

from lib.fit.quantizations import estimated_bytes
from tests.support.blueprints import MODELS
from tests.support.plans import MIB, Comparison, asked, blueprint_file, record

SIZES = Path(__file__).with_name("file_sizes.csv")


def main() -> None:
    """Ask, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--record", action="store_true", help="keep the engine's figures for tests")
    given = parser.parse_args()
    if given.files:
        _print([comparison for path in given.files for comparison in asked(path.stem, path)])
        return
    with tempfile.TemporaryDirectory() as folder:
        found = [
            comparison
            for name in MODELS
            for comparison in asked(name, blueprint_file(name, Path(folder)))
        ]
    if given.record:
        record(found)
    _print(found)
    _print_file_sizes()


def _print(comparisons: list[Comparison]) -> None:
    print(f"{'error':>12}  {'share':>7}  {'engine':>11}   cache  compute  load")
    for one in sorted(comparisons, key=lambda one: -abs(one.share)):
        mark = "" if one.is_close else "  TOO FAR"
        parts = (
            f"{(one.estimate.context - one.engine.context) / MIB:+7.1f}",
            f"{(one.estimate.compute - one.engine.compute) / MIB:+7.1f}",
        )
        print(
            f"{one.error / MIB:+8.1f} MiB  {one.share:+7.2%}  {one.needed / MIB:7,.0f} MiB",
            *parts,
            f" {one.name}: {one.load.context:,} × {one.load.slots} {one.load.kv_type}{mark}",
        )
    shares = [abs(one.share) for one in comparisons]
    within = sum(one.is_close for one in comparisons)
    print(f"\n{within} of {len(comparisons)} within 2 % + 64 MiB; median {_percent(shares)}\n")


def _print_file_sizes() -> None:
    with SIZES.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    errors = []
    for row in rows:
        real = int(row["bytes"])
        error = estimated_bytes(int(row["parameters"]), row["quantization"].upper()) / real - 1
        errors.append((error, f"{row['file']}"))
    errors.sort(key=lambda one: -abs(one[0]))
    sizes = [abs(error) for error, _ in errors]
    print("File size by bits per weight, worst ten:")
    for error, file_name in errors[:10]:
        print(f"{error:+7.1%}  {file_name}")
    beyond = {limit: sum(size > limit for size in sizes) for limit in (0.05, 0.10, 0.25)}
    print(
        f"\n{len(sizes)} files; median {_percent(sizes)}; "
        + ", ".join(f"{count} off by more than {limit:.0%}" for limit, count in beyond.items())
    )


def _percent(shares: list[float]) -> str:
    return f"{statistics.median(shares):.2%}"


if __name__ == "__main__":
    main()
