"""A server that takes every connection and reads every request, and never answers: it hangs."""

import contextlib
import socket
import threading
from collections.abc import Iterator


class Hung:
    """On a port of loopback; `paths` are those that were asked for, in their order."""

    def __init__(self) -> None:
        self.paths: list[str] = []
        self.was_asked = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._held: list[socket.socket] = []
        self._is_open = True
        self._thread = threading.Thread(target=self._take, daemon=True)
        self._thread.start()

    @property
    def host(self) -> str:
        """`127.0.0.1:PORT`."""
        return f"127.0.0.1:{self._listener.getsockname()[1]}"

    @property
    def holds(self) -> int:
        """Connections whose other end still waits for an answer."""
        return sum(not _is_closed(one) for one in self._held)

    def close(self) -> None:
        """Let go of everybody."""
        self._is_open = False
        socket.create_connection(self._listener.getsockname()).close()  # wakes the thread
        self._thread.join()
        for one in (self._listener, *self._held):
            one.close()

    def _take(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            self._held.append(connection)
            if not self._is_open:
                return
            with contextlib.suppress(OSError, IndexError):  # gone before it asked
                self.paths.append(connection.recv(65_536).split(b" ")[1].decode())
                self.was_asked.set()


@contextlib.contextmanager
def hung_server() -> Iterator[Hung]:
    """One that hangs until the block ends."""
    one = Hung()
    try:
        yield one
    finally:
        one.close()


def _is_closed(one: socket.socket) -> bool:
    """Has the other end gone?"""
    try:
        return one.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True
