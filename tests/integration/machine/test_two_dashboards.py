"""Two processes watch one home: one keeps what it saw, and the other goes on where that dies."""

import signal
import subprocess
import sys
from pathlib import Path

from lib.machine.history import Recorder, read
from tests.conftest import ROOT
from tests.support.usage_week import sample

BEGIN = 1_700_000_040.0
FIRST = f"""
import sys
from lib.machine.history import Recorder
from tests.support.usage_week import sample
recorder = Recorder()
for minute in range(3):
    recorder.add(sample({BEGIN} + 60 * minute))
print("kept", flush=True)
sys.stdin.read()
"""


def test_a_dashboard_goes_on_where_the_one_that_wrote_was_killed(home: Path) -> None:
    first = subprocess.Popen(
        [sys.executable, "-c", FIRST], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    second = Recorder()
    with first:
        assert first.stdout is not None and first.stdout.readline() == b"kept\n"
        for minute in range(3, 6):
            second.add(sample(BEGIN + 60 * minute))
        assert [round(kept.at - BEGIN) for kept in read(3_600, BEGIN + 600)] == [0, 60]
        first.send_signal(signal.SIGKILL)
    for minute in range(6, 8):
        second.add(sample(BEGIN + 60 * minute))
    second.close()
    assert [round(kept.at - BEGIN) for kept in read(3_600, BEGIN + 600)] == [0, 60, 300, 360]
