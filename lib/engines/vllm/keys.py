"""The key of a slot's engine.

It lies in the service's environment file, which is root's alone. So whoever writes that file puts a
copy into the BERTH_HOME of the person who deployed, for a dashboard that does not run as root.
"""

import re
from pathlib import Path

from pydantic import SecretStr

from lib.core.settings import settings
from lib.engines.vllm.places import Places

VARIABLE = "VLLM_API_KEY"
LARGEST_FILE = 65_536
_LINE = re.compile(rf"^{VARIABLE}=(\S+)$", re.MULTILINE)


def slot_key(slot: int, places: Places) -> SecretStr | None:
    """The key of the slot; None where there is none, or it may not be read."""
    found = _LINE.search(_text(places.env_file(slot)))
    text = found[1] if found else _text(key_copy(settings().home, slot)).strip()
    return SecretStr(text) if text else None


def key_copy(home: Path, slot: int) -> Path:
    """Where the owner of this BERTH_HOME has it (0600, theirs): the bare key, and a line end."""
    return home / "slots" / f"slot-{slot}.key"


def _text(path: Path) -> str:
    try:
        with path.open(encoding="utf-8") as file:
            return file.read(LARGEST_FILE)
    except (OSError, ValueError):
        return ""
