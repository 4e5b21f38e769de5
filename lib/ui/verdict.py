"""Whether a model fits, as one word in its colour."""

from lib.fit.memory import Verdict


def mark(said: Verdict) -> str:
    """The verdict's word in its colour."""
    if said.fits and not said.is_tight:
        return f":green[:material/check_circle: **{said.word}.**]"
    if said.fits:
        return f":orange[:material/warning: **{said.word}, tightly.**]"
    if said.largest_context:
        return f":orange[:material/warning: **{said.word}.**]"
    return f":red[:material/block: **{said.word}.**]"
