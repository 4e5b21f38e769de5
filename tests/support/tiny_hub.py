"""A Hub with the heavy layer's tiny models, as a process: python -m tests.support.tiny_hub PORT

acme/Tiny-First, acme/Tiny-Second    vLLM serves them
acme/Tiny-Broken                     its weights do not have the shapes that its config.json says
"""

import json
import signal
import sys
from pathlib import Path

from tests.support.cached_programs import tiny_model
from tests.support.hub_api import HubApi

PATTERN = "acme/Anvil-1B"
FIRST, SECOND, BROKEN = "acme/Tiny-First", "acme/Tiny-Second", "acme/Tiny-Broken"


def add(hub: HubApi, name: str, folder: Path, **config: object) -> None:
    """One more repository, of the files in a folder; `config` changes its config.json."""
    hub.copy_repository(PATTERN, name, siblings=[])
    for path in sorted(folder.iterdir()):
        data = path.read_bytes()
        if path.name == "config.json" and config:
            data = json.dumps(json.loads(data) | config).encode()
        hub.add_file(name, path.name, data)


def main(port: int) -> None:
    """Serve until it is ended."""
    with HubApi(port) as hub:
        add(hub, FIRST, tiny_model("first"))
        add(hub, SECOND, tiny_model("second"))
        add(hub, BROKEN, tiny_model("second"), intermediate_size=256)
        print(hub.url, flush=True)
        signal.pause()


if __name__ == "__main__":
    main(int(sys.argv[1]))
