"""/v1/responses: OpenAI's newer dialect. Nothing is stored here, so each request says it all."""

from typing import Annotated, Any, Literal, NotRequired, Required

from pydantic import BeforeValidator, Discriminator, Field, Tag, with_config
from typing_extensions import TypedDict

from lib.api.shield import chat, schemas
from lib.api.shield import values as v
from lib.api.shield.chat import LLAMACPP, OLLAMA, VLLM
from lib.api.shield.told import Told


@with_config(v.STRICT)
class InputText(TypedDict):
    """A piece of text that goes in."""

    type: Literal["input_text"]
    text: str


@with_config(v.STRICT)
class OutputText(TypedDict):
    """A piece of text that came out."""

    type: Literal["output_text"]
    text: str


@with_config(v.STRICT)
class InputImage(TypedDict):
    """A picture, as a data: address."""

    type: Literal["input_image"]
    image_url: str
    detail: NotRequired[Literal["auto", "low", "high"] | None]


Part = Annotated[
    InputText | OutputText | InputImage | chat.RefusalPart, Field(discriminator="type")
]
Parts = Annotated[list[Part], Field(max_length=v.MOST_PARTS)]


@with_config(v.STRICT)
class Message(TypedDict):
    """A turn."""

    type: NotRequired[Literal["message"]]
    role: Literal["user", "assistant", "system", "developer"]
    content: str | Parts
    id: NotRequired[v.Id | None]
    status: NotRequired[Literal["in_progress", "completed", "incomplete"] | None]


@with_config(v.STRICT)
class Call(TypedDict):
    """What a model wanted of a tool."""

    type: Literal["function_call"]
    call_id: v.Id
    name: v.ToolName
    arguments: v.Arguments
    id: NotRequired[v.Id | None]
    status: NotRequired[Literal["in_progress", "completed", "incomplete"] | None]


@with_config(v.STRICT)
class Result(TypedDict):
    """What the tool has answered."""

    type: Literal["function_call_output"]
    call_id: v.Id
    output: str | Parts
    id: NotRequired[v.Id | None]
    status: NotRequired[Literal["in_progress", "completed", "incomplete"] | None]


@with_config(v.STRICT)
class Thought(TypedDict):
    """A piece of what a model has thought."""

    type: Literal["reasoning_text", "summary_text"]
    text: str


Thoughts = Annotated[list[Thought], Field(max_length=v.MOST_PARTS)]


@with_config(v.STRICT)
class Reasoning(TypedDict):
    """What a model has thought before it answered."""

    type: Literal["reasoning"]
    id: NotRequired[v.Id | None]
    summary: NotRequired[Thoughts]
    content: NotRequired[Thoughts | None]


def _kind(item: Any) -> str:
    return str(item.get("type", "message")) if isinstance(item, dict) else ""


Item = Annotated[
    Annotated[Message, Tag("message")]
    | Annotated[Call, Tag("function_call")]
    | Annotated[Result, Tag("function_call_output")]
    | Annotated[Reasoning, Tag("reasoning")],
    Discriminator(_kind),
]


@with_config(v.STRICT)
class Tool(TypedDict):
    """A tool that the client runs."""

    type: Literal["function"]
    name: v.ToolName
    description: NotRequired[v.Description | None]
    parameters: NotRequired[dict[str, Any] | None]
    strict: NotRequired[bool | None]


@with_config(v.STRICT)
class NamedTool(TypedDict):
    """The one tool to be called."""

    type: Literal["function"]
    name: v.ToolName


@with_config(v.STRICT)
class SchemaFormat(TypedDict):
    """An answer that keeps to a schema."""

    type: Literal["json_schema"]
    name: NotRequired[v.Name | None]
    description: NotRequired[v.Description | None]
    schema: dict[str, Any]
    strict: NotRequired[bool | None]


@with_config(v.STRICT)
class Text(TypedDict, total=False):
    """What the answer is to be like."""

    format: Annotated[chat.PlainFormat | SchemaFormat, Field(discriminator="type")]


@with_config(v.STRICT)
class Effort(TypedDict, total=False):
    """How long to think."""

    effort: chat.Effort | None


def own_tools(tools: Any) -> Any:
    """Those that a client runs itself; a provider's own (a web search, say) nobody runs here."""
    if not isinstance(tools, list):
        return tools
    own = ("function", None)
    return [one for one in tools if not isinstance(one, dict) or one.get("type") in own]


@with_config(v.STRICT)
class Responses(TypedDict, total=False):
    """The whole request."""

    model: Required[str]
    input: Required[str | Annotated[list[Item], Field(max_length=v.MOST_MESSAGES)]]
    instructions: str
    max_output_tokens: v.MaxTokens
    temperature: v.Temperature
    top_p: v.Share
    stream: bool
    tools: Annotated[list[Tool], Field(max_length=v.MOST_TOOLS), BeforeValidator(own_tools)]
    tool_choice: Literal["none", "auto", "required"] | NamedTool
    parallel_tool_calls: bool
    text: Text
    reasoning: Effort
    top_logprobs: v.TopLogprobs


_COMMON = {
    "model", "input", "instructions", "max_output_tokens", "temperature", "top_p", "stream",
    "tools", "tool_choice", "text", "reasoning",
}  # fmt: skip
TAKES: dict[str, set[str]] = {
    # The last two are what `adapted` makes of `text` and `reasoning`.
    LLAMACPP: _COMMON | {"parallel_tool_calls", "response_format", "reasoning_effort"},
    OLLAMA: _COMMON,
    VLLM: _COMMON | {"parallel_tool_calls", "top_logprobs"},
}


def adapted(fields: dict[str, Any], engine: str, told: Told) -> dict[str, Any]:
    """The same request as this engine understands it."""
    if isinstance(fields["input"], list):
        items = [_item(item) for item in fields["input"]]
        fields["input"] = [item for item in items if item]
    _formatted(fields, engine, told)
    _with_tools(fields, engine, told)
    effort = fields.get("reasoning", {}).get("effort")
    if engine == LLAMACPP and fields.pop("reasoning", None) and effort:
        fields["reasoning_effort"] = effort  # as its chat has it; it reads no other
    return fields


def _item(item: dict[str, Any]) -> dict[str, Any]:
    """As every engine reads it; nothing where it says nothing."""
    made = {name: value for name, value in item.items() if value is not None}
    if made.get("role") == "developer":
        made["role"] = "system"
    if made.get("type") == "function_call":
        made["arguments"] = v.arguments_of(made["arguments"], "input[].arguments")
    if made.get("type") == "reasoning":
        thoughts = made.get("content") or made.get("summary") or []
        content = [{"type": "reasoning_text", "text": thought["text"]} for thought in thoughts]
        return {"summary": [], **made, "content": content} if content else {}
    return made


def _formatted(fields: dict[str, Any], engine: str, told: Told) -> None:
    """The built-in engine takes the form of its chat, and no other."""
    wanted = fields.get("text", {}).get("format", {"type": "text"})
    if wanted["type"] == "json_schema":
        schema = schemas.checked(wanted["schema"], "text.format.schema")
        if engine == LLAMACPP:
            schema = schemas.for_llamacpp(schema, told, "text.format.schema")
        wanted = {**wanted, "name": wanted.get("name") or "answer", "schema": schema}
        fields["text"] = {"format": wanted}
    if engine == LLAMACPP and fields.pop("text", None) and wanted["type"] != "text":
        inner = {name: value for name, value in wanted.items() if name != "type"}
        is_schema = wanted["type"] == "json_schema"
        fields["response_format"] = {
            "type": wanted["type"],
            **({"json_schema": inner} if is_schema else {}),
        }


def _with_tools(fields: dict[str, Any], engine: str, told: Told) -> None:
    """By way of chat's form of the same, whose rules these are."""
    tools, choice = fields.pop("tools", []), fields.pop("tool_choice", None)
    fields["tools"] = [
        {"type": "function", "function": {k: x for k, x in tool.items() if k != "type"}}
        for tool in tools
    ]
    if isinstance(choice, dict):
        fields["tool_choice"] = {"type": "function", "function": {"name": choice["name"]}}
    elif choice:
        fields["tool_choice"] = choice
    chat.with_tools(fields, engine, told)
    if "tools" in fields:
        fields["tools"] = [{"type": "function", **tool["function"]} for tool in fields["tools"]]
    if isinstance(chosen := fields.get("tool_choice"), dict):
        fields["tool_choice"] = {"type": "function", **chosen["function"]}
