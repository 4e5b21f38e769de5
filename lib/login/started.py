"""What an icon and the start at login run: setup.sh of this folder, for this BERTH_HOME."""

import contextlib
import os
import shutil
import sys
from pathlib import Path
from urllib.parse import urlsplit

from lib import dashboard
from lib.core.settings import ROOT, settings
from lib.core.unit_words import require_visible
from lib.core.values import Frozen

USUAL_PORT = 8501
# What decides where models lie and engines are found; no secret among them.
CARRIED = (
    *("PATH", "BERTH_HOME", "HF_ENDPOINT", "HF_HOME", "HF_HUB_CACHE", "HF_HUB_OFFLINE"),
    *("OLLAMA_HOST", "OLLAMA_MODELS", "XDG_CACHE_HOME", "BERTH_LLAMA_SERVER"),
)
BASH = "/bin/bash"


class Started(Frozen):
    """Where Berth lies, and with which environment and port it is started."""

    root: Path
    home: Path
    port: int
    variables: dict[str, str]  # BERTH_HOME among them
    bash: str = BASH

    def command(self, what: str, *more: str) -> list[str]:
        """`setup.sh serve` runs it here, `setup.sh open` in the background, with a browser."""
        script = str(self.root / "setup.sh")
        return [self.bash, script, what, "--port", str(self.port), *more]


def now(port: int = 0) -> Started:
    """As it stands; on `port`, else on that of the Berth that runs. BadInput for odd paths."""
    require_visible(f"{ROOT}{settings().home}")
    return Started(
        root=ROOT,
        home=settings().home,
        port=port or _port(),
        variables=_variables(),
        bash=BASH if sys.platform == "darwin" else shutil.which("bash") or BASH,
    )


def _port() -> int:
    found = dashboard.running()
    return found.port if found else USUAL_PORT


def _variables() -> dict[str, str]:
    known = {name: value for name in CARRIED if (value := os.environ.get(name))}
    known = {name: value for name, value in known.items() if not _has_password(value)}
    return {**known, "BERTH_HOME": str(settings().home)}


def _has_password(value: str) -> bool:
    """An address with one stands in no file of ours: Berth does without the variable then."""
    with contextlib.suppress(ValueError):
        return "@" in urlsplit(value if "://" in value else f"//{value}").netloc
    return True
