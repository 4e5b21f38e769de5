"""What was decided about a model: kept in memory whatever comes, or stopped when nobody uses it."""

from pydantic import Field, TypeAdapter

from lib.core.access import Action, require
from lib.core.files import make_private, write_text
from lib.core.locks import locked
from lib.core.preferences import preferences
from lib.core.settings import settings
from lib.core.values import Frozen
from lib.engines.base import Model

LONGEST_IDLE_MINUTES = 7 * 24 * 60


class Rule(Frozen):
    """Of one model. What nobody decided is as the settings say for all."""

    is_pinned: bool = False  # never stopped to make room, nor because nobody uses it
    idle_minutes: int | None = Field(default=None, ge=0, le=LONGEST_IDLE_MINUTES)  # 0: never

    @property
    def stops_after_minutes(self) -> int:
        """Without anybody using it; 0 for never."""
        if self.is_pinned:
            return 0
        return preferences().idle_minutes if self.idle_minutes is None else self.idle_minutes


_RULES = TypeAdapter(dict[str, Rule])


def of(model: Model) -> Rule:
    """The rule of this model."""
    return (_read() or {}).get(_key(model), Rule())


def change(model: Model, rule: Rule) -> None:
    """Decide anew. Forbidden but for the owner.

    A file that was broken is kept as rules.broken.json.
    """
    require(Action.CONFIGURE)
    with locked(make_private(settings().home) / "rules.lock"):
        known = _read()
        if known is None:
            settings().rules.replace(settings().rules.with_suffix(".broken.json"))
        rules = {**(known or {}), _key(model): rule}
        kept = {key: each for key, each in rules.items() if each != Rule()}
        write_text(settings().rules, _RULES.dump_json(kept, indent=1).decode())


def _read() -> dict[str, Rule] | None:
    """None for a file that cannot be read: it decides nothing, and no model is stopped for it."""
    try:
        return _RULES.validate_json(settings().rules.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError):
        return None


def _key(model: Model) -> str:
    return f"{model.engine}/{model.name}"
