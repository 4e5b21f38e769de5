"""Which LiteLLM may be used: the oldest that is safe, and why others are not.

Sources: the advisories of the litellm project and of the Python Packaging Authority, up to 24
November 2026.

How the pinned version came about: the newest whose proxy extra an index can resolve is 1.108.7.
The extra of every later one names releases that no index has; of 1.110.2, litellm-proxy 1.110.2,
litellm-proxy-extras 0.4.114.post1 and litellm-enterprise 0.1.83.post1. The first holds nothing
that the proxy asks for; of the other two, which serve its database, the newest that are there do.
As the last holes in the list have no version yet in which they are known to be mended, the newest
wheel is taken, the rest of its extra as it stands there, each package by its hash.
"""

from typing import NamedTuple

from lib.core.names import shown
from lib.engines.vllm.floors import Version, parsed

LITELLM_PINNED = "1.110.2"
LITELLM_FLOOR: Version = (1, 108, 7)  # the newest that installs as its makers describe


class Reason(NamedTuple):
    """What older versions let happen, and where it was mended."""

    fixed_in: Version
    name: str
    what: str


# The worst first: a version is told the first that it has.
REASONS = (
    Reason((1, 83, 7), "CVE-2026-42208", "whoever reaches it can read its database, and does"),
    Reason((1, 84, 0), "CVE-2026-49468", "a made-up Host header gets past its key"),
    Reason((1, 83, 7), "CVE-2026-42203", "a template can run program code in it"),
    Reason((1, 83, 14), "CVE-2026-47101", "a user can become its administrator"),
    Reason((1, 83, 14), "CVE-2026-47102", "a user can become its administrator"),
    Reason(LITELLM_FLOOR, "CVE-2026-136538", "it is in a version that has a hole of November 2026"),
)
# Releases that somebody else published under its name, with a program that steals secrets.
COMPROMISED: tuple[Version, ...] = ((1, 82, 7), (1, 82, 8), (1, 107, 0))


def objection(version: str) -> str:
    """Why this version must not be used, in a sentence; "" where nothing speaks against it."""
    numbers = parsed(version)
    if numbers is None:
        return f"“{shown(version)}” is no version of LiteLLM."
    if numbers in COMPROMISED:
        return (
            f"LiteLLM {shown(version)} was published by an attacker and steals secrets."
            " Remove it, and change every key that was on this machine."
        )
    if numbers >= LITELLM_FLOOR:
        return ""
    worst = next(reason for reason in REASONS if reason.fixed_in > numbers)
    floor = ".".join(map(str, LITELLM_FLOOR))
    return f"LiteLLM {shown(version)} is older than {floor}: {worst.what} ({worst.name})."
