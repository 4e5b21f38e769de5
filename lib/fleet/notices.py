"""What happened while nobody looked, told to one address: deployments that ended, and failures.

`{"text": "…"}` is what the web hooks of chat services take (Slack, Mattermost and others); what it
was stands beside it.
"""

import logging
import threading
import time
from urllib.parse import urlsplit

from lib.core import activity, http
from lib.core.access import Action, require
from lib.core.activity import Kind
from lib.core.errors import BadInput, BerthError
from lib.core.preferences import change, preferences
from lib.core.words import duration
from lib.jobs import jobs
from lib.jobs.jobs import Job, JobState

LOOK_SECONDS = 5.0
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
    try:
        parts = urlsplit(wanted)
        is_web = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        is_web = False
    if wanted and not is_web:
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


class Watch:
    """Tells what ends or fails, for as long as the dashboard runs; of earlier ends it says none."""

    def __init__(self) -> None:
        self._over = threading.Event()
        self._active: set[str] = set()
        self._since = time.time()

    def start(self) -> None:
        """Begin, in a thread of its own."""
        threading.Thread(target=self._looking, name="notices", daemon=True).start()

    def stop(self) -> None:
        """End it."""
        self._over.set()

    def look(self) -> list[str]:
        """What was told."""
        told = [*self._of_jobs(), *self._of_failures()]
        for text, kind in told:
            try:
                tell(text, kind)
            except BerthError as error:
                _log.warning("a notice was not sent: %s", error.message)
        return [text for text, _ in told]

    def _of_jobs(self) -> list[tuple[str, str]]:
        found = jobs.recent(limit=NEWEST)
        ended = [job for job in found if job.id in self._active and not job.is_active]
        self._active = {job.id for job in found if job.is_active}
        return [(_said(job), "job") for job in ended if job.state in SAID]

    def _of_failures(self) -> list[tuple[str, str]]:
        found = [e for e in activity.recent(NEWEST, (Kind.FAILED,)) if e.at > self._since]
        self._since = max([self._since, *(event.at for event in found)])
        return [(f"{event.subject} failed. {event.detail}".strip(), "failure") for event in found]

    def _looking(self) -> None:
        while not self._over.wait(LOOK_SECONDS):
            if preferences().webhook:
                self.look()


def _said(job: Job) -> str:
    took = duration((job.ended or time.time()) - job.created)
    return f"“{job.title}” {SAID[job.state]} after {took}."
