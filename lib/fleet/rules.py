"""What was decided about a model: when it comes into memory, and when it leaves it."""

from typing import Any

from pydantic import ConfigDict, Field

from lib.core.kept import Kept
from lib.core.preferences import preferences
from lib.core.settings import settings
from lib.core.values import Frozen
from lib.engines.base import Model
from lib.fleet.hours import Hours

LONGEST_IDLE_MINUTES = 7 * 24 * 60


class Rule(Frozen):
    """Of one model. What nobody decided is as the settings say for all."""

    model_config = ConfigDict(frozen=True, extra="ignore")  # what a newer version has decided

    is_pinned: bool = False  # never stopped to make room, nor because nobody uses it
    idle_minutes: int | None = Field(default=None, ge=0, le=LONGEST_IDLE_MINUTES)  # 0: never
    starts_at_boot: bool = False  # with the first dashboard after the machine has started
    hours: Hours | None = None  # started at their begin, stopped at their end

    @property
    def stops_after_minutes(self) -> int:
        """Without anybody using it; 0 for never."""
        if self.is_pinned:
            return 0
        return preferences().idle_minutes if self.idle_minutes is None else self.idle_minutes


_RULES = Kept(lambda: settings().rules, Rule)


def of(model: Model) -> Rule:
    """The rule of this model. Where nobody can read what was decided, it stays in memory."""
    known = _RULES.read()
    return Rule(is_pinned=True) if known is None else known.get(model.key, Rule())


def problem() -> str:
    """What is wrong with the file, in a sentence; "" where nothing is."""
    if _RULES.read() is not None:
        return ""
    return f"{settings().rules} cannot be read: until then no model is stopped by itself."


def forget(model: Model) -> None:
    """Of one that is removed."""
    _RULES.forget(model.key)


def change(model: Model, rule: Rule) -> None:
    """Decide anew. Forbidden but for the owner; Conflict where the disk refuses."""
    _RULES.change(model.key, lambda _: rule)


def update(model: Model, **decided: Any) -> None:
    """Decide these fields of its rule anew, and leave the others as they are by then."""
    _RULES.change(model.key, lambda rule: Rule.model_validate({**dict(rule), **decided}))
