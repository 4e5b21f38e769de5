"""Where a server keeps what a GPU slot needs; all of it below one root, so that tests can move it.

Slot N serves on port 8104 + N. Its service carries Berth's mark, and nothing without it is touched.
"""

from pathlib import Path

from lib.core.errors import BadInput
from lib.core.names import repo_name, revision_name, shown
from lib.core.settings import settings
from lib.core.values import Frozen

FIRST_PORT = 8104
MOST_SLOTS = 64
SYSTEM_USER = "berth"


class Places(Frozen):
    """Files and folders of the GPU side; they need not exist."""

    root: Path = Path("/")

    @property
    def units(self) -> Path:
        """Services that this machine's administrator added."""
        return self.root / "etc/systemd/system"

    @property
    def settings(self) -> Path:
        """Secrets and settings of services: the folder is root's alone."""
        return self.root / "etc/berth"

    @property
    def models(self) -> Path:
        """The Hub's files, by repository and revision."""
        return self.root / "var/lib/berth/models"

    @property
    def programs(self) -> Path:
        """Virtual environments of vLLM and LiteLLM."""
        return self.root / "opt/berth"

    def unit(self, slot: int) -> Path:
        """The slot's service (0644)."""
        return self.units / unit_name(slot)

    def env_file(self, slot: int) -> Path:
        """The slot's secrets (0600, root's): `VLLM_API_KEY=…`."""
        return self.settings / f"slot-{slot}.env"

    def cache(self, slot: int) -> Path:
        """HOME, XDG_CACHE_HOME and TMPDIR of the slot's engine."""
        return self.root / f"var/cache/berth/slot-{slot}"

    def state(self, slot: int) -> Path:
        """What was written for the slot, and what was there before."""
        return self.root / f"var/lib/berth/slots/slot-{slot}"

    def model(self, repo: str, revision: str) -> Path:
        """One repository at one revision; BadInput where a name would lead elsewhere."""
        return self.models / repo_name(repo) / revision_name(revision)

    def program(self, name: str, version: str) -> Path:
        """The virtual environment of `vllm` or `litellm` in this version."""
        return self.programs / f"{name}-{version}"


def places() -> Places:
    """Those of this machine, below `BERTH_SYSTEM_ROOT` where that is set."""
    return Places(root=settings().system_root)


def slot_number(text: str | int) -> int:
    """A slot as somebody names it, 0 to 63, or BadInput."""
    digits = str(text).strip()
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 3):
        raise BadInput(f"“{shown(digits)}” is not a slot.", "Slots are numbers: 0, 1, 2, …")
    slot = int(digits)
    if slot >= MOST_SLOTS:
        raise BadInput(f"There is no slot {slot}.", f"Slots go from 0 to {MOST_SLOTS - 1}.")
    return slot


def port(slot: int) -> int:
    """Where the slot's engine listens, on loopback."""
    return FIRST_PORT + slot


def unit_name(slot: int) -> str:
    """The name of the slot's service."""
    return f"berth-slot-{slot}.service"
