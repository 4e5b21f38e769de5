"""A deployment in words: every file and command, from the script itself, which changes nothing."""

import os

from lib.core.access import Action, require
from lib.core.errors import EngineError
from lib.core.redact import redact
from lib.core.settings import settings
from lib.jobs import events
from lib.processes.command import NOT_FOUND, TIMED_OUT, run
from lib.slots.request import SlotRequest

SECONDS = 120.0


def rehearse(request: SlotRequest) -> str:
    """What the script prints with --dry-run, its refusals included."""
    require(Action.DEPLOY)
    world = {**os.environ, "BERTH_HOME": str(settings().home)}
    world.pop(events.VARIABLE, None)
    done = run([*request.command(), "--dry-run"], environment=world, seconds=SECONDS)
    if done.code == NOT_FOUND:
        raise EngineError("Deployments need bash, which this machine lacks.", "Install bash.")
    if done.code == TIMED_OUT:
        raise EngineError("The rehearsal takes too long.", "Try again in a moment.")
    return redact("\n".join(filter(None, [done.stdout.rstrip(), done.stderr.rstrip()])))
