"""A model of the built-in engine that ended by itself comes back: after a pause, and not for ever.

Not one that somebody outside Berth has told to end, nor one that the system ended because memory
was short: with the same options it would end so again.
"""

import logging
import signal
import time

from lib.core import activity, words
from lib.core.activity import Kind
from lib.core.errors import BerthError
from lib.core.preferences import preferences
from lib.engines import find_model, llamacpp
from lib.engines.base import State
from lib.engines.llamacpp import records
from lib.engines.llamacpp.records import Record
from lib.fleet import actions, tries
from lib.fleet.tries import PAUSES, WELL_SECONDS, Tries
from lib.fleet.watch import Watch
from lib.machine.oom import ran_out_since

# An own llama-server ends with 0 where it is told to; the wheel's engine never does by itself.
_TOLD = (0, -signal.SIGTERM, -signal.SIGINT, -signal.SIGHUP)
_log = logging.getLogger(__name__)


class Comeback(Watch):
    """Starts them again, one after the other."""

    name, seconds = "comeback", 2.0

    def look(self) -> list[str]:
        """Start what is due; the names of those."""
        if not preferences().restarts_crashed:
            return []
        found = [record for record in records.read_all() if not record.is_stopping]
        for record in found:
            _forget_where_well(record)
        ended = [record for record in found if record.pid and not record.is_alive]
        return [record.model for record in ended if _is_due(record) and _started(record)]


def _forget_where_well(record: Record) -> None:
    known = tries.of(record.model)
    if known and record.is_alive and time.time() - record.started_at >= WELL_SECONDS:
        tries.forget(record.model)


def _is_due(record: Record) -> bool:
    """Is it time to start it again? Its end is counted here, once."""
    known = tries.of(record.model)
    if known is None and record.context is None:  # it never came to run: whoever began it was told
        return False
    known = known or Tries()
    if known.seen != record.started_at:
        known = _counted(record, known)
    return not known.gave_up and known.wait_seconds == 0.0


def _counted(record: Record, known: Tries) -> Tries:
    tries.keep_log(record)
    known = known.model_copy(
        update={
            "seen": record.started_at,
            "last": time.time(),
            "gave_up": _reason_against(record, known),
        }
    )
    tries.keep(record.model, known)
    if known.gave_up:
        activity.note(Kind.FAILED, record.model, known.gave_up, who="Berth")
    return known


def _reason_against(record: Record, known: Tries) -> str:
    """Why it is left alone; "" where it is to come back."""
    code = records.exit_code(record)
    if code == -signal.SIGKILL and ran_out_since(record.memory_kills):
        return "Memory ran out, so it is not started again by itself."
    if code in _TOLD:
        return "It was told to end by something outside Berth, so it is not started again."
    if known.count >= len(PAUSES):
        times = words.count(known.count, "time")
        return f"It was started again {times} and ended each time, so it is left alone now."
    return ""


def _started(record: Record) -> bool:
    """Wait for the load: the next look is after it."""
    known = tries.of(record.model) or Tries()
    model = find_model(record.model, llamacpp.NAME)
    if model.state != State.FAILED:
        return False
    now = known.model_copy(update={"count": known.count + 1, "last": time.time()})
    tries.keep(record.model, now)
    try:
        actions.start(model, record.options, is_whole=True)
    except BerthError as error:
        _log.warning("%s could not be started again: %s", record.model, error.message)
        _give_up_after_the_last(record.model, now, error)
        return False
    return True


def _give_up_after_the_last(model: str, known: Tries, error: BerthError) -> None:
    """Where it was refused there is no new end to count."""
    if known.count >= len(PAUSES) and not known.gave_up:
        said = f"It was tried {words.count(known.count, 'time')} to start it again. {error.message}"
        tries.keep(model, known.model_copy(update={"gave_up": said}))
