"""Every test gets its own world: its own BERTH_HOME, and nothing of the machine's environment."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FOREIGN = ("HF_TOKEN", "HF_TOKEN_PATH", "HF_ENDPOINT", "OLLAMA_HOST", "BERTH_EVENTS", "BERTH_PORT")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A BERTH_HOME that no other test has seen."""
    for name in FOREIGN:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OLLAMA_HOST", "127.0.0.1:1")  # nobody's, lest the machine's own is asked
    folder = tmp_path / "berth"
    monkeypatch.setenv("BERTH_HOME", str(folder))
    return folder


@pytest.fixture(scope="session")
def starter_file() -> Path:
    """The real starter model, fetched once by the product's own code and kept between runs."""
    given = os.environ.get("BERTH_TEST_STARTER")
    if given:
        return Path(given)
    cache = ROOT / "tests" / ".cache"
    kept = cache / "starter.gguf"
    if not kept.exists():
        world = {**os.environ, "BERTH_HOME": str(cache / "berth")}
        command = [sys.executable, "-m", "lib.starter", "--download-only"]
        subprocess.run(command, cwd=ROOT, env=world, check=True)
        found = next((cache / "berth" / "models").rglob("*.gguf"))
        shutil.move(found, kept)
    return kept
