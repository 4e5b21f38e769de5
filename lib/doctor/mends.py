"""What a finding's button does. Who may is checked here and below, whichever way it was asked."""

from collections.abc import Callable

from lib.core import preferences, words
from lib.core.access import Action, require
from lib.core.errors import BadInput, Conflict, NotFound
from lib.core.names import shown
from lib.core.settings import settings
from lib.doctor import left_behind
from lib.doctor.finding import Finding
from lib.engines import find_model
from lib.engines.base import Model, StartOptions
from lib.engines.llamacpp import engine, files, records
from lib.fleet import actions
from lib.hub import token
from lib.login import at_login

PRIVATE = 0o700


def mend(finding: Finding, *, waits: bool = False) -> str:
    """Do what the finding's button says; what happened, in a sentence.

    BadInput for a finding without one. With `waits` a model that is started answers at the end,
    else that goes on in this process.
    """
    require(Action.CONFIGURE)
    act = ACTIONS.get(finding.fix.action)
    if act is None:
        raise BadInput(f"“{shown(finding.id)}” has no button.", "Do what the finding says.")
    return act(finding.fix.subject, waits)


def _start_with_usual_threads(model: str, waits: bool) -> str:
    options = _options(model).model_copy(update={"threads": None})
    return _start(_own(model), options, waits)


def _load_again(model: str, waits: bool) -> str:
    options, found = _options(model), _own(model)
    actions.stop(found)
    return _start(found, options, waits)


def _start(model: Model, options: StartOptions, waits: bool) -> str:
    if waits:
        actions.start(model, options, is_whole=True)
        return f"{model.name} runs again."
    actions.start_soon(model, options, is_whole=True)
    return f"{model.name} starts again."


def _stop_model(model: str, _waits: bool) -> str:
    actions.stop(_own(model))
    return f"{model} has stopped."


def _remove_damaged(model: str, _waits: bool) -> str:
    """Looked at again: a download may have made it whole."""
    require(Action.REMOVE)
    file = files.find(model)
    if not file.problem:
        raise Conflict(f"The file of {model} is whole by now.", "Nothing was removed.")
    actions.remove(_own(model))
    return f"{model} was removed: {words.disk(file.size_bytes)} are free again."


def _remove_partials(_subject: str, _waits: bool) -> str:
    require(Action.REMOVE)
    size = sum(left_behind.remove_partial(one.path) for one in left_behind.partials())
    return f"{words.disk(size)} are free again."


def _remove_link(link: str, _waits: bool) -> str:
    require(Action.REMOVE)
    if not left_behind.remove_dangling(link):
        raise Conflict("This link leads somewhere by now, or is gone.", "Nothing was removed.")
    return "The link was removed."


def _close_home(_subject: str, _waits: bool) -> str:
    home = settings().home
    try:
        home.chmod(PRIVATE)
    except OSError as error:
        raise Conflict(
            f"The rights of {home} cannot be changed: {error.strerror}.",
            "Its owner can: chmod 700.",
        ) from error
    return "Only this account may look into it now."


def _renew_preferences(_subject: str, _waits: bool) -> str:
    preferences.change()
    return "The old file is kept as settings.broken.toml."


def _forget_token(_subject: str, _waits: bool) -> str:
    token.forget_token()
    return "The token is forgotten. Public models need none."


def _write_autostart(_subject: str, _waits: bool) -> str:
    return at_login.turn_on()


def _own(name: str) -> Model:
    return find_model(name, engine.NAME)


def _options(model: str) -> StartOptions:
    record = records.read(model)
    if record is None:
        raise NotFound(f"{shown(model)} does not run any more.", "Start it on Models.")
    return record.options


ACTIONS: dict[str, Callable[[str, bool], str]] = {
    "start_with_usual_threads": _start_with_usual_threads,
    "load_again": _load_again,
    "stop_model": _stop_model,
    "remove_damaged": _remove_damaged,
    "remove_partials": _remove_partials,
    "remove_link": _remove_link,
    "close_home": _close_home,
    "renew_preferences": _renew_preferences,
    "forget_token": _forget_token,
    "write_autostart": _write_autostart,
}
