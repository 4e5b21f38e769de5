"""The sentences of every known failure, as the real script and the dashboard say them.

python -m tests.bench.failures
"""

import os
import tempfile
from pathlib import Path

from lib.deploy.diagnosis import explained
from tests.support.deployment import Script
from tests.support.failures import FAILURES, Stage
from tests.support.hub_api import HubApi


def main() -> None:
    """Provoke each in a world of its own and print what is said."""
    for provoke, code, _ in FAILURES:
        with tempfile.TemporaryDirectory() as folder, HubApi() as hub:
            world = {"BERTH_HOME": f"{folder}/berth", "HF_ENDPOINT": hub.url}
            os.environ.update(world, OLLAMA_HOST="127.0.0.1:9")
            files = Path(folder, "files")
            files.mkdir()
            done = provoke(Stage(Script(Path(folder, "script")), hub, files))
            found = explained(done.stdout + done.stderr, done.returncode)
        print(f"{provoke.__name__.replace('_', ' ')} (exit {done.returncode}, expected {code})")
        print(f"  cause   {found.cause}\n  line    {found.line}\n  fix     {found.fix}")
        print(f"  button  {found.action} {found.argument}\n", flush=True)


if __name__ == "__main__":
    main()
