"""A text while it is written."""

import threading


class Growing:
    """A text that comes in pieces: joined when somebody reads it, not with every piece."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._lock = threading.Lock()
        self.length = 0  # in characters

    def add(self, piece: str) -> None:
        """Put it at the end."""
        with self._lock:
            self._pieces.append(piece)
            self.length += len(piece)

    def __str__(self) -> str:
        with self._lock:
            if len(self._pieces) > 1:
                self._pieces = ["".join(self._pieces)]
            return "".join(self._pieces)
