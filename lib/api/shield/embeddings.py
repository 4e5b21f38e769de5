"""/v1/embeddings: texts as vectors."""

from typing import Annotated, Any, Literal, Required

from pydantic import Field, with_config
from typing_extensions import TypedDict

from lib.api.shield import values as v
from lib.api.shield.chat import LLAMACPP, OLLAMA, VLLM
from lib.api.shield.completions import TokenLists
from lib.api.shield.told import Told

Texts = Annotated[list[str], Field(min_length=1, max_length=v.MOST_INPUTS)]


@with_config(v.STRICT)
class Embeddings(TypedDict, total=False):
    """The whole request."""

    model: Required[str]
    input: Required[str | Texts | v.TokenIds | TokenLists]
    encoding_format: Literal["float", "base64"]
    dimensions: Annotated[int, Field(ge=1, le=65_536)]


_COMMON = {"model", "input", "encoding_format"}
TAKES: dict[str, set[str]] = {
    LLAMACPP: _COMMON,
    OLLAMA: _COMMON | {"dimensions"},
    VLLM: _COMMON | {"dimensions"},
}


def adapted(fields: dict[str, Any], engine: str, _told: Told) -> dict[str, Any]:
    """Shorter vectors are another answer: refused where the engine has none."""
    if engine == LLAMACPP and "dimensions" in fields:
        raise v.NotPassedOn(
            "The engine of this model gives whole vectors only.",
            "Leave the field out, and cut and normalise them yourself.",
            "dimensions",
        )
    return fields
