"""Schemas and values that would cost an engine its time, or do what no field may do."""

import json
from typing import Any

import pytest

from tests.support.attacks import CLIENT, Place
from tests.support.fake_engine import Running

SAID = [{"role": "user", "content": "Hello"}]
NESTED_UNIONS: Any = {"$defs": {"a0": {"type": "string"}}}
for number in range(1, 20):
    both = [{"$ref": f"#/$defs/a{number - 1}"}] * 8
    NESTED_UNIONS["$defs"][f"a{number}"] = {"anyOf": both}
NESTED_UNIONS["$ref"] = "#/$defs/a19"
SCHEMAS: dict[str, Any] = {
    "another server's": {"$ref": "http://127.0.0.1:1/x.json"},
    "a file's": {"properties": {"a": {"$ref": "file:///etc/hostname"}}},
    "a circle": {"$defs": {"a": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"},
    "one that unfolds without end": NESTED_UNIONS,
    "too many repetitions": {"type": "array", "minItems": 2**31, "items": {"type": "string"}},
    "a count that is none": {"type": "string", "minLength": -1},
    "too large": {"properties": {f"a{number}": {"type": "string"} for number in range(5_000)}},
    "too deep": json.loads('{"items":' * 60 + "{}" + "}" * 60),
}
PATTERNS = ("(?=a)b", "a{1,100000}", "(", "(?<x>a)\\k<x>", "(a|a)*c" * 100)
VALUES: dict[str, Any] = {
    "max_tokens": [2**31, -1, 0, 1.5, "5", True, [5]],
    "temperature": [-1, 1e9, "hot", [1]],
    "top_p": [-0.1, 2, "x"],
    "n": [0, 64, -1, 2**40],
    "stop": [["x"] * 1_000, "x" * 100_000, [7], {"a": "b"}],
    "logit_bias": [{str(n): 1 for n in range(20_000)}, {"x": 1}, {"1": 1e9}, [[1, -1]] * 9],
    "seed": [2**70, "x"],
    "top_logprobs": [100_000, -1],
    "stream": ["true", 1, {}],
    "tools": [[{"type": "function", "function": {"name": f"f{n}"}} for n in range(2_000)], "x"],
    "tool_choice": ["sometimes", {"type": "function", "function": {"name": "x" * 9_999}}],
    "messages": [[], "x", [{}], [{"role": "tool" * 99}], [SAID[0]] * 5_000, {"role": "user"}],
    "response_format": [{"type": "grammar", "grammar": "root ::= x"}, "json", {"type": "gbnf"}],
}


def refused(place: Place, path: str, body: dict[str, Any]) -> bool:
    """Is it told in words that this goes to no engine?"""
    answer = CLIENT.post(f"{place.server.url}/v1{path}", json={"model": "fake", **body}, timeout=30)
    return answer.status_code == 400 and len(answer.json()["error"]["message"]) > 10


def places(schema: Any) -> list[tuple[str, dict[str, Any]]]:
    """Everywhere that a schema may stand in a request."""
    function, named = {"name": "f", "parameters": schema}, {"name": "s", "schema": schema}
    claude = {"messages": SAID, "tools": [{"name": "f", "input_schema": schema}]}
    wanted = {"type": "json_schema", "json_schema": named}
    tools = [{"type": "function", "function": function}]
    return [
        ("/chat/completions", {"messages": SAID, "tools": tools}),
        ("/chat/completions", {"messages": SAID, "response_format": wanted}),
        ("/responses", {"input": "a", "tools": [{"type": "function", **function}]}),
        ("/responses", {"input": "a", "text": {"format": {"type": "json_schema", **named}}}),
        ("/messages", {"max_tokens": 5, **claude}),
        ("/messages/count_tokens", claude),
    ]


@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=list(SCHEMAS))
def test_no_engine_gets_a_schema_that_it_could_not_bear(
    place: Place, fake: Running, schema: Any
) -> None:
    calls = len(fake.record())
    for path, body in places(schema):
        assert refused(place, path, body), path
    assert len(fake.record()) == calls


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda pattern: pattern[:12])
def test_no_engine_gets_a_pattern_that_takes_without_end(
    place: Place, fake: Running, pattern: str
) -> None:
    """In an answer's schema it is refused, in a tool's, where it is a hint, left out and told."""
    calls = len(fake.record())
    for path, body in places({"type": "object", "properties": {"a": {"pattern": pattern}}}):
        sent = {"model": "fake", **body}
        answer = CLIENT.post(f"{place.server.url}/v1{path}", json=sent, timeout=30)
        if "tools" in body:
            assert answer.status_code == 200, answer.text
            assert "pattern" in answer.headers["berth-ignored"]
        else:
            assert answer.status_code == 400
    assert "pattern" not in json.dumps(fake.record()[calls:])


@pytest.mark.parametrize("name", VALUES)
def test_no_engine_gets_a_value_out_of_its_bounds(place: Place, fake: Running, name: str) -> None:
    calls = len(fake.record())
    for value in VALUES[name]:
        assert refused(place, "/chat/completions", {"messages": SAID, name: value}), value
    assert len(fake.record()) == calls
