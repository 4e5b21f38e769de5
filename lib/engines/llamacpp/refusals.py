"""What a running model of the built-in engine is not asked for, and why."""

from lib.core.errors import EngineDown, EngineError
from lib.core.names import shown
from lib.engines.base import DeltaStream
from lib.engines.llamacpp.records import Record
from lib.engines.llamacpp.templates import template_name
from lib.engines.openai_api import failed_stream
from lib.fit.kinds import Task


def require_writing(model: str, task: Task) -> None:
    """EngineError where it only reads."""
    if task != Task.WRITING:
        raise writes_nothing(model, task)


def writes_nothing(model: str, task: Task) -> EngineError:
    """What it does instead, and where."""
    path = "/v1/rerank" if task == Task.RANKING else "/v1/embeddings"
    does = "ranks texts" if task == Task.RANKING else "makes vectors of texts"
    return EngineError(
        f"“{shown(model)}” {does} and writes none.", f"Ask it at {path}, or choose another model."
    )


def require_template(record: Record) -> None:
    """EngineError where it has none."""
    if not record.can_chat:
        raise EngineError(
            f"“{record.model}” has no chat template, so it can only continue a text.",
            "Choose one that was made to chat: its name often ends in Instruct or it. Or put a "
            f"template beside its file as {shown(template_name(record.path))}, and start it again.",
        )


def not_running(model: str) -> DeltaStream:
    """A reply that fails at once."""
    return failed_stream(
        EngineDown(f"“{shown(model)}” does not run.", "Start it on the Models page.")
    )
