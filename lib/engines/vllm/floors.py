"""Which vLLM may be used: the oldest that is safe, and why each older one is not.

Sources: the advisories of the vllm-project repository and of the Python Packaging Authority, up to
24 November 2026.
"""

import re
from typing import NamedTuple

from lib.core.names import shown

Version = tuple[int, int, int]

VLLM_FLOOR: Version = (0, 32, 0)
VLLM_PINNED = "0.33.0"  # what Berth installs
# The build of PyPI needs a driver of this CUDA version; an older driver can run another build.
VLLM_CUDA_MAJOR = 13
OLDER_CUDA_BUILD = "cu129"


class Reason(NamedTuple):
    """What older versions let happen, and where it was mended."""

    fixed_in: Version
    name: str
    what: str


_KNOWN = "it has a known hole"  # its advisory says no more than that
# The worst first: a version is told the first that it has.
REASONS = (
    Reason((0, 22, 0), "CVE-2026-48746", "whoever reaches it can get past its key"),
    Reason((0, 18, 0), "CVE-2026-27893", "a model's own program code runs although forbidden"),
    Reason((0, 22, 0), "CVE-2026-47155", "it may load other files than the revision asked for"),
    Reason((0, 17, 0), "CVE-2026-25960", "it can be made to ask addresses of the inner network"),
    Reason((0, 31, 0), "CVE-2026-114053", "counting tokens can run a model's own program code"),
    Reason((0, 30, 0), "CVE-2026-105757", "one request with a schema can end it"),
    Reason((0, 30, 0), "CVE-2026-105760", "one request with a video can end it"),
    Reason((0, 32, 0), "CVE-2026-115911", "one request with a template can block it"),
    Reason((0, 32, 0), "PYSEC-2026-4349", "one request with a template can block it"),
    Reason((0, 24, 0), "PYSEC-2026-2303", _KNOWN),
    Reason((0, 19, 0), "CVE-2026-34756", _KNOWN),
    Reason((0, 14, 1), "CVE-2026-22778", _KNOWN),
)
_VERSION = re.compile(r"v?(\d{1,6})\.(\d{1,6})(?:\.(\d{1,6}))?")


def parsed(version: str) -> Version | None:
    """`0.32.0+cpu` as numbers; None where it is no version."""
    match = _VERSION.match(version.strip())
    return (int(match[1]), int(match[2]), int(match[3] or 0)) if match else None


def objection(version: str) -> str:
    """Why this version should not be used, in a sentence; "" where nothing speaks against it."""
    numbers = parsed(version)
    if numbers is None or numbers >= VLLM_FLOOR:
        return ""
    worst = next(reason for reason in REASONS if reason.fixed_in > numbers)
    floor = ".".join(map(str, VLLM_FLOOR))
    return (
        f"vLLM {shown(version)} is older than {floor}: {worst.what} ({worst.name})."
        " Deploy the model again with a newer one."
    )
