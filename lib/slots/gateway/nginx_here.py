"""The nginx of this machine: which one it is, whether it is sound, and how our file comes into it.

Nothing is touched where it was broken before we came. Streams that run outlive a reload, because
nginx's old workers keep them; it is never restarted.
"""

import os
import re
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

from lib.core.errors import BerthError, Conflict, EngineError
from lib.core.names import shown
from lib.core.values import Frozen
from lib.engines.vllm.places import Places
from lib.processes.command import Done, run
from lib.slots.gateway import files
from lib.slots.gateway.litellm import HOST
from lib.slots.gateway.nginx import OLDEST, Front
from lib.slots.steps import Answer, Command, GoneFile, Step, WantedFile

TEST_SECONDS = 30.0
INSTALL_SECONDS = 900.0
SERVICE = "nginx.service"
_SELINUX = Path("sys/fs/selinux")
_DENIED = "(13: Permission denied)"
_VERSION = re.compile(r"nginx version: \S+/(\d+)\.(\d+)")
_INCLUDED = re.compile(r"^\s*include\s+(?:/etc/nginx/|\S*/)?conf\.d/\*\.conf\s*;", re.MULTILINE)


class Nginx(Frozen):
    """What was found."""

    version: tuple[int, int] | None = None  # None: there is none
    broken: str = ""  # what it says of its own configuration, where that is wrong
    reads_folder: bool = False  # does it read our file's folder?

    @property
    def is_there(self) -> bool:
        """Is it installed?"""
        return self.version is not None


def look(places: Places) -> Nginx:
    """Which nginx there is, and how it stands.

    `nginx -T` opens its logs, which only root may; where nobody is root, that is left to the phase
    that writes into it.
    """
    if not is_installed():
        return Nginx()
    told = run(["nginx", "-v"], seconds=TEST_SECONDS)
    found = _VERSION.search(told.stderr + told.stdout)
    version = (int(found[1]), int(found[2])) if found else (0, 0)
    done = run([*command(places), "-T"], seconds=TEST_SECONDS)
    if os.geteuid() and _DENIED in done.stderr:
        done = run(["sudo", "-n", *command(places), "-T"], seconds=TEST_SECONDS)
        if not done.is_good and "[emerg]" not in done.stderr:
            return Nginx(version=version, reads_folder=True)
    return Nginx(
        version=version,
        broken="" if done.is_good else _said(done),
        reads_folder=bool(_INCLUDED.search(done.stdout)),
    )


def problems(places: Places, front: Front) -> Iterator[BerthError]:
    """What keeps our file from working in it; none where there is no nginx yet."""
    nginx = look(places)
    if not nginx.is_there:
        yield from _busy_port(places, front)
        return
    if nginx.version and nginx.version < OLDEST:
        yield EngineError(
            f"nginx {'.'.join(map(str, nginx.version))} is too old.",
            f"Install {'.'.join(map(str, OLDEST))} or newer, or go on with --without-nginx.",
        )
    if nginx.broken:
        yield EngineError(
            f"nginx's configuration was broken before Berth came: {nginx.broken}.",
            "Nothing was touched. Correct it until `nginx -t` is content, then try again.",
        )
    elif not nginx.reads_folder:
        yield EngineError(
            "nginx does not read /etc/nginx/conf.d here.",
            "Add to the http block of nginx.conf: include /etc/nginx/conf.d/*.conf;",
        )
    yield from _busy_port(places, front)
    yield from _selinux(places, front)


def command(places: Places) -> list[str]:
    """nginx, with the configuration of another root where one stands for /."""
    if places.root == Path("/"):
        return ["nginx"]
    return ["nginx", "-p", str(places.root), "-c", str(places.root / "etc/nginx/nginx.conf")]


def is_installed() -> bool:
    """Is there an nginx?"""
    return shutil.which("nginx") is not None


def install_command() -> tuple[str, ...]:
    """What installs it, by the system's package manager; () where there is none that we know."""
    if shutil.which("apt-get"):
        return ("apt-get", "install", "-y", "--no-install-recommends", "nginx")
    return ("dnf", "install", "-y", "nginx") if shutil.which("dnf") else ()


def install_steps() -> list[Step]:
    """Install it; EngineError where nothing here can. Debian's opens a page on port 80 to all."""
    command = install_command()
    if not command:
        raise EngineError(
            "There is no nginx, and neither apt-get nor dnf to install it.",
            "Install it by hand, or go on with --without-nginx.",
        )
    welcome = "/etc/nginx/sites-enabled/default"
    return [
        Command(why="install nginx", command=command, seconds=INSTALL_SECONDS),
        Command(why="close its welcome page", command=("rm", "-f", welcome)),
        Command(why="start nginx", command=("systemctl", "enable", "--now", SERVICE)),
    ]


def way_back() -> Command:
    """Stands before the first change of a file of nginx's, and so comes last on the way back."""
    return Command(why="have nginx read its files again", undo=_RELOAD_BACK)


def write_steps(text: str, places: Places, front: Front) -> list[Step]:
    """Our file in it, tested by nginx itself before it is read; `way_back` stands before."""
    return [
        WantedFile(path=files.nginx_config(places), text=text),
        *_taken_up(places),
        Answer(why="reach nginx", url=f"http://{HOST}:{front.port}/health", seconds=15),
    ]


def remove_steps(places: Places) -> list[Step]:
    """Our file out of it."""
    return [GoneFile(path=files.nginx_config(places)), *_taken_up(places)]


def is_running() -> bool:
    """Does its service run?"""
    return run(["systemctl", "is-active", "--quiet", SERVICE], seconds=TEST_SECONDS).is_good


def _taken_up(places: Places) -> Iterator[Command]:
    yield Command(why="have nginx take its files", command=(*command(places), "-t"))
    if is_running():
        yield Command(why="have nginx read its files", command=_RELOAD)
    else:
        stop = ("systemctl", "stop", SERVICE)
        yield Command(why="start nginx", command=("systemctl", "start", SERVICE), undo=stop)


# On the way back it may not run any more; then this starts nothing.
_RELOAD = ("systemctl", "reload", SERVICE)
_RELOAD_BACK = ("systemctl", "try-reload-or-restart", SERVICE)


def _busy_port(places: Places, front: Front) -> Iterator[BerthError]:
    if files.nginx_config(places).exists() or not _is_taken(front.port):
        return
    yield Conflict(
        f"Port {front.port}, where nginx would listen for Berth, is used by another program.",
        "Write another into /etc/berth/gateway.toml: port = 8101",
    )


def _is_taken(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0


def _selinux(places: Places, front: Front) -> Iterator[BerthError]:
    """Where SELinux keeps nginx from engines, every answer would be 502."""
    selinux = places.root / _SELINUX
    if files.text(selinux / "enforce").strip() != "1":
        return
    if files.text(selinux / "booleans/httpd_can_network_connect").startswith("0"):
        yield EngineError(
            "SELinux does not let nginx connect to other programs.",
            "Run: sudo setsebool -P httpd_can_network_connect 1 && "
            f"sudo semanage port -a -t http_port_t -p tcp {front.port}",
        )


def _said(done: Done) -> str:
    """The first thing that nginx finds wrong, without its own frame."""
    lines = [line for line in done.stderr.splitlines() if "[emerg]" in line]
    text = lines[0].partition("[emerg]")[2] if lines else done.stderr.strip() or "no reason given"
    return shown(re.sub(r"^\s*\d+#\d+:\s*", "", text).strip(), 300).rstrip(".")
