"""Is there a wheel of every pin for every platform? `.venv/bin/python tests/bench/wheels.py`

pip's resolver is asked for each platform and Python, without installing. It judges environment
markers by the machine it runs on, so they are judged here instead: a pin that the platform does
not want is left out, and what a chosen wheel wants there has to be pinned.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent.parent
PYTHONS = ("3.11", "3.12", "3.13", "3.14")


class Platform(NamedTuple):
    """A machine as pip and the markers see it."""

    title: str
    tags: tuple[str, ...]  # pip adds the older macOS tags by itself, the older Linux ones not
    system: str
    machine: str


def _linux(machine: str) -> Platform:
    tags = tuple(f"manylinux_2_{minor}_{machine}" for minor in range(28, 16, -1))
    return Platform(
        f"Linux {machine}, glibc 2.28", (*tags, f"manylinux2014_{machine}"), "Linux", machine
    )


def _macos(version: int, machine: str) -> Platform:
    return Platform(
        f"macOS {version} {machine}", (f"macosx_{version}_0_{machine}",), "Darwin", machine
    )


PLATFORMS = (
    _linux("x86_64"),
    _linux("aarch64"),
    *(_macos(version, machine) for version in (13, 14) for machine in ("x86_64", "arm64")),
)


def main() -> int:
    """Print the table; 1 where something is missing."""
    found = {(p, v): answer(p, v) for p in PLATFORMS for v in PYTHONS}
    print(f"{'':28}" + "".join(f"{'Python ' + v:14}" for v in PYTHONS))
    for platform in PLATFORMS:
        row = (found[platform, v] for v in PYTHONS)
        print(f"{platform.title:28}" + "".join(f"{_cell(a):14}" for a in row))
    problems = {problem for a in found.values() if isinstance(a, str) for problem in a.splitlines()}
    print("\n".join(sorted(problems)))
    return 1 if problems else 0


def answer(platform: Platform, python: str) -> int | str:
    """The number of wheels, or what is wrong."""
    world = _markers(platform, python)
    pins = [r for r in _requirements() if r.marker is None or r.marker.evaluate(world)]
    with tempfile.TemporaryDirectory() as folder:
        listed = Path(folder) / "requirements.txt"
        listed.write_text("\n".join(f"{r.name}{r.specifier}" for r in pins), encoding="utf-8")
        report = Path(folder) / "report.json"
        done = subprocess.run(
            [*_pip(platform, python), "--target", folder, "--report", report, "-r", listed],
            capture_output=True,
            text=True,
        )
        if done.returncode:
            return "\n".join(n for n in done.stderr.splitlines() if n.startswith("ERROR: No"))
        wheels = json.loads(report.read_text(encoding="utf-8"))["install"]
    names = {canonicalize_name(r.name) for r in pins}
    unpinned = {name for wheel in wheels for name in _wants(wheel["metadata"], world)} - names
    return f"not pinned: {' '.join(sorted(unpinned))}" if unpinned else len(pins)


def _cell(found: int | str) -> str:
    return f"{found} wheels" if isinstance(found, int) else "missing"


def _requirements() -> list[Requirement]:
    text = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    return [Requirement(line) for line in text.splitlines() if line and not line.startswith("#")]


def _wants(metadata: dict[str, Any], world: dict[str, str]) -> Iterator[str]:
    """What a wheel needs on that machine, extras apart."""
    for text in metadata.get("requires_dist", []):
        need = Requirement(text)
        if need.marker is None or need.marker.evaluate({**world, "extra": ""}):
            yield canonicalize_name(need.name)


def _markers(platform: Platform, python: str) -> dict[str, str]:
    return {
        "implementation_name": "cpython",
        "os_name": "posix",
        "platform_machine": platform.machine,
        "platform_python_implementation": "CPython",
        "platform_system": platform.system,
        "python_full_version": f"{python}.0",
        "python_version": python,
        "sys_platform": platform.system.lower(),
    }


def _pip(platform: Platform, python: str) -> list[str]:
    abi = f"cp{python.replace('.', '')}"
    tags = [word for tag in platform.tags for word in ("--platform", tag)]
    abis = [word for name in (abi, "abi3", "none") for word in ("--abi", name)]
    return [
        *(sys.executable, "-m", "pip", "install", "--dry-run", "--quiet", "--ignore-installed"),
        *("--only-binary=:all:", "--python-version", python, "--implementation", "cp"),
        *(*abis, *tags),
    ]


if __name__ == "__main__":
    sys.exit(main())
