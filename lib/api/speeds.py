"""What answers that pass through the gateway tell of this machine's memory, at their ends.

Their last bytes are looked at once, when all has been sent; nothing is done for a single token.
"""

import asyncio

from lib.engines.base import Upstream
from lib.engines.llamacpp.speed import reached_by, told_at_the_end
from lib.machine import bandwidth

TAIL_BYTES = 4_096  # of an answer: the engine's clock stands in its last event

_best = 0.0  # that was noted already; more is written down seldom
_noting: set[asyncio.Task[None]] = set()


def note(end: bytes, to: Upstream) -> None:
    """Keep how fast the model was where nothing faster is known; not in the server's own thread."""
    global _best
    if not to.token_bytes:
        return
    reached = reached_by(told_at_the_end(end), to.token_bytes)
    if reached > _best:
        _best = reached
        task = asyncio.ensure_future(asyncio.to_thread(bandwidth.has_reached, reached))
        _noting.add(task)
        task.add_done_callback(_noting.discard)
