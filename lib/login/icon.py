"""Something to click: an entry among the applications, on macOS a small application.

A click starts Berth in the background where it does not run, and opens the browser at its address.
"""

import os
import sys
from pathlib import Path

from lib.core.access import Action, require
from lib.core.errors import Conflict
from lib.core.settings import ROOT
from lib.login import linux, macos, piece, started
from lib.login.piece import Piece, Standing

ICON = ROOT / "docs" / "berth.icns"


def look() -> Standing:
    """Reads one file. BadInput where a path cannot stand in it."""
    return _standing(0)


def _standing(port: int) -> Standing:
    start, path = started.now(port), _path()
    if sys.platform == "darwin":
        text, essence = macos.launcher(start), macos.essence_of_launcher
        program = path / "Contents/MacOS" / macos.NAME
        return Standing("application", path, text, piece.read(program), essence)
    text = linux.entry(start)
    return Standing("entry", path, text, piece.read(path), linux.essence_of_entry)


def place() -> str:
    """Where people find it."""
    if sys.platform == "darwin":
        return "Berth, in the Applications folder of your home"
    return "Berth, among your applications"


def put_there(port: int = 0) -> str:
    """Write it; what is so now, in a sentence."""
    require(Action.CONFIGURE)
    now = _standing(port)
    _require_ours(now.path)
    piece.write(_pieces(now))
    return f"There is an icon to click: {place()}. A click opens Berth, and starts it if need be."


def take_away() -> str:
    """Remove it; what runs goes on."""
    require(Action.CONFIGURE)
    path = _path()
    _require_ours(path)
    piece.remove(path)
    return "The icon is gone; what runs goes on."


def _pieces(now: Standing) -> list[Piece]:
    if sys.platform != "darwin":
        return [Piece(now.path, now.text)]
    inside = now.path / "Contents"
    return [
        Piece(inside / "Info.plist", macos.info()),
        Piece(inside / "Resources" / ICON.name, copied=ICON),
        Piece(inside / "MacOS" / macos.NAME, now.text, is_program=True),
    ]


def _require_ours(path: Path) -> None:
    """Conflict where something of this name is there that Berth has not written."""
    marked = path / "Contents/Info.plist" if sys.platform == "darwin" else path
    mark = macos.BUNDLE if sys.platform == "darwin" else linux.WRITTEN
    if path.exists() and mark not in piece.read(marked):
        raise Conflict(f"{path} is not Berth's.", "Move it, then try again.")


def _path() -> Path:
    if sys.platform == "darwin":
        return Path.home() / "Applications" / f"{macos.NAME}.app"
    folder = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share"
    return Path(folder) / "applications" / "berth.desktop"
