"""Which of the clients are on this machine: looked for by their programs and folders, not run."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from lib.connect.clients import CLIENTS, Client

# Where programs are put that a service's own PATH seldom names.
USUAL = (
    "~/.local/bin",
    "~/bin",
    "~/.npm-global/bin",
    "~/.bun/bin",
    "~/.volta/bin",
    "~/.cargo/bin",
    "~/.opencode/bin",
    "~/.claude/local",
    "/usr/local/bin",
    "/opt/homebrew/bin",
    "/snap/bin",
)
NODES = "~/.nvm/versions/node"
MOST_NODES = 20


def found() -> list[Client]:
    """Those whose program or settings are here."""
    places = _places()
    return [one for one in CLIENTS.values() if is_here(one, places)]


def is_here(client: Client, places: str) -> bool:
    """Is its program in one of these folders, or has it a folder for its settings?"""
    has_program = any(shutil.which(name, path=places) for name in client.programs)
    return has_program or client.file().parent.is_dir()


def has_webui() -> bool:
    """Is Open WebUI's program here?"""
    return shutil.which("open-webui", path=_places()) is not None


def _places() -> str:
    usual = [str(Path(folder).expanduser()) for folder in USUAL]
    return os.pathsep.join([os.environ.get("PATH", ""), *usual, *_nodes()])


def _nodes() -> Iterator[str]:
    """One folder for each Node.js of nvm."""
    try:
        versions = sorted(Path(NODES).expanduser().iterdir(), reverse=True)
    except OSError:
        return
    yield from (str(one / "bin") for one in versions[:MOST_NODES])
