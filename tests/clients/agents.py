"""Coding agents against a real Berth: `python -m tests.clients.agents [codex claude …]`.

Each is installed from npm in a version that was tried, its settings are written as the page Connect
writes them, and it is asked to make a file: the model calls its shell through the gateway, and is
told what the shell said. Then its settings are taken back. Printed: what each said, and whether the
file and the settings are as they should be. About 1 GB is downloaded. With --real the agents whose
prompt is short ask the starter model in the built-in engine, too: minutes on two cores.
"""

import sys
from pathlib import Path

from lib.connect import changes
from lib.connect.clients import CLIENTS, Client
from lib.connect.way import Way
from tests.clients.stage import CALLER, STARTER, berth, npm, person, run
from tests.support.server import Server

PACKAGES = {
    "codex": "@openai/codex@0.171.0",
    "claude": "@anthropic-ai/claude-code@2.1.332",
    "opencode": "opencode-ai@1.18.33",
    "continue": "@continuedev/cli@1.5.47",
}
COMMANDS = {
    "codex": [
        "codex",
        "exec",
        "--skip-git-repo-check",
        "--dangerously-bypass-approvals-and-sandbox",
    ],
    "claude": ["claude", "--allowedTools", "Bash", "-p"],
    "opencode": ["opencode", "run"],
    "continue": ["cn", "--allow", "Bash", "-p"],
}
WISH = "Make a file with the shell."
HELLO = "Say hello in one short sentence. Use no tool."
QUICK = ("codex", "continue")  # whose prompt the small model reads in a minute
REAL = "--real"
CONTEXT = 32_768
BEFORE = {
    "codex": "# mine\n",
    "claude": '{\n  "theme": "dark"\n}\n',
    "opencode": '{\n  "$schema": "https://opencode.ai/config.json"\n}\n',  # it adds that itself
    "continue": "",
}


def try_one(client: Client, server: Server, programs: Path) -> bool:
    """Settings in, a question with a tool, a question to the real model, settings out."""
    with person() as home:
        path = client.file()
        before = BEFORE[client.name].encode()
        if before:
            path.parent.mkdir(parents=True)
            path.write_bytes(before)
        _write(client, server, CALLER)
        print(f"\n== {client.title} ({PACKAGES[client.name]}), a model that calls its shell")
        print(run([*COMMANDS[client.name], WISH], programs, home))
        made = home / "work" / "made.txt"
        is_made = made.exists() and made.read_text() == "made by an agent\n"
        if REAL in sys.argv and client.name in QUICK:
            _write(client, server, STARTER)
            print(f"\n== {client.title}, {STARTER} in the built-in engine")
            print(run([*COMMANDS[client.name], HELLO], programs, home))
        changes.take_back(client.name)
        is_back = path.read_bytes() == before if before else not path.exists()
        print(f"\n{client.title}: file made: {is_made}; settings as before: {is_back}")
        return is_made and is_back


def _write(client: Client, server: Server, model: str) -> None:
    way = Way(root=server.url, model=model, context=CONTEXT, calls_tools=True)
    changes.make(client.name, way, changes.look(client, way).seen)


def main() -> int:
    """0 where every agent did what was asked."""
    names = [name for name in sys.argv[1:] if name != REAL] or list(PACKAGES)
    programs = npm("agents", *(PACKAGES[name] for name in names))
    with berth(CONTEXT) as server:
        well = [try_one(CLIENTS[name], server, programs) for name in names]
    print(f"\n{sum(well)} of {len(well)} agents did what was asked.")
    return 0 if all(well) else 1


if __name__ == "__main__":
    sys.exit(main())
