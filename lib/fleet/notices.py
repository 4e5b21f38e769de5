"""What happened while nobody looked, told to one address: deployments that ended, and failures.

`{"text": "…"}` is what the web hooks of chat services take (Slack, Mattermost and others); what it
was stands beside it.
"""

import logging
import time

from lib.core import activity, http
from lib.core.access import Action, require
from lib.core.activity import Event, Kind
from lib.core.errors import BadInput, BerthError
from lib.core.preferences import change, preferences
from lib.core.words import duration
from lib.fleet.watch import Watch
from lib.jobs import jobs
from lib.jobs.jobs import Job, JobState

NEWEST = 50  # jobs looked at
SAID = {
    JobState.SUCCEEDED: "is done",
    JobState.FAILED: "failed",
    JobState.LOST: "was lost",
}
_log = logging.getLogger(__name__)


def set_address(address: str) -> None:
    """Tell this address from now on, "" nobody; BadInput for what is no web address."""
    require(Action.CONFIGURE)
    wanted = address.strip()
    if wanted and not http.is_web_address(wanted):
        raise BadInput("This is no web address.", "It begins with https:// or http://.")
    change(webhook=wanted)


def tell(text: str, kind: str, **more: str) -> None:
    """Send it to the address that was set; NetworkError where it is not taken."""
    if address := preferences().webhook:
        http.tell_outside(address, {"text": f"Berth: {text}", "kind": kind, **more})


def try_out() -> None:
    """Send one that says it is a test; BadInput where no address is set."""
    require(Action.CONFIGURE)
    if not preferences().webhook:
        raise BadInput("No address is set.", "Save one first.")
    tell("This is a test. Notices reach you here.", "test")


class Notices(Watch):
    """Tells what ends or fails while it runs; of earlier ends it says none."""

    name, seconds = "notices", 5.0

    def __init__(self) -> None:
        super().__init__()
        self._known = {job.id for job in _ended()}
        self._told = max((event.number for event in _failures()), default=0)

    def look(self) -> list[str]:
        """What was told; what happens while no address is set is told to nobody."""
        told = [*self._of_jobs(), *self._of_failures()]
        if not preferences().webhook:
            return []
        for text, kind in told:
            try:
                tell(text, kind)
            except BerthError as error:
                _log.warning("a notice was not sent: %s", error.message)
        return [text for text, _ in told]

    def _of_jobs(self) -> list[tuple[str, str]]:
        found = _ended()
        new = [job for job in found if job.id not in self._known and job.state in SAID]
        self._known |= {job.id for job in found}
        return [(_said(job), "job") for job in reversed(new)]

    def _of_failures(self) -> list[tuple[str, str]]:
        found = [event for event in reversed(_failures()) if event.number > self._told]
        self._told = max([self._told, *(event.number for event in found)])
        return [(f"{event.subject} failed. {event.detail}".strip(), "failure") for event in found]


def _ended() -> list[Job]:
    return [job for job in jobs.recent(limit=NEWEST) if not job.is_active]


def _failures() -> list[Event]:
    return activity.recent(NEWEST, (Kind.FAILED,))


def _said(job: Job) -> str:
    took = duration((job.ended or time.time()) - job.created)
    return f"“{job.title}” {SAID[job.state]} after {took}."
