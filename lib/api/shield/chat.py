"""/v1/chat/completions: OpenAI's dialect, and what the engines take beside it."""

import json
from typing import Annotated, Any, Literal, NotRequired, Required

from pydantic import BeforeValidator, Field, with_config
from typing_extensions import TypedDict

from lib.api.shield import schemas
from lib.api.shield import values as v
from lib.api.shield.told import Told

Fields = dict[str, Any]
LLAMACPP, OLLAMA, VLLM = "llamacpp", "ollama", "vllm"


@with_config(v.STRICT)
class Address(TypedDict):
    """A picture, as a data: address."""

    url: str
    detail: NotRequired[Literal["auto", "low", "high"] | None]


@with_config(v.STRICT)
class TextPart(TypedDict):
    """A piece of text."""

    type: Literal["text"]
    text: str


@with_config(v.STRICT)
class RefusalPart(TypedDict):
    """What a model has said instead of an answer."""

    type: Literal["refusal"]
    refusal: str


@with_config(v.STRICT)
class ImagePart(TypedDict):
    """A picture."""

    type: Literal["image_url"]
    image_url: Annotated[
        Address, BeforeValidator(lambda value: {"url": value} if isinstance(value, str) else value)
    ]


@with_config(v.STRICT)
class Sound(TypedDict):
    """Recorded speech."""

    data: v.Base64
    format: Literal["wav", "mp3"]


@with_config(v.STRICT)
class SoundPart(TypedDict):
    """The same as a part."""

    type: Literal["input_audio"]
    input_audio: Sound


Part = Annotated[TextPart | RefusalPart | ImagePart | SoundPart, Field(discriminator="type")]
Content = str | Annotated[list[Part], Field(max_length=v.MOST_PARTS)] | None


@with_config(v.STRICT)
class CalledFunction(TypedDict):
    """What a model wanted of a tool."""

    name: v.ToolName
    arguments: v.Arguments


@with_config(v.STRICT)
class Call(TypedDict):
    """The same with its number."""

    id: NotRequired[v.Id]
    type: NotRequired[Literal["function"]]
    function: CalledFunction


@with_config(v.STRICT)
class Said(TypedDict):
    """A turn of somebody who calls no tools."""

    role: Literal["system", "developer", "user"]
    content: NotRequired[Content]
    name: NotRequired[v.Name | None]


@with_config(v.STRICT)
class Answered(TypedDict):
    """A turn of the model's."""

    role: Literal["assistant"]
    content: NotRequired[Content]
    name: NotRequired[v.Name | None]
    refusal: NotRequired[str | None]
    reasoning_content: NotRequired[str | None]
    reasoning: NotRequired[str | None]
    tool_calls: NotRequired[Annotated[list[Call], Field(max_length=v.MOST_CALLS)] | None]


@with_config(v.STRICT)
class Result(TypedDict):
    """What a tool has answered."""

    role: Literal["tool"]
    content: NotRequired[Content]
    tool_call_id: NotRequired[v.Id]
    name: NotRequired[v.Name | None]


Message = Annotated[Said | Answered | Result, Field(discriminator="role")]


@with_config(v.STRICT)
class Function(TypedDict):
    """A tool as it is described."""

    name: v.ToolName
    description: NotRequired[v.Description | None]
    parameters: NotRequired[dict[str, Any] | None]
    strict: NotRequired[bool | None]


@with_config(v.STRICT)
class Tool(TypedDict):
    """A tool that the client runs."""

    type: Literal["function"]
    function: Function


@with_config(v.STRICT)
class Named(TypedDict):
    """A tool by its name."""

    name: v.ToolName


@with_config(v.STRICT)
class NamedTool(TypedDict):
    """The one tool to be called."""

    type: Literal["function"]
    function: Named


@with_config(v.STRICT)
class NamedSchema(TypedDict):
    """What the answer is to be like."""

    name: NotRequired[v.Name | None]
    description: NotRequired[v.Description | None]
    schema: dict[str, Any]
    strict: NotRequired[bool | None]


@with_config(v.STRICT)
class PlainFormat(TypedDict):
    """A text, or any object."""

    type: Literal["text", "json_object"]


@with_config(v.STRICT)
class SchemaFormat(TypedDict):
    """An answer that keeps to a schema."""

    type: Literal["json_schema"]
    json_schema: NamedSchema


ResponseFormat = Annotated[PlainFormat | SchemaFormat, Field(discriminator="type")]


@with_config(v.STRICT)
class StreamOptions(TypedDict, total=False):
    """What a stream tells beside its text."""

    include_usage: bool | None
    continuous_usage_stats: bool | None


@with_config(v.STRICT)
class TemplateSwitches(TypedDict, total=False):
    """The switches of chat templates that are known to do no more than switch."""

    enable_thinking: bool
    thinking: bool
    preserve_thinking: bool
    clear_thinking: bool
    reasoning_effort: v.Name


Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]


class Sampling(TypedDict, total=False):
    """How a reply is drawn; the same in /v1/completions."""

    model: Required[str]
    stream: bool
    stream_options: StreamOptions
    max_tokens: v.MaxTokens
    temperature: v.Temperature
    top_p: v.Share
    top_k: v.TopK
    min_p: v.Share
    typical_p: v.Share
    repeat_penalty: v.Factor
    repetition_penalty: v.Factor
    repeat_last_n: v.TopK
    frequency_penalty: v.Penalty
    presence_penalty: v.Penalty
    seed: v.Seed
    stop: v.Stops
    n: v.Choices
    logit_bias: v.Biases
    ignore_eos: bool
    min_tokens: Annotated[int, Field(ge=0, le=v.MOST_TOKENS)]
    skip_special_tokens: bool
    timings_per_token: bool
    response_format: ResponseFormat


@with_config(v.STRICT)
class Chat(Sampling, total=False):
    """The whole request."""

    messages: Required[Annotated[list[Message], Field(min_length=1, max_length=v.MOST_MESSAGES)]]
    max_completion_tokens: v.MaxTokens
    logprobs: bool
    top_logprobs: v.TopLogprobs
    tools: Annotated[list[Tool], Field(max_length=v.MOST_TOOLS)]
    tool_choice: Literal["none", "auto", "required"] | NamedTool
    parallel_tool_calls: bool
    reasoning_effort: Effort
    chat_template_kwargs: TemplateSwitches
    continue_final_message: bool
    add_generation_prompt: bool


_COMMON = {
    "model", "messages", "stream", "stream_options", "max_tokens", "temperature", "top_p", "seed",
    "stop", "frequency_penalty", "presence_penalty", "response_format", "tools", "tool_choice",
    "logprobs", "top_logprobs", "reasoning_effort",
}  # fmt: skip
_OF_BOTH = {"top_k", "min_p", "n", "logit_bias", "ignore_eos", "parallel_tool_calls"}
_OF_BOTH |= {"chat_template_kwargs"}
TAKES: dict[str, set[str]] = {
    OLLAMA: _COMMON - {"tool_choice"},
    LLAMACPP: _COMMON
    | _OF_BOTH
    | {"typical_p", "repeat_penalty", "repeat_last_n", "timings_per_token"},
    VLLM: _COMMON
    | _OF_BOTH
    | {
        "max_completion_tokens", "repetition_penalty", "min_tokens", "skip_special_tokens",
        "continue_final_message", "add_generation_prompt",
    },
}  # fmt: skip
RENAMED = {
    LLAMACPP: {"max_completion_tokens": "max_tokens", "repetition_penalty": "repeat_penalty"},
    OLLAMA: {"max_completion_tokens": "max_tokens"},
    VLLM: {"repeat_penalty": "repetition_penalty"},
}
_THOUGHTS = {LLAMACPP: "reasoning_content", OLLAMA: "reasoning", VLLM: "reasoning"}


def adapted(fields: Fields, engine: str, told: Told) -> Fields:
    """The same request as this engine understands it."""
    renamed(fields, engine)
    fields["messages"] = [turn(message, engine, told) for message in fields["messages"]]
    without_empty_stops(fields, told)
    sampled(fields, engine, told)
    formatted(fields, engine, told)
    with_tools(fields, engine, told)
    return fields


def renamed(fields: Fields, engine: str) -> None:
    """Fields under the names that this engine has for them; the newer name of two goes before."""
    for name, usual in RENAMED.get(engine, {}).items():
        if name in fields:
            fields[usual] = fields.pop(name)


def turn(message: Fields, engine: str, told: Told) -> Fields:
    """Every role that templates know, and a text where there is none."""
    made = {**message}
    if made["role"] == "developer":
        made["role"] = "system"
    for name in ("name", "refusal", "tool_calls"):
        if made.get(name, ...) is None:
            del made[name]
    if made.get("content") is None and not made.get("tool_calls"):
        made["content"] = ""
    if made["role"] == "assistant":
        _with_thoughts(made, engine)
        for call in made.get("tool_calls", ()):
            function, param = call["function"], "messages[].tool_calls[].function.arguments"
            function["arguments"] = v.arguments_of(function["arguments"], param)
    return made


def _with_thoughts(made: Fields, engine: str) -> None:
    thoughts = [made.pop(name, None) for name in ("reasoning_content", "reasoning")]
    if found := next((thought for thought in thoughts if thought), None):
        made[_THOUGHTS.get(engine, "reasoning_content")] = found


def without_empty_stops(fields: Fields, told: Told) -> None:
    """An empty text would stop before the first token."""
    if "stop" not in fields:
        return
    stops = [text for text in fields["stop"] if text]
    if len(stops) < len(fields["stop"]):
        told.ignore(["stop"])
    fields["stop"] = stops
    if not stops:
        del fields["stop"]


def sampled(fields: Fields, engine: str, told: Told) -> None:
    """What belongs to a stream goes with a stream; what the engine cannot do is refused."""
    if "stream_options" in fields and not fields.get("stream"):
        del fields["stream_options"]
        told.ignore(["stream_options"])
    if engine != VLLM and "stream_options" in fields:
        fields["stream_options"].pop("continuous_usage_stats", None)
    if engine == OLLAMA:
        if fields.get("n", 1) > 1:
            raise v.NotPassedOn("Ollama gives one answer.", "Ask several times.", "n")
        if fields.get("logit_bias"):
            raise v.NotPassedOn("Ollama has no logit_bias.", "Leave the field out.", "logit_bias")
        fields.pop("n", None)
        fields.pop("logit_bias", None)


def formatted(fields: Fields, engine: str, told: Told) -> None:
    """The schema of an answer, checked."""
    wanted = fields.get("response_format", {"type": "text"})
    if wanted["type"] == "json_schema":
        inner, param = wanted["json_schema"], "response_format.json_schema.schema"
        schema = schemas.checked(inner["schema"], param)
        if engine == LLAMACPP:
            schema = schemas.for_llamacpp(schema, told, param)
        named = {"name": inner.get("name") or "answer", "schema": schema}
        fields["response_format"] = {**wanted, "json_schema": {**inner, **named}}


def with_tools(fields: Fields, engine: str, told: Told) -> None:
    """Tools with checked schemas; a choice that the engine would not keep to is put otherwise."""
    tools = fields.pop("tools", [])
    choice = fields.pop("tool_choice", "auto")
    if isinstance(choice, dict):
        chosen = choice["function"]["name"]
        if all(tool["function"]["name"] != chosen for tool in tools):
            raise v.WrongField(
                f"tool_choice names “{chosen}”, and no tool is called so.", param="tool_choice"
            )
    if not tools or (choice == "none" and engine == OLLAMA):
        return
    if engine == OLLAMA and choice != "auto":
        raise v.NotPassedOn(
            "Ollama cannot be made to call a tool.", 'Send tool_choice "auto".', "tool_choice"
        )
    if engine == LLAMACPP and isinstance(choice, dict):  # it takes only the words
        tools = [tool for tool in tools if tool["function"]["name"] == chosen]
        choice = "required"
    _check_together(tools)
    fields["tools"] = [_described(tool, engine, told) for tool in tools]
    if choice != "auto":
        fields["tool_choice"] = choice


def _described(tool: Fields, engine: str, told: Told) -> Fields:
    function = tool["function"]
    rest = {name: value for name, value in function.items() if value is not None}
    if rest.get("parameters"):
        name, mends = function["name"], engine == LLAMACPP
        rest["parameters"] = schemas.of_tool(rest["parameters"], told, name, mends)
    return {**tool, "function": rest}


def _check_together(tools: list[Fields]) -> None:
    text = json.dumps(tools)
    patterns = text.count(schemas.PATTERN)
    is_long = len(text) > schemas.LONGEST_TOGETHER or text.count("{") > schemas.MOST_TOGETHER
    if is_long or patterns > schemas.MOST_PATTERNS_TOGETHER:
        raise v.WrongField("The tools are too large together.", "Send fewer.", "tools")
