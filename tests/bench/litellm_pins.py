"""LiteLLM's list of packages with their hashes: `python -m tests.bench.litellm_pins uv.lock`.

Prints what belongs into lib/slots/gateway/litellm-requirements.txt, from the lock that `uv lock`
makes of the lines below. Of each package only the wheels that a Linux server of ours can take are
listed; a package without one would have to be built, and is an error.
"""

import re
import sys
import tomllib
from pathlib import Path
from typing import Any

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
# they stand in the wheel's METADATA.
INSTEAD = ("litellm==1.110.2", "litellm-proxy-extras==0.4.110", "litellm-enterprise==0.1.83")
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


if __name__ == "__main__":
    print(HEAD + "\n".join(lines(Path(sys.argv[1]))))
