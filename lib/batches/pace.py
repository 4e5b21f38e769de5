"""How many requests of a batch are under way at once, as the engine can take.

It begins with few, and takes one more as long as that brings more answers a minute: an engine of
one slot stays at what keeps it busy, one that answers many at once gets many. Where the engine says
that it has too much, or fails, half remain, after the pause that it asked for.
"""

FIRST = 2
MOST = 32
ROUND = 4  # answers at least, before a number is judged
GAIN = 1.1  # more answers in the same time, to be worth one more
REST_ROUNDS = 20  # until another one is tried after one that brought nothing


class Pace:
    """`now` is always on the monotonic clock."""

    def __init__(self, now: float, first: int = FIRST, most: int = MOST) -> None:
        self.limit = first
        self.not_before = now  # nothing new is begun until then
        self._most = most
        self._best = 0.0  # answers per second with the number before
        self._rest = 0
        self._begin_round(now)

    def answered(self, now: float) -> None:
        """One more answer has come."""
        self._count += 1
        if self._count >= max(ROUND, self.limit) and now > self._since:
            self._judge(self._count / (now - self._since))
            self._begin_round(now)

    def refused(self, seconds: float, now: float) -> None:
        """The engine has too much, or failed: half of it, after this time.

        Several that come together count once.
        """
        if now >= self.not_before:
            self.limit = max(1, self.limit // 2)
            self._best, self._rest = 0.0, REST_ROUNDS
        self.pause(seconds, now)

    def pause(self, seconds: float, now: float) -> None:
        """Nothing new for this time: what is to answer is not there yet."""
        self.not_before = max(self.not_before, now + seconds)
        self._begin_round(self.not_before)

    def _judge(self, rate: float) -> None:
        if self.limit >= self._most:
            return
        if self._rest:
            self._rest -= 1
            self._best = 0.0
        elif self._best and rate < self._best * GAIN:
            self.limit, self._rest = max(1, self.limit - 1), REST_ROUNDS
            self._best = 0.0
        else:
            self._best = rate
            self.limit = min(self.limit + 1, self._most)

    def _begin_round(self, now: float) -> None:
        self._since, self._count = now, 0
