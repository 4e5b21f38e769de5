"""Whether anything of Ollama is here: pages leave out what nobody has."""

import os
import shutil
from pathlib import Path

MAC_APP = Path("/Applications/Ollama.app")


def is_installed() -> bool:
    """Is its program, or its app on a Mac, on this machine?"""
    return shutil.which("ollama") is not None or MAC_APP.exists()


def is_expected() -> bool:
    """Is it here, has it models here, or was it told where it is?"""
    return is_installed() or bool(os.environ.get("OLLAMA_HOST")) or _has_models()


def _has_models() -> bool:
    try:
        return (Path.home() / ".ollama" / "models").is_dir()
    except (OSError, RuntimeError):  # a user without home
        return False
