"""LiteLLM's list of packages with their hashes, made anew for another version.

    pip download --no-deps litellm==VERSION
    unzip -p litellm-*.whl '*/METADATA' >METADATA
    python -m tests.bench.litellm_pins project METADATA >pyproject.toml
    uv lock
    python -m tests.bench.litellm_pins list uv.lock >lib/slots/gateway/litellm-requirements.txt

Of each package only the wheels that a Linux server of ours can take are listed; a package without
one would have to be built, and is an error.
"""

import re
import sys
import tomllib
from email.parser import Parser
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.tags import Tag
from packaging.utils import parse_wheel_filename

HEAD = """\
# LiteLLM's proxy and all it needs, each wheel by its hash: nothing else is ever installed.
# For `pip install --require-hashes --no-deps --only-binary :all: -r`, Python 3.11 to 3.13, Linux
# x86-64 and arm64. Made by `python -m tests.bench.litellm_pins`; the reason for the way in which
# these versions were found is in lib/slots/litellm_floors.py.
"""
# The proxy extra of 1.110.2 names releases that no index has (litellm-proxy 1.110.2,
# litellm-proxy-extras 0.4.114.post1, litellm-enterprise 0.1.83.post1). The first has no code that
# the proxy asks for; of the other two the newest are taken, and the rest of the extra's lines as
# they stand in the wheel's METADATA. Without prisma refusals become an error 500.
INSTEAD = ("litellm-proxy-extras==0.4.110", "litellm-enterprise==0.1.83", "prisma>=0.11.0,<1.0")
_NOT_TO_BE_HAD = ("litellm-proxy", "litellm-enterprise")
INTERPRETERS = ("cp311", "cp312", "cp313")
MACHINES = ("x86_64", "aarch64")


def is_for_a_server(tag: Tag) -> bool:
    """Whether one of our Pythons on Linux takes a wheel of this tag."""
    is_any = tag.interpreter.startswith("py3") or tag.interpreter == "py2.py3"
    is_stable = tag.abi == "abi3" and int(tag.interpreter.removeprefix("cp3") or 0) <= 13
    if not (is_any or is_stable or tag.interpreter in INTERPRETERS) or tag.abi.endswith("t"):
        return False
    return tag.platform == "any" or (
        tag.platform.startswith(("manylinux", "linux")) and tag.platform.endswith(MACHINES)
    )


def hashes(package: dict[str, Any]) -> list[str]:
    """The hashes of the wheels that matter, sorted."""
    found = set()
    for wheel in package.get("wheels", []):
        *_, tags = parse_wheel_filename(Path(wheel["url"]).name)
        if any(map(is_for_a_server, tags)):
            found.add(wheel["hash"])
    assert found, f"{package['name']} {package['version']} has no wheel for a server"
    return sorted(found)


def marker(package: dict[str, Any]) -> str:
    """For which Pythons this version is, where there are several of a package."""
    bounds = {
        bound
        for text in package.get("resolution-markers", [])
        for bound in re.findall(r"python_full_version [<>=]+ '[0-9.]+'", text)
    }
    return f" ; {' and '.join(sorted(bounds))}" if bounds else ""


def lines(lock: Path) -> list[str]:
    """The requirement of each package of the lock."""
    packages = tomllib.loads(lock.read_text(encoding="utf-8"))["package"]
    return [
        " \\\n    ".join(
            [
                f"{package['name']}=={package['version']}{marker(package)}",
                *(f"--hash={one}" for one in hashes(package)),
            ]
        )
        for package in packages
        if "registry" in package["source"]
    ]


def project(metadata: str) -> str:
    """What `uv lock` is to resolve: this version, and the lines of its proxy extra."""
    message = Parser().parsestr(metadata)
    needs = [Requirement(line) for line in message.get_all("Requires-Dist", [])]
    extra = [need for need in needs if need.marker and "extra" in str(need.marker)]
    wanted = [need for need in extra if need.marker and need.marker.evaluate({"extra": "proxy"})]
    kept = [f"{n.name}{n.specifier}" for n in wanted if not n.name.startswith(_NOT_TO_BE_HAD)]
    listed = [f"litellm=={message['Version']}", *INSTEAD, *sorted(set(kept))]
    rows = "".join(f'  "{line}",\n' for line in listed)
    return (
        '[project]\nname = "berth-litellm"\nversion = "0"\nrequires-python = ">=3.11,<3.14"\n'
        f"dependencies = [\n{rows}]\n\n[tool.uv]\n"
        "environments = [\"sys_platform == 'linux' and implementation_name == 'cpython'\"]"
    )


if __name__ == "__main__":
    verb, file = sys.argv[1], Path(sys.argv[2])
    if verb == "project":
        print(project(file.read_text(encoding="utf-8")))
    else:
        print(HEAD + "\n".join(lines(file)))
