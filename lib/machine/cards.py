"""The NVIDIA graphics cards of this machine, as their driver lists them."""

import re
from pathlib import Path

DRIVER = Path("/proc/driver/nvidia/gpus")
_MODEL = re.compile(r"^Model:\s*(.+?)\s*$", re.MULTILINE)


def nvidia_gpus(driver: Path = DRIVER) -> list[str]:
    """Their names; empty where there is no card or no driver, as on every Mac."""
    found = []
    for file in sorted(driver.glob("*/information")):
        try:
            model = _MODEL.search(file.read_text(encoding="utf-8", errors="replace"))
        except OSError:
            continue
        found.append(model[1] if model else "NVIDIA GPU")
    return found
