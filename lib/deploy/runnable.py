"""Whether a model can be run at all, told before a byte of it is fetched, and what of it is."""

from pathlib import Path

from lib.core.errors import CannotRun
from lib.core.names import shown
from lib.deploy.shapes import EngineChoice
from lib.engines.llamacpp import abilities
from lib.engines.llamacpp.templates import template_name, template_of
from lib.fit.gguf import Header
from lib.fit.kinds import NOT_SERVED, Task, task_of

READS = {
    Task.EMBEDDING: "It makes vectors of texts (embeddings, at /v1/embeddings); it writes none.",
    Task.RANKING: "It ranks texts by a query (at /v1/rerank); it writes none.",
}


def require(name: str, header: Header, engine: EngineChoice) -> None:
    """CannotRun where the engine that was chosen cannot run this model.

    What an Ollama or a llama-server of the user's own knows, nobody can tell from here: they may
    be newer than the engine that comes with Berth.
    """
    task, unable = task_of(header), objection(name, header)
    if unable and (engine.name == "llamacpp" or task in NOT_SERVED):
        raise unable
    if engine.name == "ollama" and task == Task.RANKING:
        raise CannotRun("Ollama does not rank texts.", "Use the built-in engine for this model.")


def objection(name: str, header: Header) -> CannotRun | None:
    """Why the built-in engine cannot run this model; None where it can."""
    return abilities.objection(name, header, task_of(header))


def warnings(file: str, header: Header, engine: EngineChoice) -> list[str]:
    """What a person should know who wants to chat, or where nobody can tell whether it runs."""
    task = task_of(header)
    found = [READS[task]] if task in READS else []
    if task == Task.WRITING and header.chat_template is None:
        found.append(_without_template(Path(file), engine))
    unknown = abilities.unknown_to_engine(header)
    if unknown:
        who = "Ollama" if engine.name == "ollama" else "your own llama-server"
        found.append(f"Whether {who} knows it cannot be told: {abilities.engine()} {unknown}.")
    return found


def _without_template(file: Path, engine: EngineChoice) -> str:
    """That it has none, and how it gets one; or which one beside it is used."""
    if engine.name != "llamacpp":
        return "It has no chat template, so it can only continue a text."
    if file.is_absolute() and (given := template_of(file)):
        return f"It has no chat template of its own: {given} is used."
    name = shown(template_name(file.name))
    return (
        "It has no chat template, so it can only continue a text. "
        f"If you have one, put it beside the file as {name}."
    )
