"""Who asks the models over /v1: what the key of a program allows, and that it goes on to hold.

A reply that is being written ends when its key does: at once where that was done here, within
LOOK_SECONDS where another process did it or its time ran out.
"""

import asyncio
import contextlib
import json
from collections.abc import Callable, Coroutine, Iterator, Mapping
from typing import Any

from lib.api import dialects
from lib.api.pools import EVERYBODY, LOOKS
from lib.api.speeds import Heard
from lib.core import access, lifecycle
from lib.core.access import Role
from lib.core.errors import BerthError
from lib.core.names import shown
from lib.engines.base import Model
from lib.keys import spent, store
from lib.keys.errors import NotForThisKey
from lib.keys.key import Key, may_use
from lib.sharing import programs

LOOK_SECONDS = 1.0
MOST_NAMED = 8  # models, in a refusal
LETTERS_OF_A_TOKEN = 4  # of English, as most models' vocabularies have it

_running: dict[asyncio.Task[Any], tuple[str, Callable[[BerthError], None]]] = {}
_watching: list[asyncio.Task[None]] = []


def told(path: str, error: BerthError) -> Any:
    """The gate's refusal, in the dialect of this path below /v1."""
    return json.loads(dialects.failure(dialects.of(path, {}), error))


def key() -> Key | None:
    """The key of whoever acts now; None where none was sent, or is needed."""
    role, who = access.current()
    if role != Role.PROGRAM:
        return None
    found = store.known(who)
    programs.check(found)
    return found


def whose(otherwise: str) -> tuple[str, str]:
    """Name and id of the key that whoever acts now has sent, whatever it allows; see `named`."""
    role, who = access.current()
    found = store.known(who) if role == Role.PROGRAM else None
    return (found.name, found.id) if found else (otherwise, "")


def offers(model: Model) -> bool:
    """May whoever acts now use this model?"""
    return may_use(key(), model.name)


def named(model: str, otherwise: str, of_batch: str = "") -> tuple[str, str]:
    """Name and id of the key that a request to this model came with; `otherwise` and "" for none.

    `of_batch` is the id of the key whose batch asks on this machine. NotForThisKey, or an AskLater,
    where the key does not allow it; another error of lib.keys where it holds no more.
    """
    found = key()
    if found is None and of_batch:
        found = store.known(of_batch)
        programs.check(found)
    if found is None:
        return otherwise, ""
    _check(found, model)
    spent.admit(found)
    return found.name, found.id


def check(model: str) -> None:
    """NotForThisKey unless whoever acts now may use this model."""
    if found := key():
        _check(found, model)


def _check(found: Key, model: str) -> None:
    if not may_use(found, model):
        raise NotForThisKey(
            f"The API key “{found.name}” may not use “{shown(model)}”.", _its_models(found)
        )


def note(key_id: str, heard: Heard, asked: Mapping[str, Any]) -> None:
    """So much of the tokens of its day was used by the answer to what was asked.

    An answer that was broken off does not tell how long its prompt was, nor does one of an engine
    that tells only whoever asks for it: then it is guessed, lest a prompt costs nothing.
    """
    if key_id:
        usage = heard.usage()
        prompt = usage.prompt_tokens or round(_letters(asked) / LETTERS_OF_A_TOKEN)
        spent.note(key_id, prompt + usage.completion_tokens)


def _letters(value: Any) -> int:
    """How much text there is in a request; of a picture none, whatever its address is."""
    if isinstance(value, str):
        return 0 if value.startswith("data:") else len(value)
    if isinstance(value, Mapping):
        return sum(map(_letters, value.values()))
    return sum(map(_letters, value)) if isinstance(value, list | tuple) else 0


async def while_it_holds(key_id: str, work: Coroutine[Any, Any, None]) -> None:
    """Do the work; an error of lib.keys as soon as the key ends."""
    me = asyncio.current_task()
    if not key_id or me is None:
        await work
        return
    ended: list[BerthError] = []

    def end(why: BerthError) -> None:
        if not ended:
            ended.append(why)
            me.cancel()

    with _watched(me, key_id, end):
        try:
            await work
        except asyncio.CancelledError:
            if not ended:
                raise
            me.uncancel()
            raise ended[0] from None


@contextlib.contextmanager
def _watched(
    task: asyncio.Task[Any], key_id: str, end: Callable[[BerthError], None]
) -> Iterator[None]:
    _running[task] = key_id, end
    if not _watching:
        _watching.append(asyncio.ensure_future(_watch()))
    try:
        yield
    finally:
        _running.pop(task, None)


async def _watch() -> None:
    """As long as something runs with a key: see what other processes, and the clock, have ended."""
    try:
        while _running:
            await asyncio.sleep(LOOK_SECONDS)
            if not store.is_fresh():
                with contextlib.suppress(BerthError):
                    await LOOKS.run(EVERYBODY, store.look)
            _end_what_does_not_hold()
    finally:
        _watching.clear()


def _end_what_does_not_hold() -> None:
    for key_id, end in [*_running.values()]:
        try:
            programs.check(store.known(key_id))
        except BerthError as why:
            end(why)


def _after_a_change() -> None:
    """Called in whatever thread has changed a key."""
    with contextlib.suppress(RuntimeError):  # no server runs in this process, or none any more
        lifecycle.loop().call_soon_threadsafe(_end_what_does_not_hold)


store.when_changed(_after_a_change)
programs.speak_as(told)


def _its_models(found: Key) -> str:
    names = [shown(name) for name in (found.models or ())[:MOST_NAMED]]
    more = len(found.models or ()) - len(names)
    listed = ", ".join(names) + (f" and {more} more" if more else "")
    return f"It may use {listed}. The owner of this Berth can add others."
