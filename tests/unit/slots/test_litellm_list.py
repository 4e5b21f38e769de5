"""The list that LiteLLM is installed from: complete, exact, each package by its hash."""

import re

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from lib.slots.installation import LITELLM_LIST
from lib.slots.litellm_floors import COMPROMISED, LITELLM_PINNED


def entries() -> dict[str, list[str]]:
    """The hashes of each requirement."""
    text = LITELLM_LIST.read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return {line.partition(" --hash")[0].strip(): line.split("--hash=")[1:] for line in lines}


def test_every_package_is_pinned_to_one_version() -> None:
    for line in entries():
        assert [one.operator for one in Requirement(line).specifier] == ["=="], line


def test_every_package_has_a_hash_and_nothing_else() -> None:
    for line, hashes in entries().items():
        assert hashes, line
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", one.strip()) for one in hashes), line


def test_litellm_is_the_version_that_the_floors_name_and_no_attackers() -> None:
    pins = {Requirement(line).name: line for line in entries()}
    assert pins["litellm"] == f"litellm=={LITELLM_PINNED}"
    assert all(f"litellm=={'.'.join(map(str, bad))}" not in pins.values() for bad in COMPROMISED)


def test_what_the_proxy_cannot_answer_errors_without_is_in_it() -> None:
    names = {canonicalize_name(Requirement(line).name) for line in entries()}
    assert {"prisma", "fastapi", "uvicorn", "litellm-enterprise", "litellm-proxy-extras"} <= names
