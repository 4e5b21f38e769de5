"""What the chat page adds to an engine: `python -m tests.bench.chat_page [--cell 50tps-200]`.

A fake engine writes the time into every token; the page, in Chromium, notes when it was painted.
Engine, server and browser share the machine, as they do at home, and so one clock. Printed per
cell, as the median of its runs: what design.md's budgets ask for, beside the budget, and the
machine's load before the cell began. It fails where a single token was not painted, or is there
twice at the end.

`first` is the time from Enter to the first token's paint without the engine's own; `asked` (Enter
to the engine's getting the request) and `shown` (first token sent to its paint) are its parts.

Others can be measured in turn with this checkout, a question to each, on the same engine; their
rows and the ratios stand below ours:

    --floor                a bare page that asks the engine itself and appends text nodes
    --beside-folder PATH   another checkout, with a server and a home of its own
    --beside URL           any page; `--beside-input` finds its input, and whoever runs it gives it
                           this engine, whose port `--engine-port` sets

`--trace FILE` has Chromium trace one more question of each, and prints its long tasks.
"""

import argparse
import itertools
import os
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, Playwright, sync_playwright

from tests.bench.chat_builds import Build, running
from tests.bench.chat_tab import Tab
from tests.bench.chat_trace import traced
from tests.support.browser import launched
from tests.support.fake_engine import Running, running_fake

RUNS = 3
SETTLE_MILLISECONDS = 300
BUDGETS = {
    "asked": "",
    "shown": "",
    "first": "<=50",
    "p50": "<=30|35",
    "p95": "<=60|80",
    "longest": "",
    "freeze": "<=60",
    "busy": "<=45",
    "ws_kb": "<=200",
    "http_kb": "",
    "speed": ">=0.98",
    "mib": "<=220|400",
    "missing": "0",
}
COMPARED = [name for name in BUDGETS if name not in ("speed", "missing")]
ENDLESS = 10**9  # tokens of context, so that no conversation is too long for the fake engine

Row = dict[str, float]


@dataclass(frozen=True)
class Cell:
    """A situation to measure."""

    tokens: int
    gap_ms: int
    earlier: int = 0  # messages of the conversation before; the warming-up adds two
    browsers: int = 1

    @property
    def name(self) -> str:
        """As `--cell` takes it."""
        late = "-500th" if self.earlier else ""
        crowd = f"-{self.browsers}browsers" if self.browsers > 1 else ""
        return f"{1000 // self.gap_ms}tps-{self.tokens}{late}{crowd}"


CELLS = [
    *(Cell(t, g, e) for t, g, e in itertools.product((200, 2_000), (20, 5), (0, 498))),
    Cell(20_000, 5),
    Cell(200, 20, browsers=20),
]


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which `share` of them lie."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def one_run(tabs: Sequence[Tab], fake: Running, seconds: float) -> Row:
    """Every tab asks; nobody looks before the reply can be over, so as not to disturb it."""
    for tab in tabs:
        tab.ask()
    tabs[0].page.wait_for_timeout(1e3 * seconds)
    calls = [tab.wait(fake) for tab in tabs]
    tabs[0].page.wait_for_timeout(SETTLE_MILLISECONDS)
    found = [tab.figures(call) for tab, call in zip(tabs, calls, strict=True)]
    late = [one for figures in found for one in figures.pop("latencies")]
    medians = {name: statistics.median(figures[name] for figures in found) for name in found[0]}
    missing = sum(figures["missing"] for figures in found)
    spread = {"p50": percentile(late, 0.5), "p95": percentile(late, 0.95)}
    return {**medians, **spread, "missing": missing}


def measured(
    cell: Cell, browser: Browser, fake: Running, builds: Sequence[Build], given: argparse.Namespace
) -> list[Row]:
    """The medians of each build over several replies, in turns, after one each to warm up."""
    tabs = [[b.opened(browser, cell.earlier) for _ in range(cell.browsers)] for b in builds]
    fake.behave(tokens=20, gap_ms=cell.gap_ms, stamp=True, paragraph=40, context=ENDLESS)
    fake.behave(prefill_ms=given.prefill_ms)
    for own in tabs:
        one_run(own, fake, 1)
    tabs[0][0].page.wait_for_timeout(4_000)  # the servers load the last of their modules
    fake.behave(tokens=cell.tokens)
    seconds = cell.tokens * cell.gap_ms / 1e3
    rounds = [[one_run(own, fake, seconds) for own in tabs] for _ in range(given.runs)]
    rows = [_median(build, [runs[n] for runs in rounds]) for n, build in enumerate(builds)]
    if given.trace:
        for build, own in zip(builds, tabs, strict=True):
            trace(given.trace, cell, build, own[:1], fake)
    return rows


def _median(build: Build, runs: Sequence[Row]) -> Row:
    medians = {name: statistics.median(run[name] for run in runs) for name in runs[0]}
    return {**medians, "mib": build.mib, "missing": sum(run["missing"] for run in runs)}


def trace(file: Path, cell: Cell, build: Build, tabs: Sequence[Tab], fake: Running) -> None:
    """One more question under Chromium's eyes; what took long."""
    own = file.with_name(f"{file.stem}-{cell.name}-{build.name}{file.suffix or '.json'}")
    seconds = cell.tokens * cell.gap_ms / 1e3
    tasks = traced(tabs[0].page, own, lambda: one_run(tabs, fake, seconds))
    print(f"{build.name}: {len(tasks)} long tasks, {own}")
    for task in tasks:
        print(task.told(), flush=True)


def printed(name: str, load: float, row: Row, columns: Sequence[str] = tuple(BUDGETS)) -> None:
    """One line of the table."""
    numbers = "".join(f"{row[n]:10.2f}" if n in columns else f"{'':10}" for n in BUDGETS)
    print(f"{name:30}{load:6.2f}{numbers}", flush=True)


def ratio(row: Row, other: Row) -> Row:
    """How much of the other's each figure is."""
    return {n: row[n] / other[n] if other[n] else float("nan") for n in COMPARED}


def arguments() -> argparse.Namespace:
    """What is to be measured."""
    names = [cell.name for cell in CELLS]
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--runs", type=int, default=RUNS)
    options.add_argument("--cell", action="append", choices=names, help="this one alone")
    options.add_argument("--prefill-ms", type=float, default=0, help="the engine's own time")
    options.add_argument("--engine-port", type=int, default=0)
    options.add_argument("--floor", action="store_true", help="a bare page, in turn")
    options.add_argument("--beside-folder", type=Path, help="another checkout, in turn")
    options.add_argument("--beside", default="", metavar="URL", help="another page, in turn")
    options.add_argument("--beside-input", default="textarea", help="its input, as CSS")
    options.add_argument("--trace", type=Path, metavar="FILE", help="of one more question of each")
    return options.parse_args()


def main() -> int:
    """Run the cells and print the table; 1 where a token went missing."""
    chosen = arguments()
    cells = {cell.name: cell for cell in CELLS}
    print(f"{'':30}{'load':>6}" + "".join(f"{name:>10}" for name in BUDGETS))
    print(f"{'budget':36}" + "".join(f"{budget:>10}" for budget in BUDGETS.values()))
    with sync_playwright() as playwright:
        missing = sum(one_cell(cells[n], playwright, chosen) for n in chosen.cell or cells)
    if missing:
        print(f"{missing:.0f} tokens were never painted, or painted twice.", file=sys.stderr)
    return 1 if missing else 0


def one_cell(cell: Cell, playwright: Playwright, given: argparse.Namespace) -> float:
    """Measure and print one cell, with everything in it new; how many tokens went missing."""
    load = os.getloadavg()[0]
    others = (given.beside, given.beside_folder, given.beside_input)
    with (
        launched(playwright) as browser,
        running_fake("--port", str(given.engine_port)) as fake,
        running(fake, *others, floor=given.floor) as builds,
    ):
        rows = measured(cell, browser, fake, builds, given)
        for build, row in zip(builds, rows, strict=True):
            name = f"{cell.name} {build.name}" if len(builds) > 1 else cell.name
            printed(name, load, row)
        for build, row in zip(builds[1:], rows[1:], strict=True):
            printed(f"  {builds[0].name} : {build.name}", load, ratio(rows[0], row), COMPARED)
    return sum(row["missing"] for row in rows)


if __name__ == "__main__":
    sys.exit(main())
