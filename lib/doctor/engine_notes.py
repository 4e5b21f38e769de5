"""What speaks against an engine as it is here, in a line: what the doctor's last look has found."""

from lib.core.access import Action, may
from lib.doctor import floors
from lib.doctor.checks.floors import NAME
from lib.doctor.registry import REGISTRY

_CALLED = {"llamacpp": floors.LLAMACPP, "ollama": floors.OLLAMA, "vllm": floors.VLLM}


def engine_note(engine: str) -> str:
    """Why this engine, by the name that its models bear, should be replaced; "" where nothing does.

    It never waits: before the doctor has looked nothing is known. For the owner alone, and not
    where the finding is ignored.
    """
    called = _CALLED.get(engine)
    if called is None or not may(Action.CONFIGURE):
        return ""
    found = [one for one in REGISTRY.seen().shown() if one.id.startswith(f"{NAME}:{called}:")]
    return f"{found[0].title} {found[0].why}" if found else ""
