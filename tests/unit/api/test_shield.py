"""What of a request an engine gets, by dialect; what is left out, and what is refused."""

import json
from typing import Any

import pytest

from lib.api import shield
from lib.api.shield import WrongField
from lib.api.shield.chat import LLAMACPP, OLLAMA, VLLM

USER = {"role": "user", "content": "Hello"}
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
TOOL = {"type": "function", "function": {"name": "look", "parameters": SCHEMA}}
OTHER = {"type": "function", "function": {"name": "other", "parameters": {}}}
LEAST: dict[str, dict[str, Any]] = {
    "/chat/completions": {"messages": [USER]},
    "/completions": {"prompt": "Once"},
    "/embeddings": {"input": "Once"},
    "/rerank": {"query": "which", "documents": ["a", "b"]},
    "/responses": {"input": "Hello"},
    "/messages": {"messages": [USER], "max_tokens": 5},
    "/messages/count_tokens": {"messages": [USER]},
}
EVERYWHERE = pytest.mark.parametrize("path", list(LEAST))


def sent(path: str, engine: str = LLAMACPP, /, **fields: Any) -> dict[str, Any]:
    """What the engine gets."""
    request = shield.checked(path, {"model": "m", **LEAST[path], **fields})
    body: dict[str, Any] = json.loads(shield.for_engine(request, engine, "its-name").body)
    return body


def told(path: str, engine: str = LLAMACPP, /, **fields: Any) -> dict[str, str]:
    """The headers."""
    request = shield.checked(path, {"model": "m", **LEAST[path], **fields})
    headers = shield.for_engine(request, engine, "its-name").headers
    return {name.decode(): value.decode() for name, value in headers}


def chat(engine: str = LLAMACPP, /, **fields: Any) -> dict[str, Any]:
    return sent("/chat/completions", engine, **fields)


@EVERYWHERE
def test_what_is_known_goes_on_under_the_engines_name_for_the_model(path: str) -> None:
    assert sent(path) == {"model": "its-name", **LEAST[path]}
    assert told(path) == {}


@EVERYWHERE
@pytest.mark.parametrize("value", [None, 1, "x", {"a": [1]}, [[]]], ids=repr)
def test_what_is_unknown_is_left_out_and_named(path: str, value: Any) -> None:
    assert sent(path, strange=value) == sent(path)
    named = {} if value is None else {"berth-ignored": "strange"}
    assert told(path, strange=value) == named


@pytest.mark.parametrize("name", ["id_slot", "slot_id", "cache_prompt", "samplers", "n_probs"])
@EVERYWHERE
def test_matters_of_the_engines_own_are_left_out(path: str, name: str) -> None:
    assert name not in sent(path, **{name: 1})


@pytest.mark.parametrize(
    "name",
    ["grammar", "grammar_triggers", "json_schema", "guided_regex", "structured_outputs", "lora",
     "chat_template", "control_vectors"],
)  # fmt: skip
@EVERYWHERE
def test_what_would_change_the_meaning_is_refused(path: str, name: str) -> None:
    with pytest.raises(WrongField, match="no engine gets") as refused:
        sent(path, **{name: [{"id": 0}]})
    assert (refused.value.status, refused.value.param) == (400, name)
    assert sent(path, **{name: None}) == sent(path)


def test_unknown_names_inside_are_left_out_and_named_once() -> None:
    said = [
        {**USER, "foo": 1},
        {"role": "user", "content": [{"type": "text", "text": "a", "x": 1}]},
    ]
    fields = {"messages": [*said, {**USER, "foo": 2}], "stream_options": {"y": 1}, "stream": True}
    assert "foo" not in json.dumps(chat(**fields))
    assert told("/chat/completions", **fields) == {
        "berth-ignored": "messages[].foo, messages[].content[].x, stream_options.y"
    }


def test_names_in_headers_are_clean_and_few() -> None:
    fields = {f"a{number}\r\nSet-Cookie: x=1; é": number for number in range(100)}
    value = told("/chat/completions", **fields)["berth-ignored"]
    assert value.isascii() and value.isprintable()
    assert value.endswith("and 76 more")
    assert len(value) < 4_000
    assert len(told("/chat/completions", **{"b" * 100_000: 1})["berth-ignored"]) < 100


@pytest.mark.parametrize(
    "fields",
    [
        {"n": 0}, {"n": 17}, {"n": True}, {"n": "1"}, {"n": 1.5}, {"max_tokens": 0},
        {"max_tokens": -1}, {"max_tokens": 10**30}, {"max_tokens": "5"}, {"temperature": -1},
        {"temperature": "hot"}, {"temperature": float("inf")}, {"top_p": 2}, {"stop": 5},
        {"stop": ["a"] * 17}, {"stop": "a" * 513}, {"stop": [None]}, {"top_logprobs": 101},
        {"logit_bias": {str(n): 1 for n in range(1_025)}}, {"logit_bias": {"word": 1}},
        {"logit_bias": {"1": 101}}, {"logit_bias": [[1, 1]]}, {"seed": 2**63}, {"stream": "yes"},
        {"messages": []}, {"messages": "Hello"}, {"messages": [USER] * 4_097}, {"messages": [7]},
        {"messages": [{"role": "king", "content": "x"}]}, {"messages": [{"content": "x"}]},
        {"messages": [{"role": "user", "content": 7}]},
        {"messages": [{"role": "user", "content": [{"type": "file", "file": {}}]}]},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "a"}] * 1_025}]},
        {"tools": [TOOL] * 257}, {"tools": [{"type": "function"}]}, {"tools": {}},
        {"tools": [{"type": "function", "function": {"name": "a b"}}]},
        {"tools": [{"type": "function", "function": {"name": "a", "description": "x" * 65_537}}]},
        {"response_format": "json"}, {"response_format": {"type": "xml"}},
        {"response_format": {"type": "json_schema", "schema": SCHEMA}},
        {"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "none"}}},
        {"chat_template_kwargs": {"enable_thinking": "x"}}, {"reasoning_effort": "a lot"},
    ],
    ids=lambda fields: ascii(fields)[:48],
)  # fmt: skip
def test_values_out_of_bounds_are_refused_in_words(fields: dict[str, Any]) -> None:
    with pytest.raises(WrongField) as refused:
        chat(**fields)
    assert refused.value.status == 400
    assert (refused.value.param or "").split(".")[0].split("[")[0] in fields
    assert 10 < len(refused.value.message) < 400


def test_a_wrong_value_is_found_by_the_place_the_client_knows() -> None:
    said = [USER, {"role": "user", "content": [{"type": "text", "text": 5}]}]
    with pytest.raises(WrongField) as refused:
        chat(messages=said)
    assert refused.value.param == "messages[1].content[0].text"
    assert refused.value.message == ("“messages[1].content[0].text” should be a valid string.")


def test_a_text_that_is_no_text_is_refused() -> None:
    with pytest.raises(WrongField):
        chat(messages=[{"role": "user", "content": "\ud800"}])
    with pytest.raises(WrongField):
        chat(tools=[{"type": "function", "function": {"name": "f", "parameters": {"\ud800": 1}}}])


@pytest.mark.parametrize("engine", [LLAMACPP, OLLAMA, VLLM])
def test_the_developer_is_the_system_and_a_text_stands_where_there_was_none(engine: str) -> None:
    said = [{"role": "developer", "content": "Be brief."}, {"role": "user", "content": None}]
    called = {"role": "assistant", "content": None, "tool_calls": [
        {"id": "1", "type": "function", "function": {"name": "f", "arguments": ""}}]}  # fmt: skip
    got = chat(engine, messages=[*said, called, {"role": "assistant", "refusal": None}])["messages"]
    assert got[0] == {"role": "system", "content": "Be brief."}
    assert got[1] == {"role": "user", "content": ""}
    assert got[2]["content"] is None
    assert got[2]["tool_calls"][0]["function"]["arguments"] == "{}"
    assert got[3] == {"role": "assistant", "content": ""}


def test_arguments_of_a_call_are_a_json_object() -> None:
    for arguments in ("{bad", "[]", '{"a":' * 5_000):
        call = {"id": "1", "function": {"name": "f", "arguments": arguments}}
        with pytest.raises(WrongField, match="is no JSON object"):
            chat(messages=[{"role": "assistant", "tool_calls": [call]}])


@pytest.mark.parametrize(
    ("engine", "name"),
    [(LLAMACPP, "reasoning_content"), (OLLAMA, "reasoning"), (VLLM, "reasoning")],
)
@pytest.mark.parametrize("given", ["reasoning", "reasoning_content"])
def test_thoughts_go_back_under_the_name_that_the_engine_has(
    engine: str, name: str, given: str
) -> None:
    said = {"role": "assistant", "content": "Hi", given: "hm"}
    assert chat(engine, messages=[USER, said])["messages"][1] == {
        "role": "assistant", "content": "Hi", name: "hm",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("engine", "name"),
    [(LLAMACPP, "max_tokens"), (OLLAMA, "max_tokens"), (VLLM, "max_completion_tokens")],
)
def test_the_newer_name_of_the_limit_goes_before_the_older(engine: str, name: str) -> None:
    assert chat(engine, max_completion_tokens=7, max_tokens=9)[name] == 7


def test_an_empty_stop_text_is_left_out_and_named() -> None:
    assert "stop" not in chat(stop="")
    assert chat(stop=["", "a"])["stop"] == ["a"]
    assert told("/chat/completions", stop="") == {"berth-ignored": "stop"}
    assert "stop_sequences" not in sent("/messages", stop_sequences=[""])


def test_options_of_a_stream_go_with_a_stream() -> None:
    options = {"include_usage": True}
    assert chat(stream=True, stream_options=options)["stream_options"] == options
    assert "stream_options" not in chat(stream_options=options)
    assert told("/chat/completions", stream_options=options) == {"berth-ignored": "stream_options"}


def test_what_ollama_does_not_do_is_refused_and_what_it_does_not_know_is_named() -> None:
    for fields in (
        {"n": 2},
        {"logit_bias": {"1": 1}},
        {"tools": [TOOL], "tool_choice": "required"},
    ):
        with pytest.raises(WrongField, match="Ollama"):
            chat(OLLAMA, **fields)
    assert chat(OLLAMA, n=1, top_k=5, tools=[TOOL], tool_choice="none") == chat(OLLAMA)
    assert told("/chat/completions", OLLAMA, top_k=5) == {"berth-ignored": "top_k"}


def test_a_named_tool_is_the_only_one_that_the_built_in_engine_sees() -> None:
    named = {"type": "function", "function": {"name": "look"}}
    got = chat(tools=[OTHER, TOOL], tool_choice=named)
    assert [tool["function"]["name"] for tool in got["tools"]] == ["look"]
    assert got["tool_choice"] == "required"
    assert chat(VLLM, tools=[OTHER, TOOL], tool_choice=named)["tool_choice"] == named
    tools = [{"name": name, "input_schema": {}} for name in "ab"]
    got = sent("/messages", tools=tools, tool_choice={"type": "tool", "name": "b"})
    assert ([tool["name"] for tool in got["tools"]], got["tool_choice"]) == (["b"], {"type": "any"})


@pytest.mark.parametrize("path", ["/responses", "/messages"])
def test_tools_that_a_provider_would_run_are_left_out(path: str) -> None:
    assert "tools" not in sent(path, tools=[{"type": "web_search"}])
    assert "tools" in told(path, tools=[{"type": "web_search"}])["berth-ignored"]


def test_tools_are_bounded_together() -> None:
    def tools(parameters: dict[str, Any], count: int) -> list[dict[str, Any]]:
        return [
            {"type": "function", "function": {"name": f"f{n}", "parameters": parameters}}
            for n in range(count)
        ]

    many = {"properties": {f"p{n}": {"pattern": "a"} for n in range(90)}}
    assert len(chat(tools=tools(many, 4))["tools"]) == 4
    for parameters, count in ((many, 5), ({"enum": ["x" * 60_000]}, 20)):
        with pytest.raises(WrongField, match="too large together"):
            chat(tools=tools(parameters, count))


def test_a_tool_that_was_seen_before_goes_on_as_the_first_time() -> None:
    wild = {"type": "object", "properties": {"a": {"type": "string", "pattern": "^(?!x)"}}}
    tools = [{"type": "function", "function": {"name": "f", "parameters": wild}}]
    assert chat(tools=tools) == chat(tools=tools)
    for _ in range(2):
        assert told("/chat/completions", tools=tools) == {"berth-ignored": "tools.f:?pattern"}
    assert chat(VLLM, tools=tools)["tools"][0]["function"]["parameters"]["properties"] == {
        "a": {"type": "string"}
    }


def test_switches_of_templates_are_known_ones() -> None:
    switches = {"enable_thinking": False, "custom": "x"}
    assert chat(chat_template_kwargs=switches)["chat_template_kwargs"] == {"enable_thinking": False}
    assert told("/chat/completions", chat_template_kwargs=switches) == {
        "berth-ignored": "chat_template_kwargs.custom"
    }


@pytest.mark.parametrize(
    "fields", [{"echo": True}, {"suffix": "end"}, {"best_of": 2},
               {"response_format": {"type": "json_object"}}], ids=repr,
)  # fmt: skip
def test_what_completions_take_and_do_not_do_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(WrongField):
        sent("/completions", **fields)
    assert sent("/completions", echo=False, suffix="", best_of=1) == sent("/completions")


def test_probabilities_of_completions_are_told_to_come_in_another_shape() -> None:
    assert "shape" in told("/completions", logprobs=2)["berth-note"]
    assert told("/completions", VLLM, logprobs=2) == {}


def test_a_schema_of_responses_is_put_as_the_built_in_engine_reads_it() -> None:
    wanted = {"type": "json_schema", "name": "x", "schema": SCHEMA}
    got = sent(
        "/responses", text={"format": wanted}, reasoning={"effort": "low", "summary": "auto"}
    )
    assert got["response_format"]["json_schema"] == {"name": "x", "schema": SCHEMA}
    assert got["reasoning_effort"] == "low"
    assert "text" not in got and "reasoning" not in got
    assert sent("/responses", VLLM, text={"format": wanted})["text"] == {"format": wanted}


@pytest.mark.parametrize(
    "fields",
    [{"previous_response_id": "r"}, {"conversation": "c"}, {"background": True},
     {"prompt": {"id": "p"}}, {"input": [{"type": "item_reference", "id": "x"}]}],
    ids=lambda fields: next(iter(fields)),
)  # fmt: skip
def test_what_would_be_stored_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(WrongField):
        sent("/responses", **fields)


def test_items_of_a_response_go_back_in() -> None:
    items = [
        {"role": "developer", "content": "Be brief."},
        {"type": "reasoning", "id": "r", "summary": [], "encrypted_content": None},
        {"type": "reasoning", "id": "r", "summary": [{"type": "summary_text", "text": "hm"}]},
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}", "id": None},
        {"type": "function_call_output", "call_id": "c", "output": "3"},
    ]
    got = sent("/responses", input=items)["input"]
    assert [item.get("type", item.get("role")) for item in got] == [
        "system", "reasoning", "function_call", "function_call_output",
    ]  # fmt: skip
    assert got[1]["content"] == [{"type": "reasoning_text", "text": "hm"}]


def test_blocks_of_a_message_go_back_in_without_marks_for_a_cache() -> None:
    mark = {"cache_control": {"type": "ephemeral"}}
    said = [
        {"role": "user", "content": [{"type": "text", "text": "a", **mark}]},
        {"role": "assistant", "content": [
            {"type": "thinking", "thinking": "hm", "signature": "s"},
            {"type": "tool_use", "id": "1", "name": "f", "input": {"a": 1}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "1", "content": "3"}]},
    ]  # fmt: skip
    fields = {"messages": said, "system": [{"type": "text", "text": "Be brief.", **mark}]}
    assert "cache_control" not in json.dumps(sent("/messages", **fields))
    assert told("/messages", **fields)["berth-ignored"] == (
        "messages[].content[].cache_control, system[].cache_control"
    )
    assert sent("/messages", **fields)["messages"][1]["content"][1]["input"] == {"a": 1}


def test_a_system_turn_among_messages_joins_the_users_and_is_told() -> None:
    system = {"role": "system", "content": [{"type": "text", "text": "Be brief."}]}
    turns = [USER, system, {"role": "assistant", "content": "Yes?"}, system, USER, USER]
    brief, hello = {"type": "text", "text": "Be brief."}, {"type": "text", "text": "Hello"}
    for path in ("/messages", "/messages/count_tokens"):
        assert sent(path, messages=turns)["messages"] == [
            {"role": "user", "content": [hello, brief]},
            {"role": "assistant", "content": "Yes?"},
            {"role": "user", "content": [brief, hello]},
            USER,
        ]
        assert "system turn" in told(path, messages=turns)["berth-note"]


def test_results_of_tools_come_before_what_a_system_turn_said() -> None:
    result = {"type": "tool_result", "tool_use_id": "1", "content": "7"}
    brief = {"type": "text", "text": "Be brief."}
    turns = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [result]},
    ]
    assert sent("/messages", messages=turns)["messages"] == [
        {"role": "user", "content": [result, brief]}
    ]


def test_a_message_needs_its_limit_and_its_structured_form_is_refused() -> None:
    with pytest.raises(WrongField, match="max_tokens"):
        sent("/messages", max_tokens=None)
    with pytest.raises(WrongField, match=r"output_config\.format"):
        sent("/messages", output_config={"format": {"type": "json_schema"}})
    assert told("/messages", output_config={"effort": "low"})["berth-ignored"] == "output_config"


@pytest.mark.parametrize("path", ["/rerank", "/messages/count_tokens"])
def test_a_route_that_an_engine_lacks_is_refused_with_those_that_have_it(path: str) -> None:
    with pytest.raises(shield.NotOffered, match="Ollama, which runs this model, has no") as refused:
        sent(path, OLLAMA)
    assert refused.value.fix == "Ask a model of llama.cpp or vLLM."


def test_documents_are_texts() -> None:
    assert sent("/rerank", documents=["a", {"text": "b"}])["documents"] == ["a", "b"]
    with pytest.raises(WrongField):
        sent("/rerank", documents=[{"content": [{"type": "image_url"}]}])


def test_vectors_are_whole_where_the_engine_has_no_others() -> None:
    with pytest.raises(WrongField, match="whole vectors"):
        sent("/embeddings", dimensions=5)
    assert sent("/embeddings", VLLM, dimensions=5)["dimensions"] == 5


def test_a_required_tool_that_was_not_called_is_told() -> None:
    request = shield.checked("/chat/completions", {
        "model": "m", "messages": [USER], "tools": [TOOL], "tool_choice": "required"})  # fmt: skip
    assert shield.told_of_answer(request, b'{"tool_calls": []}') == []
    [(name, value)] = shield.told_of_answer(request, b'{"content": "no"}')
    assert name == b"berth-note" and b"called none" in value
