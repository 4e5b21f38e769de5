"""A reply over HTTP as deltas, in whatever dialect; it can be closed from any thread."""

from collections.abc import Iterator

from lib.core.errors import BerthError
from lib.core.http import Lines
from lib.engines.base import Delta


class HttpReply(Iterator[Delta]):
    """The deltas read from `lines`; once closed it ends quietly, whatever the closed socket did."""

    def __init__(self, lines: Lines, deltas: Iterator[Delta]) -> None:
        self._lines = lines
        self._deltas = deltas
        self._is_closed = False

    def __next__(self) -> Delta:
        try:
            return next(self._deltas)
        except BerthError:
            if self._is_closed:
                raise StopIteration from None
            raise

    def close(self) -> None:
        """End the request now, also while another thread waits in `next`."""
        self._is_closed = True
        self._lines.close()
