"""vLLM and LiteLLM installed: each in a virtual environment of its own, asked for before.

An environment is built beside its place under another name, and gets its own when it is complete;
broken off, the next run goes on where it was. Nothing of it is ever imported into this process.
What was installed here carries Berth's mark; only that is ever removed.
"""

import contextlib
import shutil
import threading
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from lib.core.errors import BerthError, EngineError, NoSpace
from lib.core.files import free_bytes
from lib.core.settings import ROOT
from lib.core.values import Frozen
from lib.core.words import disk
from lib.engines.vllm.places import Places
from lib.jobs.report import Report
from lib.processes.command import run
from lib.slots.change import Doer
from lib.slots.plan import Program
from lib.slots.steps import Command

VLLM, LITELLM = "vllm", "litellm"
TITLES = {VLLM: "vLLM", LITELLM: "LiteLLM"}
NEEDED_BYTES = {VLLM: 20 * 10**9, LITELLM: 2 * 10**9}  # with what pip keeps while it works
DOWNLOADS = {VLLM: "about 8 GB", LITELLM: "about 230 MB"}
INSTALL_SECONDS = 7_200.0
ASK_SECONDS = 60.0
LOOK_SECONDS = 2.0
MARK = "installed-by-berth"  # a file in the environment's folder
LITELLM_LIST = ROOT / "lib/slots/gateway/litellm-requirements.txt"
_VLLM_WHEELS = "https://wheels.vllm.ai/{version}/{build}"
_TORCH_WHEELS = "https://download.pytorch.org/whl/{build}"
# A Python in a home folder cannot be reached by a service, so only those of the system count.
PYTHONS = tuple(
    Path(folder) / f"python3.{minor}"
    for minor in (12, 13, 11, 14)
    for folder in ("/usr/bin", "/usr/local/bin")
)
LITELLM_PYTHONS = tuple(path for path in PYTHONS if path.name != "python3.14")  # those of its list
_PIP = ("--no-input", "--disable-pip-version-check", "--progress-bar", "off")


class Python(Frozen):
    """A Python of the system, and whether it can make virtual environments."""

    path: Path
    has_venv: bool


def sentence(name: str, program: Program) -> str:
    """What would be installed, for the question before it."""
    where = f"into {program.folder} ({DOWNLOADS[name]} to download)"
    return f"{TITLES[name]} {program.version} {where}"


def install(name: str, program: Program, places: Places, doer: Doer, report: Report) -> None:
    """Have it there; an environment that is complete is left alone."""
    final = _real(program, places)
    if final.exists():
        return
    commands = steps(name, program, places)
    with _growing(final.parent, report):
        doer.do(*commands)
    part = _part(final)
    if part.exists():  # not where it was only told
        complete(part, final)
        report.say(f"  {TITLES[name]} {program.version} is installed in {program.folder}")


def steps(name: str, program: Program, places: Places) -> list[Command]:
    """What builds it beside its place; each can be run twice, and goes on where it was."""
    python = _first(name)
    for problem in _without_python(name, python):
        raise problem
    part = _part(_real(program, places))
    make = (str(python.path if python else "python3"), "-m", "venv", str(part))
    return [
        Command(why=f"make a virtual environment for {TITLES[name]}", command=make, seconds=300),
        *_pip(name, program.version, part),
        Command(
            why=f"start {TITLES[name]}",
            command=(str(part / "bin" / name), "--version"),
            seconds=300,
        ),
    ]


def complete(part: Path, final: Path) -> None:
    """Give a finished environment its name: its scripts name the folder that they were made in."""
    for file in [*(part / "bin").iterdir(), part / "pyvenv.cfg"]:
        if file.is_symlink() or not file.is_file():
            continue
        data = file.read_bytes()
        if str(part).encode() in data and b"\0" not in data:
            file.write_bytes(data.replace(str(part).encode(), str(final).encode()))
    shutil.rmtree(part / ".cache", ignore_errors=True)
    (part / MARK).touch()
    part.replace(final)


def installed(places: Places) -> list[Path]:
    """The environments that Berth made, and what is left of those that were broken off."""
    marked = [path.parent for path in places.programs.glob(f"*/{MARK}")]
    parts = [path for name in TITLES for path in places.programs.glob(f".{name}-*.part")]
    return sorted([*marked, *parts])


def python_path(name: str) -> str:
    """The Python that it would be installed with; "" where there is none."""
    found = _first(name)
    return str(found.path) if found else ""


def obstacles(name: str, places: Places) -> Iterator[BerthError]:
    """What stands in the way of installing it."""
    yield from _without_python(name, _first(name))
    free = free_bytes(places.programs)
    if free < NEEDED_BYTES[name]:
        yield NoSpace(
            f"{TITLES[name]} needs {disk(NEEDED_BYTES[name])} below {places.programs} while it is "
            f"installed, and {disk(free)} are free.",
            "Free some space, then try again.",
        )


def _real(program: Program, places: Places) -> Path:
    return places.root / program.folder.relative_to("/")


def _part(final: Path) -> Path:
    return final.with_name(f".{final.name}.part")


def _pip(name: str, version: str, part: Path) -> list[Command]:
    cached = ("--cache-dir", str(part / ".cache"))
    pip = (str(part / "bin/python"), "-m", "pip", "install", *_PIP, *cached)
    if name == LITELLM:
        what = ("--require-hashes", "--no-deps", "--only-binary", ":all:", "-r", str(LITELLM_LIST))
        return [_long("install LiteLLM", (*pip, *what))]
    return [
        _long("install vLLM", (*pip, *_indexes(version), f"vllm=={version}")),
        # Without them FlashInfer compiles at the first start, which needs nvcc.
        _long("fetch vLLM's kernels", (str(part / "bin/vllm"), "download-kernels")),
    ]


def _indexes(version: str) -> Iterator[str]:
    """Where the wheels of another CUDA build lie."""
    plain, _, build = version.partition("+")
    if build:
        yield from ("--extra-index-url", _VLLM_WHEELS.format(version=plain, build=build))
        yield from ("--extra-index-url", _TORCH_WHEELS.format(build=build))


def _long(why: str, command: tuple[str, ...]) -> Command:
    return Command(why=why, command=command, seconds=INSTALL_SECONDS)


@contextlib.contextmanager
def _growing(folder: Path, report: Report) -> Iterator[None]:
    """Tells how much the disk has filled, as pip tells nobody how far it is."""
    over, before = threading.Event(), free_bytes(folder)

    def tell() -> None:
        while not over.wait(LOOK_SECONDS):
            report.progress(max(0, before - free_bytes(folder)), 0)

    teller = threading.Thread(target=tell, daemon=True)
    teller.start()
    try:
        yield
    finally:
        over.set()
        teller.join()


def _without_python(name: str, python: Python | None) -> Iterator[BerthError]:
    title = TITLES[name]
    if python is None:
        yield EngineError(
            f"{title} needs a Python of the system, 3.11 or newer, and /usr/bin has none.",
            "Install one, such as python3.12; one in a home folder serves no service.",
        )
    elif not python.has_venv:
        package = f"{python.path.name}-venv"
        yield EngineError(
            f"{python.path} has no venv module, with which {title} is installed.",
            f"Run: sudo apt-get install {package}",
        )


def _first(name: str) -> Python | None:
    """The Python to be used: one with its venv module before one without."""
    wished = LITELLM_PYTHONS if name == LITELLM else PYTHONS
    found = [_looked_at(path) for path in wished if path.exists()]
    return next((python for python in found if python.has_venv), next(iter(found), None))


@cache
def _looked_at(path: Path) -> Python:
    done = run([str(path), "-I", "-c", "import venv, ensurepip"], seconds=ASK_SECONDS)
    return Python(path=path, has_venv=done.is_good)
