"""What watching the machine costs: `python -m tests.bench.sampler`.

Processor time of a look and of a write, of this process alone; the size of what is kept after a day
and after a week, without cards and with eight; and, where Linux counts it, what is written to the
disk for it. Run it on a quiet machine.
"""

import os
import re
import tempfile
import time
from pathlib import Path

from lib.core import database
from lib.machine.history import FINE_SECONDS, Recorder
from lib.machine.sampler import INTERVAL_SECONDS, CardUse, Sample, Sampler

LOOKS = 500
DAY = 86_400
BUDGET_SHARE, BUDGET_BYTES, MOST_BYTES = 0.005, 3_000_000, 20_000_000
KEY = "GPU-6f3c1a52-0d2e-4c5f-9a51-3f0c2d1e4b{:02}"
_WRITTEN = re.compile(r"^write_bytes: (\d+)$", re.MULTILINE)


def main() -> None:
    """Print what a look costs, and what is kept and written in a day and a week."""
    look = looking()
    print(f"a look       {look * 1e3:.2f} ms of processor time, every {INTERVAL_SECONDS:.0f} s")
    for cards in (0, 8):
        with tempfile.TemporaryDirectory() as home:
            os.environ["BERTH_HOME"] = home
            keeping(cards, look)


def looking() -> float:
    """Seconds of processor time of one look, with all that it asks."""
    sampler = Sampler()
    sampler.latest()
    began = time.process_time()
    for _ in range(LOOKS):
        sampler.latest()
    return (time.process_time() - began) / LOOKS


def keeping(cards: int, look: float) -> None:
    """A week of samples, a minute apart, at a clock that runs ahead."""
    recorder, begin = Recorder(), time.time() // DAY * DAY
    sizes, cpu, disk = [], time.process_time(), written()
    for minute in range(7 * DAY // FINE_SECONDS):
        recorder.add(sample(begin + minute * FINE_SECONDS, cards))
        if minute % 1_440 == 1_439:
            sizes.append(database.path().stat().st_size)
    recorder.close()
    write = (time.process_time() - cpu) / (7 * DAY / FINE_SECONDS)
    share = look / INTERVAL_SECONDS + write / FINE_SECONDS
    told = "ok" if share < BUDGET_SHARE else "TOO MUCH"
    print(f"{cards} cards: {share:.3%} of a core (budget {BUDGET_SHARE:.1%}: {told})")
    told = "ok" if sizes[0] < BUDGET_BYTES and sizes[-1] < MOST_BYTES else "TOO MUCH"
    print(
        f"         {sizes[0] / 1e6:.2f} MB after a day (budget {BUDGET_BYTES / 1e6:.0f}),"
        f" {sizes[-1] / 1e6:.2f} MB after a week (budget {MOST_BYTES / 1e6:.0f}): {told}"
    )
    if disk is not None and (now := written()) is not None:
        print(f"         {(now - disk) / 7e6:.1f} MB a day pass to the disk for it")


def sample(at: float, cards: int) -> Sample:
    """One as a machine gives it: no figure is round."""
    noise = at % 977 / 977
    return Sample(
        at=at + noise,
        cpu_percent=100 * noise,
        memory_used_bytes=int(2**33 * (1 + noise)),
        memory_available_bytes=int(2**34 * (1 - noise)),
        disk_free_bytes=int(1e11 * (1 + noise)),
        received_bytes_per_second=1e6 * noise,
        sent_bytes_per_second=1e5 * noise,
        read_bytes_per_second=1e7 * noise,
        written_bytes_per_second=1e6 / (1 + noise),
        swap_used_bytes=int(2**28 * noise),
        cards=tuple(CardUse(KEY.format(n), round(99 * noise), 2**35 + n) for n in range(cards)),
    )


def written() -> int | None:
    """Bytes that this process has had written to a disk; None where nobody counts."""
    try:
        found = _WRITTEN.search(Path("/proc/self/io").read_text(encoding="ascii"))
    except OSError:
        return None
    return int(found[1]) if found else None


if __name__ == "__main__":
    main()
