"""Begins the jobs of batches, and begins them again where they ended before their batch did.

So a batch goes on after a crash, a kill, and a start of the machine. One job works on a batch at a
time; those for the same model wait for one another.
"""

import logging
import sys
import time

from lib.batches import places, store, stored
from lib.batches.lines import Problem
from lib.batches.record import Batch, Status
from lib.batches.store import keep_answers
from lib.core.errors import Conflict, NoSpace
from lib.core.names import shown
from lib.core.values import Frozen
from lib.fleet.watch import Watch
from lib.jobs import jobs
from lib.jobs.jobs import Job, JobState
from lib.keys import store as keys

KIND = "batch"
PAUSES = (0.0, 2.0, 10.0, 60.0, 300.0)  # before it is begun again, while nothing gets done
MOST_VAIN = 10  # beginnings without one more answer, until it is given up
PRUNE_SECONDS = 300.0
_log = logging.getLogger(__name__)


class Begun(Frozen):
    """How often a batch was begun since it last got on."""

    count: int = 0
    at: float = 0.0  # on the monotonic clock
    answered: int = 0


class Batches(Watch):
    """Looks after those that are not over."""

    name, seconds = "batches", 1.0

    def __init__(self) -> None:
        super().__init__()
        self._ended: set[str] = set()
        self._begun: dict[str, Begun] = {}
        self._told: set[str] = set()  # that these wait
        self._pruned_at = -PRUNE_SECONDS

    def look(self, now: float | None = None) -> list[str]:
        """Begin what is to be begun; the ids of those. `now` is on the monotonic clock."""
        now = time.monotonic() if now is None else now
        unfinished = self._unfinished()
        self._prune(unfinished, now)
        if not unfinished:
            return []
        running = {job.details.get("batch"): job for job in jobs.running(KIND)}
        found = [(one, running.get(one.asked.id)) for one in unfinished]
        return [one.asked.id for one, job in found if self._looked(one, job, now)]

    def _unfinished(self) -> list[Batch]:
        """The oldest first."""
        found = [store.load(one) for one in reversed(store.ids()) if one not in self._ended]
        self._ended |= {one.asked.id for one in found if one and one.standing.is_over}
        return [one for one in found if one and not one.standing.is_over]

    def _looked(self, batch: Batch, job: Job | None, now: float) -> bool:
        """Was it begun?"""
        is_ending = batch.status == Status.CANCELLING
        if job and not (is_ending and job.state == JobState.QUEUED):
            return False
        if job:
            job.cancel()  # another one ends the batch at once, without waiting for its turn
        elif not is_ending and _was_cancelled(batch):
            batch, is_ending = store.cancel(batch), True
        return self._begin(batch, now, is_ending=is_ending)

    def _begin(self, batch: Batch, now: float, *, is_ending: bool) -> bool:
        answered = batch.standing.completed + batch.standing.failed
        known = self._begun.get(batch.asked.id, Begun())
        known = known if answered <= known.answered else Begun(answered=answered)
        if known.count and now - known.at < PAUSES[min(known.count, len(PAUSES)) - 1]:
            return False
        if known.count >= MOST_VAIN and not is_ending:
            _give_up(batch)
            return False
        if why := _reason_to_wait(batch, is_ending=is_ending):
            if batch.asked.id not in self._told:
                _log.warning("The batch %s waits: %s", batch.asked.id, why)
            self._told.add(batch.asked.id)
            return False
        self._told.discard(batch.asked.id)
        self._begun[batch.asked.id] = Begun(count=known.count + 1, at=now, answered=answered)
        return True

    def _prune(self, unfinished: list[Batch], now: float) -> None:
        if now - self._pruned_at >= PRUNE_SECONDS:
            self._pruned_at = now
            for batch in unfinished:
                if _is_gone(batch.asked.owner):
                    store.cancel(batch)
            stored.prune(_in_use(unfinished), time.time(), _is_gone)
            store.forget_old(time.time())


def start(batch: Batch, *, is_ending: bool) -> Job:
    """The job that works on the batch; one that only ends it waits for no other."""
    model = batch.asked.model
    return jobs.start(
        [sys.executable, "-m", "lib.batches", batch.asked.id],
        title=f"Batch for {shown(model) or 'an unknown model'}",
        kind=KIND,
        resource="" if is_ending else f"batch {model}",
        details={"batch": batch.asked.id},
    )


def _reason_to_wait(batch: Batch, *, is_ending: bool) -> str:
    """Why it could not be begun; "" where it was."""
    try:
        if not is_ending:
            stored.require_room(0)
        start(batch, is_ending=is_ending)
    except NoSpace as error:
        return error.message
    return ""


def _was_cancelled(batch: Batch) -> bool:
    """By the button of its last job, as that could not note any more."""
    every = jobs.recent(jobs.KEPT_JOBS, KIND)
    last = next((job for job in every if job.details.get("batch") == batch.asked.id), None)
    is_cancelled = last is not None and last.state == JobState.CANCELLED
    return bool(is_cancelled and last and (last.folder / "cancelled").exists())


def _give_up(batch: Batch) -> None:
    """Its process ends again and again: what it has done is its owner's, and no more comes."""
    asked = batch.asked
    text = f"Its process ended {MOST_VAIN} times without an answer more; its jobs' logs say why."
    try:
        with store.alone(asked):
            outputs = keep_answers(asked)
            told = Problem(code="batch_failed", message=text)
            news = {**outputs, "status": Status.FAILED, "problems": (told,)}
            now = {"ended_at": int(time.time())}
            store.note(asked, batch.standing.model_copy(update={**news, **now}))
    except Conflict:  # it is not over yet
        return


def _is_gone(owner: str) -> bool:
    """Was the key deleted whose this is? Not where nobody can say which keys there are."""
    if not owner:
        return False
    keys.look()
    return keys.known(owner) is None and not keys.problem()


def _in_use(unfinished: list[Batch]) -> set[str]:
    """The files that they read and write."""
    asked = [batch.asked for batch in unfinished]
    written = {name(one.id) for one in asked for name in (places.output_id, places.errors_id)}
    return written | {one.input_file_id for one in asked}
