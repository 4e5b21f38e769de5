"""Which engine runs a model: Ollama where it is there, else the one that comes with Berth."""

from lib.core.errors import EngineError
from lib.deploy.request import EngineWish
from lib.deploy.shapes import EngineChoice
from lib.engines import all_engines
from lib.engines.ollama import installed


def choose(wish: EngineWish, objection: str = "") -> EngineChoice:
    """The engine for this wish; `objection` says why Ollama would do worse with this model.

    EngineError where Ollama is wished for and the one that runs must not be used.
    """
    if wish == "llamacpp":
        return _built_in("It was asked for.")
    health = all_engines()["ollama"].health()
    is_installed = health.up or installed.is_installed()
    is_refused = not health.up and bool(health.version)
    if wish == "ollama" and is_refused:
        raise EngineError(health.problem, health.fix)
    if wish == "ollama":
        return _ollama("It was asked for.", is_installed, health.up)
    if not is_installed:
        return _built_in("Ollama is not installed.")
    if is_refused or objection:
        return _built_in(objection or health.problem)
    running = "runs" if health.up else "is installed"
    return _ollama(f"Ollama {health.version} {running}.".replace("  ", " "), True, health.up)


def _built_in(reason: str) -> EngineChoice:
    return EngineChoice(name="llamacpp", title=all_engines()["llamacpp"].title, reason=reason)


def _ollama(reason: str, is_installed: bool, is_running: bool) -> EngineChoice:
    return EngineChoice(
        name="ollama",
        title=all_engines()["ollama"].title,
        reason=reason,
        is_installed=is_installed,
        is_running=is_running,
    )
