"""What looks now and then while a dashboard runs: of several dashboards of a home, one."""

import contextlib
import logging
import os
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator

from lib.core import locks
from lib.core.access import BERTH, Role, acting
from lib.core.files import make_private
from lib.core.settings import settings

_log = logging.getLogger(__name__)


class Watch(ABC):
    """A thread that looks for the owner; a look that fails is told in the log, not its end."""

    name: str
    seconds: float  # between two looks

    def __init__(self) -> None:
        self._over = threading.Event()

    @abstractmethod
    def look(self) -> list[str]:
        """Look once; the names of what was done."""

    def start(self) -> None:
        """Begin, in a thread of its own."""
        threading.Thread(target=self._looking, name=self.name, daemon=True).start()

    def stop(self) -> None:
        """End it."""
        self._over.set()

    def _looking(self) -> None:
        with contextlib.suppress(OSError), self._alone():
            while not self._over.wait(self.seconds):
                try:
                    with acting(Role.OWNER, BERTH):
                        self.look()
                except Exception:  # the next look may go well
                    _log.exception("%s: a look has failed", self.name)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Once no other dashboard of this home does it: this one takes over where that ended."""
        path = make_private(settings().home) / f"{self.name}.lock"
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            while not locks.take(handle, path) and not self._over.wait(self.seconds):
                pass
            yield
        finally:
            locks.give_back(handle)
            os.close(handle)
