"""/v1/messages and /v1/messages/count_tokens: Anthropic's dialect."""

from typing import Annotated, Any, Literal, NotRequired, Required

from pydantic import BeforeValidator, Field, with_config
from typing_extensions import TypedDict

from lib.api.shield import chat
from lib.api.shield import values as v
from lib.api.shield.chat import LLAMACPP, OLLAMA, VLLM
from lib.api.shield.responses import own_tools
from lib.api.shield.told import Told


@with_config(v.STRICT)
class TextBlock(TypedDict):
    """A piece of text."""

    type: Literal["text"]
    text: str


@with_config(v.STRICT)
class Source(TypedDict):
    """A picture in the request itself."""

    type: Literal["base64"]
    media_type: Literal["image/jpeg", "image/png", "image/gif", "image/webp"]
    data: v.Base64


@with_config(v.STRICT)
class ImageBlock(TypedDict):
    """A picture."""

    type: Literal["image"]
    source: Source


@with_config(v.STRICT)
class UseBlock(TypedDict):
    """What a model wanted of a tool."""

    type: Literal["tool_use"]
    id: v.Id
    name: v.ToolName
    input: dict[str, Any]


ResultPart = Annotated[TextBlock | ImageBlock, Field(discriminator="type")]


@with_config(v.STRICT)
class ResultBlock(TypedDict):
    """What the tool has answered."""

    type: Literal["tool_result"]
    tool_use_id: v.Id
    content: NotRequired[str | Annotated[list[ResultPart], Field(max_length=v.MOST_PARTS)] | None]
    is_error: NotRequired[bool | None]


@with_config(v.STRICT)
class ThinkingBlock(TypedDict):
    """What a model has thought before it answered."""

    type: Literal["thinking"]
    thinking: str
    signature: NotRequired[str | None]


Block = Annotated[
    TextBlock | ImageBlock | UseBlock | ResultBlock | ThinkingBlock, Field(discriminator="type")
]


@with_config(v.STRICT)
class Turn(TypedDict):
    """A turn."""

    role: Literal["user", "assistant", "system"]
    content: str | Annotated[list[Block], Field(max_length=v.MOST_PARTS)]


@with_config(v.STRICT)
class Tool(TypedDict):
    """A tool that the client runs."""

    name: v.ToolName
    description: NotRequired[v.Description | None]
    input_schema: dict[str, Any]


@with_config(v.STRICT)
class AnyChoice(TypedDict):
    """Whether a tool is to be called."""

    type: Literal["auto", "any", "none"]


@with_config(v.STRICT)
class ToolChoice(TypedDict):
    """The one tool to be called."""

    type: Literal["tool"]
    name: v.ToolName


@with_config(v.STRICT)
class Thinking(TypedDict):
    """Whether, and how long, to think."""

    type: Literal["enabled", "disabled", "adaptive"]
    budget_tokens: NotRequired[v.MaxTokens]


def _own_tools(tools: Any) -> Any:
    """Here `custom` is the word for a tool of the client's."""
    if not isinstance(tools, list):
        return tools
    return own_tools(
        [
            {name: value for name, value in one.items() if (name, value) != ("type", "custom")}
            if isinstance(one, dict)
            else one
            for one in tools
        ]
    )


class Counted(TypedDict, total=False):
    """What has a length."""

    model: Required[str]
    messages: Required[Annotated[list[Turn], Field(min_length=1, max_length=v.MOST_MESSAGES)]]
    system: str | Annotated[list[TextBlock], Field(max_length=v.MOST_PARTS)]
    tools: Annotated[list[Tool], Field(max_length=v.MOST_TOOLS), BeforeValidator(_own_tools)]
    tool_choice: Annotated[AnyChoice | ToolChoice, Field(discriminator="type")]
    thinking: Thinking


@with_config(v.STRICT)
class CountTokens(Counted, total=False):
    """The whole request of /v1/messages/count_tokens."""


@with_config(v.STRICT)
class Messages(Counted, total=False):
    """The whole request of /v1/messages."""

    max_tokens: Required[v.MaxTokens]
    stop_sequences: v.Stops
    stream: bool
    temperature: v.Temperature
    top_k: v.TopK
    top_p: v.Share


_COUNTED = {"model", "messages", "system", "tools", "tool_choice", "thinking"}
_WRITTEN = _COUNTED | {"max_tokens", "stop_sequences", "stream", "temperature", "top_k", "top_p"}
TAKES: dict[str, set[str]] = {
    LLAMACPP: _WRITTEN,
    VLLM: _WRITTEN - {"thinking"},
    OLLAMA: _WRITTEN - {"tool_choice"},
}
COUNT_TAKES: dict[str, set[str]] = {LLAMACPP: _COUNTED, VLLM: _COUNTED - {"thinking"}}
_WORDS = {"auto": "auto", "any": "required", "none": "none"}


def adapted(fields: dict[str, Any], engine: str, told: Told) -> dict[str, Any]:
    """The same request as this engine understands it."""
    if any(turn["role"] == "system" for turn in fields["messages"]):
        fields["messages"] = _without_system_turns(fields["messages"])
        told.note("a system turn among the messages is read as the user's")
    for turn in fields["messages"]:
        for block in turn["content"] if isinstance(turn["content"], list) else ():
            if block["type"] == "tool_use":
                v.bounded(block["input"], "messages[].content[].input")
            if block["type"] == "tool_result" and block.get("content", "") is None:
                del block["content"]
    _without_empty_stops(fields, told)
    _with_tools(fields, engine, told)
    return fields


def _without_system_turns(turns: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same said by the user: agents put such turns anywhere, and few templates take them there.

    Nor do templates take two turns of the user's in a row, so one joins its neighbours.
    """
    made: list[dict[str, Any]] = []
    can_join = False
    for turn in turns:
        is_system = turn["role"] == "system"
        role = "user" if is_system else turn["role"]
        if made and role == "user" == made[-1]["role"] and (is_system or can_join):
            blocks = _blocks(made[-1]) + _blocks(turn)
            blocks.sort(key=lambda block: block["type"] != "tool_result")  # these have to be first
            made[-1] = {"role": role, "content": blocks}
        else:
            made.append({**turn, "role": role})
        can_join = is_system
    return made


def _blocks(turn: dict[str, Any]) -> list[dict[str, Any]]:
    content = turn["content"]
    return [{"type": "text", "text": content}] if isinstance(content, str) else [*content]


def _without_empty_stops(fields: dict[str, Any], told: Told) -> None:
    stops = fields.pop("stop_sequences", [])
    kept = [text for text in stops if text]
    if len(kept) < len(stops):
        told.ignore(["stop_sequences"])
    if kept:
        fields["stop_sequences"] = kept


def _with_tools(fields: dict[str, Any], engine: str, told: Told) -> None:
    """By way of chat's form of the same, whose rules these are."""
    tools, choice = fields.pop("tools", []), fields.pop("tool_choice", {"type": "auto"})
    form: dict[str, Any] = {"tools": [_as_function(tool) for tool in tools]}
    form["tool_choice"] = _WORDS.get(choice["type"]) or {
        "type": "function",
        "function": {"name": choice["name"]},
    }
    chat.with_tools(form, engine, told)
    if "tools" not in form:
        return
    fields["tools"] = [_as_tool(tool["function"]) for tool in form["tools"]]
    chosen = form.get("tool_choice", "auto")
    if isinstance(chosen, dict):
        fields["tool_choice"] = {"type": "tool", "name": chosen["function"]["name"]}
    elif chosen != "auto":
        fields["tool_choice"] = {"type": "any" if chosen == "required" else chosen}


def _as_function(tool: dict[str, Any]) -> dict[str, Any]:
    rest = {name: value for name, value in tool.items() if name != "input_schema"}
    return {"type": "function", "function": {**rest, "parameters": tool["input_schema"]}}


def _as_tool(function: dict[str, Any]) -> dict[str, Any]:
    rest = {name: value for name, value in function.items() if name != "parameters"}
    return {**rest, "input_schema": function.get("parameters") or {"type": "object"}}
