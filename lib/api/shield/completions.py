"""/v1/completions: a text is continued."""

from typing import Annotated, Any, Required

from pydantic import Field, with_config

from lib.api.shield import chat
from lib.api.shield import values as v
from lib.api.shield.told import Told

Texts = Annotated[list[str], Field(min_length=1, max_length=v.MOST_INPUTS)]
TokenLists = Annotated[list[v.TokenIds], Field(min_length=1, max_length=v.MOST_INPUTS)]
_SAME_SHAPE = "logprobs come in the shape that /v1/chat/completions has"


@with_config(v.STRICT)
class Completions(chat.Sampling, total=False):
    """The whole request."""

    prompt: Required[str | Texts | v.TokenIds | TokenLists]
    logprobs: v.TopLogprobs
    echo: bool
    suffix: str
    best_of: v.Choices


TAKES: dict[str, set[str]] = {
    engine: (names - {"tools", "tool_choice", "reasoning_effort", "chat_template_kwargs"})
    - {"messages", "top_logprobs", "response_format", "parallel_tool_calls"}
    - {"continue_final_message", "add_generation_prompt", "max_completion_tokens"}
    | {"prompt"}
    for engine, names in chat.TAKES.items()
}
TAKES[chat.VLLM] |= {"echo", "response_format"}
TAKES[chat.OLLAMA] |= {"suffix"}


def adapted(fields: dict[str, Any], engine: str, told: Told) -> dict[str, Any]:
    """The same request as this engine understands it; refused where it would do something else."""
    chat.renamed(fields, engine)
    chat.without_empty_stops(fields, told)
    chat.sampled(fields, engine, told)
    _check_abilities(fields, engine)
    if engine == chat.VLLM:
        chat.formatted(fields, engine, told)
    if engine == chat.LLAMACPP and fields.get("logprobs"):
        told.note(_SAME_SHAPE)
    return fields


def _check_abilities(fields: dict[str, Any], engine: str) -> None:
    """What these engines take without a word and do not do."""
    takes = TAKES[engine]
    if fields.get("best_of", 1) > fields.get("n", 1):
        raise v.NotPassedOn("No engine here chooses the best of several.", "Send n.", "best_of")
    wanted = fields.get("response_format", {"type": "text"})["type"]
    for name, is_asked in (
        ("echo", fields.get("echo", False)),
        ("suffix", bool(fields.get("suffix"))),
        ("response_format", wanted != "text"),
    ):
        if is_asked and name not in takes:
            raise v.NotPassedOn(
                f"This engine does not do “{name}” in /v1/completions.",
                "Use /v1/chat/completions, or leave the field out.",
                name,
            )
    if engine == chat.OLLAMA and not isinstance(fields["prompt"], str):
        raise v.WrongField("Ollama continues one text.", "Send one text.", "prompt")
