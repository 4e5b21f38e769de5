"""vLLM and LiteLLM in virtual environments of their own: those that are here, and which will do.

None of them is ever imported into this process. What is missing is installed by `installation`.
"""

import re
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from lib.core.errors import BerthError, EngineError
from lib.engines.vllm import floors as vllm_floors
from lib.engines.vllm.places import Places
from lib.slots import installation, litellm_floors
from lib.slots.installation import LITELLM, VLLM
from lib.slots.plan import Program

OLDEST_CUDA = 12
_HOMES = ("/home", "/root", "/run/user")
_DIST = re.compile(r"(?P<name>[A-Za-z0-9_]+)-(?P<version>[^-/]+)\.dist-info")


def vllm(places: Places, own: Path | None = None, cuda: tuple[int, int] | None = None) -> Program:
    """The vLLM to be used: the administrator's `own`, else the newest that will do, else a new one.

    `cuda` is what the driver can run.
    """
    if own is not None:
        return _described(VLLM, places, own) or _wished(VLLM, vllm_name(cuda))
    found = [
        program
        for program in _candidates(VLLM, places)
        if not vllm_floors.objection(program.version) and not _misfit(program, places, cuda)
    ]
    return _newest(found) or _wished(VLLM, vllm_name(cuda))


def litellm(places: Places) -> Program:
    """The same for LiteLLM."""
    found = [
        program
        for program in _candidates(LITELLM, places)
        if not litellm_floors.objection(program.version)
    ]
    return _newest(found) or _wished(LITELLM, litellm_floors.LITELLM_PINNED)


def vllm_name(cuda: tuple[int, int] | None) -> str:
    """The version to install: another build where the driver is too old for PyPI's."""
    is_older = cuda is not None and cuda[0] < vllm_floors.VLLM_CUDA_MAJOR
    build = f"+{vllm_floors.OLDER_CUDA_BUILD}" if is_older else ""
    return f"{vllm_floors.VLLM_PINNED}{build}"


def problems(
    name: str, program: Program, places: Places, cuda: tuple[int, int] | None = None
) -> Iterator[BerthError]:
    """What stands in the way of this program being used or installed."""
    if name == VLLM and cuda is not None and cuda[0] < OLDEST_CUDA:
        yield EngineError(
            f"The NVIDIA driver knows CUDA {cuda[0]}.{cuda[1]}, and vLLM needs {OLDEST_CUDA}.",
            "Update the driver, best to one that knows CUDA 13 (580 or newer).",
        )
    if program.is_there:
        yield from _objections(name, program, places, cuda)
    else:
        yield from installation.obstacles(name, places)


def refused(name: str, places: Places) -> Iterator[str]:
    """What is here and must not be used, each in a sentence."""
    floors = vllm_floors if name == VLLM else litellm_floors
    for program in _candidates(name, places):
        if said := floors.objection(program.version):
            yield f"{program.folder} is not used: {said}"


def version_of(name: str, folder: Path) -> str:
    """The version that lies in an environment, by its own records; "" where it has none."""
    for path in folder.glob(
        f"lib/python3*/*-packages/{name}-*.dist-info"
    ):  # site, or Debian's dist
        if (found := _DIST.fullmatch(path.name)) and found["name"] == name:
            return found["version"]
    return ""


def _candidates(name: str, places: Places) -> list[Program]:
    """Every environment of this program that a service could use."""
    folders = [path.parent.parent for path in places.programs.glob(f"{name}-*/bin/{name}")]
    if places.root == Path("/"):
        folders += [path.parent.parent for path in Path("/opt").glob(f"*/bin/{name}")]
        on_path = shutil.which(name)
        folders += [Path(on_path).resolve().parent.parent] if on_path else []
    described = [_described(name, places, folder) for folder in dict.fromkeys(folders)]
    return [program for program in described if program and _is_reachable(program.folder)]


def _described(name: str, places: Places, folder: Path) -> Program | None:
    version = version_of(name, folder) if (folder / "bin" / name).exists() else ""
    if not version:
        return None
    inside = folder.is_relative_to(places.root) and places.root != Path("/")
    as_seen = Path("/") / folder.relative_to(places.root) if inside else folder
    return Program(folder=as_seen, version=version, is_there=True)


def _is_reachable(folder: Path) -> bool:
    return not any(folder.is_relative_to(home) for home in _HOMES)


def _newest(found: Sequence[Program]) -> Program | None:
    def age(program: Program) -> tuple[vllm_floors.Version, str]:
        return vllm_floors.parsed(program.version) or (0, 0, 0), str(program.folder)

    return max(found, key=age, default=None)


def _wished(name: str, version: str) -> Program:
    return Program(folder=Places().program(name, version), version=version, is_there=False)


def _objections(
    name: str, program: Program, places: Places, cuda: tuple[int, int] | None
) -> Iterator[BerthError]:
    floors = vllm_floors if name == VLLM else litellm_floors
    if said := floors.objection(program.version):
        yield EngineError(said, f"It lies in {program.folder}.")
    elif name == VLLM and (said := _misfit(program, places, cuda)):
        yield EngineError(said, f"Update the driver, or remove {program.folder} and try again.")


def _misfit(program: Program, places: Places, cuda: tuple[int, int] | None) -> str:
    """Is it a build for a newer CUDA than the driver knows?"""
    folder = places.root / program.folder.relative_to("/")
    build = folder.glob("lib/python3*/site-packages/nvidia_cuda_runtime-*.dist-info")
    versions = [_DIST.fullmatch(path.name) for path in build]
    majors = [int(v["version"].split(".")[0]) for v in versions if v and v["version"][0].isdigit()]
    if cuda is None or not majors or max(majors) <= cuda[0]:
        return ""
    return (
        f"The vLLM in {program.folder} is built for CUDA {max(majors)}, and the driver knows "
        f"CUDA {cuda[0]}.{cuda[1]}."
    )
