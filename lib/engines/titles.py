"""Readable names: what people read in place of the names that engines and programs use.

An engine tells what it knows of a model's, the owner may give another one, and no two are the same:
of two models that would be called alike each is called by its quantization too, or by its engine.
"""

from collections import Counter
from collections.abc import Callable, Sequence

from lib.core.errors import BadInput, Conflict
from lib.core.kept import Kept
from lib.core.names import shown, slug
from lib.core.settings import settings
from lib.core.values import Frozen
from lib.engines.base import Model

LONGEST = 80


class Given(Frozen):
    """What the owner calls a model; "" for what it is called by itself."""

    title: str = ""


_GIVEN = Kept(lambda: settings().titles, Given)
_known: dict[str, str] = {}  # by `Model.key`, as the last look at all models found them


def given(key: str) -> str:
    """What the owner calls this model; "" where he gave it no name."""
    return (_GIVEN.read() or {}).get(key, Given()).title


def titled(models: Sequence[Model], *, is_all: bool) -> list[Model]:
    """Each with the name that people read; where these are not all models, as it was known last."""
    names = _GIVEN.read() or {}
    if is_all:
        titles = distinct(models, {key: one.title for key, one in names.items()})
        _remember(titles)
    else:
        titles = {one.key: _known.get(one.key, one.title) for one in models}
    return [_called(model, titles[model.key]) for model in models]


def _called(model: Model, title: str) -> Model:
    title = "" if title == model.name else title
    return model if title == model.title else model.model_copy(update={"title": title})


def _remember(titles: dict[str, str]) -> None:
    global _known
    _known = titles


def of(engine: str, name: str) -> str:
    """What people call this model, by the last look at all of them; a dictionary, and no file."""
    return _known.get(f"{engine}/{name}") or name


def of_name(name: str) -> str:
    """The same where the engine is not known; the name itself where two engines have one."""
    found = {title for key, title in _known.items() if key.partition("/")[2] == name}
    return (found.pop() or name) if len(found) == 1 else name


def distinct(models: Sequence[Model], given: dict[str, str]) -> dict[str, str]:
    """What each is called, by its key; pure. What was given stays, others give way to it."""
    titles = {one.key: given.get(one.key) or one.title or one.name for one in models}
    ways: tuple[Callable[[Model], str], ...] = (
        lambda one: one.quantization,
        lambda one: one.place or one.engine,
        lambda one: one.name,
    )
    for more in ways:
        taken = Counter(_alike(title) for title in titles.values())
        names = {_alike(one.name): one.key for one in models}
        for one in models:
            title = titles[one.key]
            is_another = names.get(_alike(title), one.key) != one.key
            is_free = taken[_alike(title)] == 1 and not is_another
            if not is_free and one.key not in given and more(one):
                titles[one.key] = f"{title} · {more(one)}"
    return titles


def _alike(title: str) -> str:
    """Two that differ in nothing more would be one alias."""
    return slug(title).casefold()


def meant(name: str, models: Sequence[Model]) -> str:
    """The exact name of the one model that people call this, without case; "" for none or two."""
    wanted = {name.casefold(), _alike(name)}
    found = {one.name for one in models if one.title and _goes_by(one, wanted)}
    return found.pop() if len(found) == 1 else ""


def _goes_by(model: Model, wanted: set[str]) -> bool:
    return model.title.casefold() in wanted or _alike(model.title) in wanted


def rename(model: Model, title: str, models: Sequence[Model]) -> None:
    """Call it so from now on; "" for what it is called by itself. Forbidden but for the owner.

    BadInput for what is no name, Conflict where another of these `models` is called so.
    """
    title = " ".join(title.split())
    if len(title) > LONGEST or not title.isprintable():
        raise BadInput(f"A name has at most {LONGEST} letters, all of them visible.")
    for other in models:
        if title and other.key != model.key and _is_taken(title, other):
            raise Conflict(
                f"Another model is called “{shown(title)}”.", "Choose a name that none has yet."
            )
    _GIVEN.change(model.key, lambda _: Given(title=title))


def _is_taken(title: str, other: Model) -> bool:
    return _alike(title) in (_alike(other.title or other.name), _alike(other.name))


def forget(key: str) -> None:
    """Of a model that is removed."""
    _GIVEN.forget(key)
