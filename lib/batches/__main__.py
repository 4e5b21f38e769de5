"""python -m lib.batches BATCH_ID: work on this batch until it is over."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from lib.batches import store
from lib.batches.record import Batch, Status
from lib.batches.work import Work
from lib.core.access import own_process
from lib.core.errors import NotFound
from lib.core.names import shown
from lib.jobs import events, phase
from lib.jobs.report import Report

_CODES = {Status.CANCELLED: phase.CANCELLED, Status.EXPIRED: 1}  # how its job ended


def main(arguments: Sequence[str] | None = None) -> int:
    """Work on it and return the exit code."""
    own_process()
    parser = argparse.ArgumentParser(prog="python -m lib.batches", description=__doc__)
    parser.add_argument("batch", metavar="BATCH_ID")
    given = parser.parse_args(arguments)
    goodbye = "Interrupted. Every answer that has come is kept."
    code = phase.run(lambda report: _work(given.batch, report), goodbye)
    batch = store.load(given.batch)
    return _CODES.get(batch.standing.status, code) if batch else code


def _work(batch_id: str, report: Report) -> None:
    with store.alone(_found(batch_id).asked):
        try:
            Work(_found(batch_id), report).run()
        except KeyboardInterrupt:
            if not _was_job_cancelled():
                raise
            store.cancel(_found(batch_id))
            Work(_found(batch_id), report).run()


def _was_job_cancelled() -> bool:
    """By somebody, and not because the machine goes down."""
    told = os.environ.get(events.VARIABLE, "")
    return bool(told) and Path(told).with_name("cancelled").exists()


def _found(batch_id: str) -> Batch:
    batch = store.load(batch_id)
    if batch is None:
        raise NotFound(f"There is no batch “{shown(batch_id)}”.", "It may be long over.")
    return batch


if __name__ == "__main__":
    sys.exit(main())
