"""Memory as a bar: what a model would take it for, or who holds it, and what stays free.

HTML instead of a chart: it follows a slider without flickering, and no library has to be loaded.
"""

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

from lib.core import words
from lib.fit.memory import Need


class Colour(NamedTuple):
    """One for each theme; in the dark one nothing glares."""

    light: str
    dark: str


class Part(NamedTuple):
    """A piece of the bar."""

    label: str
    bytes: int
    colour: Colour


WEIGHTS = Colour("#0f766e", "#2a9d8f")
CACHE = Colour("#1d6fb8", "#4f8fc9")
WORKING = Colour("#b7791f", "#b98a3c")
SEEING = Colour("#a3467f", "#b5679a")
PROMPTS = Colour("#7c5cbf", "#8f7cc4")
FIXED = Colour("#667069", "#7d8a85")
FREE = Colour("#e4e7e3", "#26302e")
MISSING = Colour("#b42318", "#f87171")
OTHERS = Colour("#9c948c", "#6f6861")
SMALLEST_SHARE = 0.004  # so that a part that is there can be seen


def parts(need: Need, free_bytes: int) -> list[Part]:
    """What the memory is for, the largest matter first, and what stays free."""
    wanted = [
        Part("weights", need.weights, WEIGHTS),
        Part("context (KV cache)", need.kv_cache, CACHE),
        Part("working memory", need.compute, WORKING),
        Part("seeing", need.projector, SEEING),
        Part("prompt cache", need.prompt_cache + need.checkpoints, PROMPTS),
        Part("the engine itself", need.fixed, FIXED),
        Part("free", max(0, free_bytes - need.total), FREE),
    ]
    return [part for part in wanted if part.bytes]


def drawn(need: Need, free_bytes: int, is_dark: bool) -> str:
    """The bar of a need, with a mark where the free memory ends if that is within it."""
    shown, mark = parts(need, free_bytes), _mark_of(need, free_bytes)
    return _strip(shown, max(need.total, free_bytes, 1), is_dark, mark)


def legend(need: Need, free_bytes: int, is_dark: bool) -> str:
    """Each part of that bar in words."""
    return _words(parts(need, free_bytes), is_dark, _mark_of(need, free_bytes))


def _mark_of(need: Need, free_bytes: int) -> int | None:
    return free_bytes if need.total > free_bytes else None


def bar(shown: Sequence[Part], whole: int, is_dark: bool, *, mark_bytes: int | None = None) -> str:
    """Parts of a whole with each of them in words beneath; a mark where what can be had ends."""
    strip = _strip(shown, max(whole, 1), is_dark, mark_bytes)
    return strip + _words(shown, is_dark, mark_bytes)


def _strip(shown: Sequence[Part], whole: int, is_dark: bool, mark_bytes: int | None) -> str:
    pieces = "".join(_piece(part, part.bytes / whole, is_dark) for part in shown)
    mark = "" if mark_bytes is None else _mark(mark_bytes / whole, is_dark)
    said = ", ".join(f"{part.label} {words.memory(part.bytes)}" for part in shown)
    return (
        f'<div role="img" aria-label="Memory: {escape(said)}" style="position:relative;display:flex'
        f';gap:2px;height:1.6rem;border-radius:0.5rem;overflow:hidden">{pieces}{mark}</div>'
    )


def _words(shown: Sequence[Part], is_dark: bool, mark_bytes: int | None) -> str:
    said = "".join(_word(part, is_dark) for part in shown)
    if mark_bytes is not None:
        said += _word(Part("free now: up to the mark,", mark_bytes, MISSING), is_dark)
    return (
        '<div style="display:flex;flex-wrap:wrap;gap:0.15rem 1rem;margin-top:0.45rem;'
        f'font-size:0.85rem">{said}</div>'
    )


def _piece(part: Part, share: float, is_dark: bool) -> str:
    width = max(share, SMALLEST_SHARE) * 100
    return (
        f'<div title="{escape(part.label)} {words.memory(part.bytes)}" style="flex:{width:.2f} 0 0;'
        f'background:{part.colour[is_dark]}"></div>'
    )


def _mark(share: float, is_dark: bool) -> str:
    """Where the free memory ends."""
    return (
        f'<div title="free now" style="position:absolute;left:{share * 100:.2f}%;top:0;bottom:0;'
        f"right:0;border-left:3px solid {MISSING[is_dark]};background:repeating-linear-gradient("
        f'45deg,{MISSING[is_dark]}55 0 6px,transparent 6px 12px)"></div>'
    )


def _word(part: Part, is_dark: bool) -> str:
    square = (
        '<span style="display:inline-block;width:0.7rem;height:0.7rem;border-radius:2px;'
        f'margin-right:0.35rem;background:{part.colour[is_dark]}"></span>'
    )
    return f"<span>{square}{escape(part.label)} {words.memory(part.bytes)}</span>"
