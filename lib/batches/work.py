"""The work on one batch: its lines checked, asked of the gateway, and answered in its files.

It is a process of its own, as a job, and may end at any moment: another one goes on with what the
files of the answers say. Where Berth does not run, it waits.
"""

import contextlib
import time
from functools import partial
from typing import NoReturn

from lib.batches import asking, store, stored
from lib.batches.flight import Flight
from lib.batches.lines import Checked, Line, Problem, body_of, check
from lib.batches.record import Batch, Status
from lib.batches.results import Result, Results
from lib.batches.telling import Telling
from lib.core import words
from lib.core.errors import BadInput, EngineError, NotFound
from lib.core.names import shown
from lib.jobs.report import Report

LOOK_SECONDS = 0.5  # so often it is looked whether somebody has cancelled
NOTE_SECONDS = 1.0
SERVER_SECONDS = 2.0  # between two looks for a Berth that does not run
BLOCK = 1_000  # lines that are told not to be answered, at once
ENDED = {
    Status.CANCELLED: ("batch_cancelled", "The batch was cancelled before this was answered."),
    Status.EXPIRED: (
        "batch_expired",
        "This request could not be executed before the completion window expired.",
    ),
}


class _Over(Exception):
    """The batch ends before all is answered."""

    def __init__(self, status: Status) -> None:
        super().__init__(status)
        self.status = status


class Work:
    """One process's work on one batch, which nobody else works on."""

    def __init__(self, batch: Batch, report: Report) -> None:
        self._asked = batch.asked
        self._standing = batch.standing
        self._report = report
        self._noted_at = 0.0

    def run(self) -> None:
        """Everything that is left of it."""
        if self._standing.is_over:
            return
        checked = self._checked()
        with contextlib.closing(Results(self._asked)) as results:
            self._count(results)
            try:
                self._ask_all(checked, results)
                status = Status.COMPLETED
            except _Over as over:
                status = over.status
            self._finish(checked.lines, results, status)

    def _checked(self) -> Checked:
        """The file's lines; BadInput where something is wrong with them, and the batch over."""
        self._report.begin("lines", "Checking the file.")
        try:
            file = stored.find(self._asked.input_file_id, self._asked.owner)
            with file.content.open("rb") as content:
                checked = check(content, self._asked.endpoint)
        except (NotFound, OSError):
            gone = Problem(code="file_not_found", message="The input file does not exist any more.")
            checked = Checked([], [gone], "")
        problems = checked.problems or self._problem_of_model(checked.model)
        if problems:
            self._fail(problems)
        self._standing = self._standing.model_copy(
            update={
                "status": Status.IN_PROGRESS,
                "in_progress_at": self._standing.in_progress_at or int(time.time()),
                "model": checked.model,
                "total": len(checked.lines),
            }
        )
        return checked

    def _problem_of_model(self, model: str) -> list[Problem]:
        """Asked of the gateway, once it is there; not again of a batch that has begun."""
        if self._standing.in_progress_at:
            return []
        said = ""
        while not self._is_ending():
            try:
                if asking.find_model(self._asked, model):
                    return []
                text = f"There is no model “{shown(model)}” here. GET /v1/models lists those."
                return [Problem(code="model_not_found", message=text, line=1, param="body.model")]
            except EngineError as error:
                if error.message != said:
                    said = error.message
                    self._report.note(f"Waiting: {said}")
                time.sleep(SERVER_SECONDS)
        return []

    def _fail(self, problems: list[Problem]) -> NoReturn:
        """BadInput, after noting what is wrong."""
        self._standing = self._standing.model_copy(
            update={
                "status": Status.FAILED,
                "problems": tuple(problems),
                "ended_at": int(time.time()),
            }
        )
        store.note(self._asked, self._standing)
        where = f"Line {problems[0].line}: " if problems[0].line else ""
        more = f" There are {words.count(len(problems), 'problem')} in all." if problems[1:] else ""
        raise BadInput(
            f"Nothing was asked. {where}{problems[0].message}{more}", "Send a corrected file."
        )

    def _ask_all(self, checked: Checked, results: Results) -> None:
        """Return when every line has a result, which is on the disk."""
        self._report.begin("ask", f"Asking {checked.model}.")
        telling = Telling(len(checked.lines))
        file = stored.find(self._asked.input_file_id, self._asked.owner)
        left = [line for line in checked.lines if line.custom_id not in results.answered]
        with file.content.open("rb") as content:
            flight = Flight(self._asked, left, partial(body_of, content))
            while not flight.is_done:
                self._stop_where_ending()
                results.add(flight.step(LOOK_SECONDS))
                self._count(results)
                telling.progress(results.completed + results.failed, flight.waits_for)

    def _stop_where_ending(self) -> None:
        """_Over where it is to end; NoSpace where it is to go on when there is room again."""
        if store.is_cancelled(self._asked):
            raise _Over(Status.CANCELLED)
        if time.time() >= self._asked.expires_at:
            raise _Over(Status.EXPIRED)
        stored.require_room(0)

    def _is_ending(self) -> bool:
        return store.is_cancelled(self._asked) or time.time() >= self._asked.expires_at

    def _count(self, results: Results) -> None:
        """How it stands, written down once a second."""
        self._standing = self._standing.model_copy(
            update={
                "completed": results.completed,
                "failed": results.failed,
                "tokens": results.tokens,
            }
        )
        if time.monotonic() - self._noted_at >= NOTE_SECONDS:
            store.note(self._asked, self._standing)
            self._noted_at = time.monotonic()

    def _finish(self, lines: list[Line], results: Results, status: Status) -> None:
        """Give the files to their owner; what was not answered is told in one of them."""
        self._report.begin("files", "Writing the files.")
        self._note(status=Status.FINALIZING, finalizing_at=int(time.time()))
        if status in ENDED:
            code, message = ENDED[status]
            left = [line.custom_id for line in lines if line.custom_id not in results.answered]
            for at in range(0, len(left), BLOCK):
                results.add(
                    Result(one, code=code, message=message) for one in left[at : at + BLOCK]
                )
        self._count(results)
        files = store.keep_answers(self._asked)
        self._note(**files, status=status, ended_at=int(time.time()))
        answered = f"{results.completed:,} of {words.count(len(lines), 'request')} answered"
        self._report.end(f"The batch is {status}: {answered}.")

    def _note(self, **news: object) -> None:
        self._standing = self._standing.model_copy(update=news)
        store.note(self._asked, self._standing)
