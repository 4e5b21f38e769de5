"""How each model is loaded: its named sets of options, and which of them holds.

What nobody set is computed, see lib/engines/llamacpp/launch.py. The set that holds is that of every
load, whoever asks; what is asked for besides goes before it, once.
"""

from collections.abc import Mapping

from pydantic import ConfigDict, Field

from lib.core.errors import BadInput, NotFound
from lib.core.kept import Kept
from lib.core.names import shown
from lib.core.settings import settings
from lib.core.values import Frozen
from lib.engines.base import StartOptions

COMPUTED = ""  # the name of what nobody set
AS_DEPLOYED = "As deployed"
MOST, LONGEST_NAME = 12, 40


class Variants(Frozen):
    """Of one model."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    chosen: str = COMPUTED
    named: dict[str, StartOptions] = Field(default={}, max_length=MOST + 1)

    @property
    def options(self) -> StartOptions:
        """Of the one that holds."""
        return self.named.get(self.chosen, StartOptions())


_VARIANTS = Kept(lambda: settings().variants, Variants)


def of(key: str) -> Variants:
    """Of the model with this `Model.key`; none where nobody can read them."""
    return every().get(key, Variants())


def every() -> Mapping[str, Variants]:
    """Of each model for which anything was set, by its `Model.key`."""
    return _VARIANTS.read() or {}


def problem() -> str:
    """What is wrong with the file, in a sentence; "" where nothing is."""
    if _VARIANTS.read() is not None:
        return ""
    return f"{settings().variants} cannot be read: until then models are loaded as computed."


def resolved(key: str, wish: StartOptions) -> StartOptions:
    """What a load with this wish uses: what it sets, then what holds for the model."""
    asked = {name: getattr(wish, name) for name in wish.model_fields_set}
    said = {name: value for name, value in asked.items() if value is not None}
    return of(key).options.model_copy(update=said)


def save(key: str, name: str, options: StartOptions) -> None:
    """Keep these options by this name, and load the model with them from now on.

    BadInput for a name that is none, and where there are MOST already; Forbidden; Conflict.
    """
    name = " ".join(name.split())
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise BadInput(
            f"A name has 1 to {LONGEST_NAME} letters.", "Choose another one, like “Long texts”."
        )
    _VARIANTS.change(key, lambda now: _with(now, name, options))


def _with(now: Variants, name: str, options: StartOptions) -> Variants:
    """What a deployment chose has a place of its own."""
    named = {**now.named, name: options}
    if len(named.keys() - {AS_DEPLOYED}) > MOST:
        raise BadInput(f"A model has at most {MOST} of them.", "Delete one first.")
    return Variants(chosen=name, named=named)


def choose(key: str, name: str) -> None:
    """Load it with these from now on; COMPUTED for what nobody set. NotFound for a name unknown."""

    def chosen(now: Variants) -> Variants:
        if name != COMPUTED and name not in now.named:
            raise NotFound(
                f"There are no settings “{shown(name)}”.", "Choose one of those there are."
            )
        return now.model_copy(update={"chosen": name})

    _VARIANTS.change(key, chosen)


def delete(key: str, name: str) -> None:
    """Forget them; where they hold, what is computed holds from then on."""

    def without(now: Variants) -> Variants:
        named = {other: options for other, options in now.named.items() if other != name}
        return Variants(chosen=COMPUTED if now.chosen == name else now.chosen, named=named)

    _VARIANTS.change(key, without)


def forget(key: str) -> None:
    """All of a model that is removed."""
    _VARIANTS.forget(key)
