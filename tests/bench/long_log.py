"""What one look at a deployment costs when its log is long: `python -m tests.bench.long_log`.

A real job writes its lines, then one more every half second. A browser's session (its protocol,
without the browser) opens the deploy page and asks for the panel again as the page does each
second. Printed: the server's time for an answer, and its bytes.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.sync.client import ClientConnection

from tests.support.berth import running_berth
from tests.support.session import opened

TICKS = 20
WRITER = """
import sys, time
for number in range(int(sys.argv[1])):
    print(f"{number:07} the engine says something of the usual length about what it does just now")
number = 0
while True:
    number += 1
    print(f"and one more: {number}", flush=True)
    time.sleep(0.5)
"""


def start(lines: int) -> tuple[str, Path]:
    """The job, once it has written all lines: its id and its log."""
    from lib.core import access
    from lib.jobs import jobs  # after BERTH_HOME was set

    access.own_process()
    job = jobs.start([sys.executable, "-c", WRITER, str(lines)], title="Long log", kind="deploy")
    log = job.folder / "log"
    while not log.exists() or b"and one more" not in log.read_bytes()[-2_000:]:
        time.sleep(0.1)
    return job.id, log


class Tab:
    """A session whose every message is counted; what it has got it need not get again."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._known: dict[str, None] = {}
        self.fragment = ""

    def ask(self, query: str, fragment: str = "") -> tuple[float, int]:
        """Have the page or one part of it drawn: milliseconds until all is there, and bytes."""
        message = BackMsg()
        message.rerun_script.page_name = "Deploy"
        message.rerun_script.query_string = query
        message.rerun_script.fragment_id = fragment
        message.rerun_script.cached_message_hashes.extend(self._known)
        began, received = time.perf_counter(), 0
        self._socket.send(message.SerializeToString())
        while True:
            data = self._socket.recv(timeout=30)
            assert isinstance(data, bytes)
            received += len(data)
            news = ForwardMsg.FromString(data)
            if news.metadata.cacheable:
                self._known[news.hash] = None
            if news.WhichOneof("type") == "auto_rerun" and news.auto_rerun.interval == 1.0:
                self.fragment = news.auto_rerun.fragment_id
            if news.WhichOneof("type") == "script_finished":
                return 1e3 * (time.perf_counter() - began), received


def measured(lines: int) -> None:
    """Print one row of the table."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["BERTH_HOME"] = folder
        from lib.jobs import jobs

        job_id, log = start(lines)
        try:
            with running_berth(Path(folder)) as berth, opened(berth) as session:
                tab, query = Tab(session.socket), f"job={job_id}"
                first, first_bytes = tab.ask(query)
                again, again_bytes = tab.ask(query)
                ticks = []
                for _ in range(TICKS):
                    time.sleep(0.5)
                    ticks.append(tab.ask(query, tab.fragment))
        finally:
            jobs.find(job_id).cancel()
        print(
            f"{lines:9,} {log.stat().st_size / 1e6:8.1f} MB"
            f"{first:11.0f} ms {first_bytes / 1e3:7.1f} KB"
            f"{again:11.0f} ms {again_bytes / 1e3:7.1f} KB"
            f"{statistics.median(time for time, _ in ticks):11.1f} ms"
            f" {statistics.median(size for _, size in ticks) / 1e3:7.1f} KB"
        )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, nargs="*", default=[100, 10_000, 100_000])
    print(f"{'lines':>9} {'log':>11}{'first page':>22} {'page again':>22} {'a tick':>22}")
    for lines in parser.parse_args().lines:
        measured(lines)


if __name__ == "__main__":
    main()
