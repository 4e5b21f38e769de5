"""How fast memory can be read here, and what that means for a model: a sentence."""

import time
from functools import lru_cache
from pathlib import Path

from lib.core import words
from lib.core.access import Action, may
from lib.core.settings import settings
from lib.engines.base import Model, State
from lib.engines.llamacpp import files
from lib.machine import bandwidth
from lib.machine.bandwidth import Known
from lib.machine.lately import Lately
from lib.machine.sampler import SAMPLER
from lib.ui import listing

AGAIN_SECONDS = 60.0
NEARLY = 0.9  # of a model: what is read for a token, where it is no mixture of experts
EXAMPLE_BYTES = 4_900_000_000  # an 8B model at Q4_K_M, where none is here

_TRIED = Lately(bandwidth.known, AGAIN_SECONDS)


def sentence() -> str:
    """What is known and what that means; before anything is, that it is being measured.

    It is measured in the background, where a server runs: that takes half a second.
    """
    if SAMPLER.is_looking:
        _TRIED.seen()
    known = bandwidth.told()
    if not known.best:
        return "How fast memory can be read is being measured." if SAMPLER.is_looking else ""
    if not may(Action.CONFIGURE):  # guests need not know which models there are
        return said(known, None, 0)
    return said(known, *_found(settings().home, int(time.time() // AGAIN_SECONDS)))


@lru_cache(maxsize=1)
def _found(_home: Path, _minute: int) -> tuple[Model | None, int]:
    """The example, and what a token of it needs: looked for once a minute."""
    found = example(listing.models())
    return found, _token_bytes(found)


def said(known: Known, model: Model | None, token_bytes: int) -> str:
    """`Memory moves 18.2 GB/s here: tiny (4.9 GB) writes at most 3.7 tok/s on the processor.`

    What was measured while others were busy is less than the machine can do, and said to be so.
    """
    size = model.size_bytes or EXAMPLE_BYTES if model else EXAMPLE_BYTES
    read = token_bytes or size
    about = f"{model.name} ({words.disk(size)})" if model else f"a {words.disk(size)} model"
    if read < NEARLY * size:
        about += f", of which a token needs {words.disk(read)},"
    is_rough = known.is_rough and known.measured >= known.written
    least = "at least " if is_rough else ""
    speed = words.at_most(known.best / read).replace("at most", "about" if is_rough else "at most")
    moves = f"Memory moves {least}{words.disk(known.best)}/s here"
    return f"{moves}: {about} writes {speed} on the processor."


def example(models: list[Model]) -> Model | None:
    """The largest that runs here, else the largest that could."""
    here = [m for m in models if m.size_bytes and m.writes and not m.is_elsewhere]
    awake = [m for m in here if m.state == State.READY]
    return max(awake or here, key=lambda m: m.size_bytes or 0, default=None)


def _token_bytes(model: Model | None) -> int:
    """What is read of it for each token, less than all of a mixture of experts; 0: not known."""
    if model is None or model.engine != "llamacpp":
        return 0
    return next((file.token_bytes for file in files.all_files() if file.name == model.name), 0)
