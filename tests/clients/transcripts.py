"""Official clients against a real Berth: `python -m tests.clients.transcripts`.

openai (Python and Node), anthropic, LiteLLM, llm and LangChain, each in a version that was tried,
in environments of their own. They ask the starter model in the built-in engine, and a model that
calls tools. Printed: each program and what it said; the exit code is the number of failed ones.
"""

import sys
from pathlib import Path

from lib.connect import changes
from lib.connect.clients import CLIENTS
from lib.connect.way import Way
from tests.clients.stage import CALLER, STARTER, berth, npm, person, run, venv

PYTHON = (
    "openai==3.57.0",
    "anthropic==2.14.0",
    "llm==0.36",
    "langchain-openai==1.7.4",
)
LITELLM = ("litellm==1.106.12",)  # which wants another openai
NODE = "openai@7.59.0"
SCRIPTS = Path(__file__).parent / "scripts"
CONTEXT = 8_192


def main() -> int:
    """How many failed."""
    programs, node = venv("official", *PYTHON), npm("node", NODE)
    pythons = {"litellm_python": venv("litellm", *LITELLM) / "python"}
    failed = []
    with berth(CONTEXT) as server, person() as home:
        way = Way(root=server.url, model=STARTER, context=CONTEXT, calls_tools=True)
        changes.make("llm", way, changes.look(CLIENTS["llm"], way).seen)
        world = {"BASE": server.url, "MODEL": STARTER, "CALLER": CALLER}
        world["NODE_PATH"] = str(node.parent)
        commands = [
            *(
                [str(pythons.get(path.stem, programs / "python")), str(path)]
                for path in sorted(SCRIPTS.glob("*.py"))
            ),
            *(["node", str(path)] for path in sorted(SCRIPTS.glob("*.cjs"))),
            ["llm", "-m", "berth", "-o", "temperature", "0", "What is the capital of France?"],
            ["llm", "-m", "berth", "--schema", "city str, country str", "The capital of Italy"],
        ]
        for command in commands:
            print(f"\n$ {' '.join([Path(command[0]).name, Path(command[1]).name, *command[2:]])}")
            said = run(command, programs, home, **world)
            print(said)
            failed += [] if said.endswith("[exit code 0]") else [command[1]]
    print(f"\n{len(commands) - len(failed)} of {len(commands)} programs went well. {failed or ''}")
    return len(failed)


if __name__ == "__main__":
    sys.exit(main())
