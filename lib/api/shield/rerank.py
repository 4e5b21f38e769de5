"""/v1/rerank: texts ranked by how well they answer a query. Texts alone, never addresses."""

from typing import Annotated, Any, Required

from pydantic import Field, with_config
from typing_extensions import TypedDict

from lib.api.shield import values as v
from lib.api.shield.chat import LLAMACPP, VLLM
from lib.api.shield.told import Told


@with_config(v.STRICT)
class Document(TypedDict):
    """A text in an object."""

    text: str


@with_config(v.STRICT)
class Rerank(TypedDict, total=False):
    """The whole request."""

    model: Required[str]
    query: Required[str]
    documents: Required[
        Annotated[list[str | Document], Field(min_length=1, max_length=v.MOST_DOCUMENTS)]
    ]
    top_n: Annotated[int, Field(ge=1, le=v.MOST_DOCUMENTS)]
    return_documents: bool


_COMMON = {"model", "query", "documents", "top_n"}
TAKES: dict[str, set[str]] = {LLAMACPP: _COMMON, VLLM: _COMMON}


def adapted(fields: dict[str, Any], _engine: str, _told: Told) -> dict[str, Any]:
    """Documents as the plain texts that every engine knows."""
    plain = [one if isinstance(one, str) else one["text"] for one in fields["documents"]]
    return {**fields, "documents": plain}
