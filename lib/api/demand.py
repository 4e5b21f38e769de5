"""A stopped model that a request names is started while its client waits.

All that name it meanwhile wait for the one load. It goes on to its end also where all of them have
left: a client that gives up after a minute asks again, and would otherwise never find it loaded.
Where it fails, everybody is told why; where an engine failed, those that come soon after as well.
"""

import asyncio
import contextlib
import contextvars
import logging
import threading
import time

from lib.api import queues, upstreams
from lib.api.errors import Bug
from lib.api.pools import EVERYBODY, LOOKS
from lib.api.waiting import Stage, Waiting
from lib.core.access import Role, role
from lib.core.errors import BerthError, Conflict, DoesNotFit, EngineError, NoSpace
from lib.engines import progress
from lib.engines.base import Model, Upstream
from lib.fleet import actions, ledger, on_demand

REMEMBERED_SECONDS = 10.0  # so long what an engine failed to load is not tried again
LOOK_SECONDS = 1.0  # no oftener it is looked how far a load has come
UNAVAILABLE, NO_ROOM = 503, 507
# The official clients would try again at once, and begin the load anew each time.
_FINAL = (b"x-should-retry", b"false")
_log = logging.getLogger(__name__)


class NotLoaded(BerthError, code="not_loaded", status=UNAVAILABLE):
    """Why the model could not be started, in the words and with the code of what went wrong."""

    def __init__(self, error: BerthError) -> None:
        # The load was judged for the owner: what else runs here is nobody else's business.
        is_others = isinstance(error, ledger.NoRoom) and role() != Role.OWNER
        super().__init__(error.message, ledger.ASK if is_others else error.fix)
        # Of the instance: what one of these tells is another error's.
        self.code = error.code  # type: ignore[misc]
        self.status = _status(error)  # type: ignore[misc]
        self.headers = [_FINAL]


def _status(error: BerthError) -> int:
    """What says to a program that it is the machine, and not the request."""
    if isinstance(error, DoesNotFit | NoSpace):
        return NO_ROOM
    return UNAVAILABLE if isinstance(error, Conflict) or error.status == 500 else error.status


class _Load:
    """One that is under way."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.done.add_done_callback(lambda done: done.exception())  # nobody may be left to be told
        self.waiting = 0
        self._said, self._looked_at = "loading", 0.0

    async def words(self) -> str:
        """`loading 40 %`, looked up once for all that wait."""
        if time.monotonic() - self._looked_at >= LOOK_SECONDS:
            self._looked_at = time.monotonic()
            with contextlib.suppress(BerthError):
                share = await LOOKS.run(EVERYBODY, progress.loaded_percent, self.model)
                self._said = "loading" if share is None else f"loading {share} %"
        return self._said


_loads: dict[str, _Load] = {}
_failed: dict[str, tuple[float, BerthError]] = {}


async def reached(name: str, key: str, wait: Waiting) -> Upstream:
    """Where the model runs, when it does; NotLoaded and others where it will not."""
    try:
        return await upstreams.find(name)
    except upstreams.Asleep as asleep:
        model = asleep.model
    try:
        await LOOKS.run(EVERYBODY, on_demand.require_allowed, model, key)
    except (on_demand.NotForPrograms, on_demand.OutsideHours) as error:
        raise NotLoaded(error) from error  # one that failed may be about to come back by itself
    await _loaded(model, key, wait)
    upstreams.forget(name)
    return await upstreams.find(name)


async def reading(to: Upstream) -> str:
    """`reading the prompt 512 of 4096`, where the engine tells."""
    with contextlib.suppress(BerthError):
        if read := await LOOKS.run(EVERYBODY, progress.prompt_read, to):
            return f"reading the prompt {read.done} of {read.total}"
    return "reading the prompt"


def loading() -> list[str]:
    """The keys of the models that are being started because of a request."""
    return list(_loads)


async def _loaded(model: Model, key: str, wait: Waiting) -> None:
    load = _loads.get(model.key) or _begun(model, key)
    most = queues.limits().waiting + 1
    if load.waiting >= most:
        raise queues.QueueIsFull(model.name, load.waiting, round(queues.GUESS_SECONDS))
    load.waiting += 1
    wait.now(Stage.LOADING, load.words)
    try:
        await asyncio.shield(load.done)
    except BerthError as error:
        raise NotLoaded(error) from error
    finally:
        load.waiting -= 1


def _begun(model: Model, key: str) -> _Load:
    """A load in a thread of its own, which ends with the server."""
    at, error = _failed.pop(model.key, (0.0, None))
    if error and time.monotonic() - at < REMEMBERED_SECONDS:
        _failed[model.key] = at, error
        raise NotLoaded(error)
    load = _loads[model.key] = _Load(model)
    here, loop = contextvars.copy_context(), asyncio.get_running_loop()

    def work() -> None:
        error = here.run(_failure, model, key)
        with contextlib.suppress(RuntimeError):  # the loop has closed
            loop.call_soon_threadsafe(_end, load, error)

    threading.Thread(target=work, name=f"demand-{model.key}", daemon=True).start()
    return load


def _failure(model: Model, key: str) -> BerthError | None:
    try:
        actions.load_on_demand(model, key)
    except BerthError as error:
        _log.warning("%s was not started for a program: %s", model.name, error.message)
        return error
    except Exception:
        _log.exception("%s was not started for a program", model.name)
        return Bug(f"“{model.name}” could not be started.", "The log of Berth says more.")
    return None


def _end(load: _Load, error: BerthError | None) -> None:
    del _loads[load.model.key]
    if error is None:
        load.done.set_result(None)
        return
    if isinstance(error, EngineError):  # what memory allows is judged anew each time
        _failed[load.model.key] = time.monotonic(), error
    load.done.set_exception(error)
