"""What happened while nobody looked: deployments that ended, failures, what needs a person.

It is told to one address, where one is set: `{"text": "…"}` is what the web hooks of chat services
take (Slack, Mattermost and others); what it was stands beside it. The last ones are kept for the
browsers that want to show them, whichever dashboard of a home they look at.
"""

import contextlib
import logging
import time
from collections.abc import Callable, Sequence

from pydantic import TypeAdapter

from lib.core import activity, http
from lib.core.access import Action, require
from lib.core.activity import Event, Kind
from lib.core.errors import BadInput, BerthError
from lib.core.files import write_text
from lib.core.preferences import change, preferences
from lib.core.settings import settings
from lib.core.values import Frozen
from lib.core.words import duration
from lib.fleet.watch import Watch
from lib.jobs import jobs
from lib.jobs.jobs import Job, JobState

NEWEST = 50  # jobs looked at
KEPT = 20  # notices, for browsers
FLAPS_SECONDS = 3_600.0  # what was so within this time is no news
SAID = {
    JobState.SUCCEEDED: "is done",
    JobState.FAILED: "failed",
    JobState.LOST: "was lost",
}
_log = logging.getLogger(__name__)


class Notice(Frozen):
    """One that a browser may show."""

    number: int  # larger than those of before
    at: float  # epoch seconds
    text: str


_KEPT = TypeAdapter(list[Notice])
_Need = tuple[str, str]  # what it is about, and the sentence


def recent() -> list[Notice]:
    """The last ones, the newest last; none where nobody can read them."""
    try:
        return _KEPT.validate_json((settings().home / "notices.json").read_bytes())
    except (OSError, ValueError):
        return []


def _keep(texts: Sequence[str]) -> None:
    if not texts:
        return
    kept = recent()
    first = kept[-1].number + 1 if kept else 1
    now = time.time()
    kept += [Notice(number=n, at=now, text=text) for n, text in enumerate(texts, first)]
    with contextlib.suppress(OSError):
        path = settings().home / "notices.json"
        write_text(path, _KEPT.dump_json(kept[-KEPT:], indent=1).decode())


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

    def __init__(self, needs: Callable[[], Sequence[_Need] | None] = tuple) -> None:
        """`needs` tells what needs a person now, by what it is about; None: nobody knows yet."""
        super().__init__()
        self._needs = needs
        self._needed: dict[str, float] | None = None  # when it was so last, on the monotonic clock
        self._known = {job.id for job in _ended()}
        self._told = max((event.number for event in _failures()), default=0)

    def look(self) -> list[str]:
        """What was told; what happens while no address is set is told to nobody."""
        told = [*self._of_jobs(), *self._of_failures(), *self._of_needs()]
        _keep([text for text, _ in told])
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

    def _of_needs(self) -> list[tuple[str, str]]:
        """What was so at the first look is no news, nor what comes and goes."""
        told, before, at = self._needs(), self._needed, time.monotonic()
        if told is None:
            return []
        known = {key: seen for key, seen in (before or {}).items() if at - seen < FLAPS_SECONDS}
        self._needed = {**known, **{key: at for key, _ in told}}
        return [
            (text, "needs you") for key, text in told if before is not None and key not in known
        ]


def _ended() -> list[Job]:
    return [job for job in jobs.recent(limit=NEWEST) if not job.is_active]


def _failures() -> list[Event]:
    return activity.recent(NEWEST, (Kind.FAILED,))


def _said(job: Job) -> str:
    took = duration((job.ended or time.time()) - job.created)
    return f"“{job.title}” {SAID[job.state]} after {took}."
