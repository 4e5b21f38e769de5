"""Whether an engine that calls itself healthy makes tokens; pure, the time comes from outside.

`/health` stays 200 while the engine behind it stands still. Counters that move are proof enough;
one token is asked for only where they do not, and never often.
"""

from lib.core.values import Frozen
from lib.engines.vllm.metrics import Figures

PROVEN_SECONDS = 60.0  # so long a token counts as proof
AGAIN_SECONDS = 15.0  # until the next try after one that failed


class Pulse(Frozen):
    """What is known of one run of an engine; times are of one clock, in seconds."""

    counted: float | None = None  # tokens through the model so far, as its counters had it
    alive_at: float | None = None  # when a token was last known to have come
    asked_at: float | None = None  # when one was last asked for
    is_stuck: bool = False

    @property
    def is_proven(self) -> bool:
        """Has it made a token in this run, and nothing spoken against it since?"""
        return self.alive_at is not None and not self.is_stuck

    def read(self, now: Figures | None, at: float) -> "Pulse":
        """After its counters were read."""
        if now is None:
            return self
        total = now.generated + now.stepped
        if self.counted is None or total < self.counted:  # the first look at this run
            return Pulse(counted=total, alive_at=at if now.generated > 0 else None)
        if total > self.counted:
            return Pulse(counted=total, alive_at=at, asked_at=self.asked_at)
        return self

    def is_due(self, at: float) -> bool:
        """Is it time to ask for a token?"""
        if self.asked_at is not None and at - self.asked_at < AGAIN_SECONDS:
            return False
        return self.is_stuck or self.alive_at is None or at - self.alive_at >= PROVEN_SECONDS

    def asked(self, at: float) -> "Pulse":
        """A token is asked for now."""
        return self.model_copy(update={"asked_at": at})

    def answered(self, at: float) -> "Pulse":
        """One came."""
        return self.model_copy(update={"alive_at": at, "is_stuck": False})

    def silent(self, now: Figures | None, at: float) -> "Pulse":
        """None came; where its counters moved meanwhile, it was only busy with others."""
        after = self.read(now, at)
        if now is not None and self.counted is not None and after.counted != self.counted:
            return after
        return self.model_copy(update={"is_stuck": True})
