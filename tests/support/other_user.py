"""Programs of another user of this machine; a test needs to be root to start one."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

NOBODY = 65_534
# All that the scripts need: the other user may not be able to read Python's own files.
IMPORTS = "import os, socket, struct, sys, threading; 'x'.encode('idna')"
# Passes on what comes to any free port of 127.0.0.1; puts one more header into each connection's
# first request where one is given.
FORWARDER = """
to, header = int(sys.argv[1]), sys.argv[2].encode()

def pump(source, target, header=b""):
    while data := source.recv(65536):
        if header:
            line, end, rest = data.partition(b"\\r\\n")
            data, header = line + end + header + end + rest, b""
        target.sendall(data)
    target.shutdown(socket.SHUT_WR)

with socket.create_server(("127.0.0.1", 0)) as listening:
    print(listening.getsockname()[1], flush=True)
    while True:
        here, _ = listening.accept()
        there = socket.create_connection(("127.0.0.1", to))
        threading.Thread(target=pump, args=(here, there, header), daemon=True).start()
        threading.Thread(target=pump, args=(there, here), daemon=True).start()
"""
# Sends standard input to a port and is gone before anybody can look.
HIT_AND_RUN = """
with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as there:
    there.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", int(sys.argv[2]), 0))
    there.sendall(sys.stdin.buffer.read())
"""


def command(script: str, user: int | None, *arguments: str) -> list[str]:
    """To run a script as this user; None is who runs the tests.

    It becomes the user itself, once everything is imported.
    """
    become = ""
    if user is not None:
        if os.geteuid() != 0:
            pytest.skip("Only root can start programs of another user.")
        become = f"os.setgroups([]); os.setgid({user}); os.setuid({user})"
    lines = "\n".join([IMPORTS, become, script])
    return [sys.executable, "-I", "-S", "-c", lines, *arguments]


@contextlib.contextmanager
def forwarder(to: int, header: str = "", user: int | None = NOBODY) -> Iterator[int]:
    """The port of a forwarder to another port, that runs as this user."""
    with subprocess.Popen(
        command(FORWARDER, user, str(to), header), stdout=subprocess.PIPE
    ) as process:
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline())
        finally:
            process.kill()


def hit_and_run(to: int, request: bytes, is_reset: bool, user: int = NOBODY) -> None:
    """Send a request and be gone, in the usual way or by a reset."""
    told = command(HIT_AND_RUN, user, str(to), str(int(is_reset)))
    subprocess.run(told, input=request, check=True, timeout=30)
