"""Which parsers read a model's tool calls and thoughts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.engines.vllm.parsers import (
    _FAMILIES,
    _WRITTEN,
    REASONING_PARSERS,
    TOOL_PARSERS,
    Parsers,
    parsers_for,
)

TOOLS = "{% for tool in tools %}{{ tool }}{% endfor %}"
JSON_CALLS = TOOLS + '<tool_call>\n{"name": "f", "arguments": {}}\n</tool_call>'
XML_CALLS = TOOLS + "<tool_call>\n<function=f>\n</function>\n</tool_call>"
HYBRID = JSON_CALLS + "{% if enable_thinking is false %}<think>\n\n</think>{% endif %}"
OPENED = JSON_CALLS + r"{% if add_generation_prompt %}<|im_start|>assistant\n<think>\n{% endif %}"


def test_every_name_in_the_table_is_one_that_vllm_has() -> None:
    tools = {family.tool for family in _FAMILIES} | {name for _, name in _WRITTEN}
    assert tools - {""} <= TOOL_PARSERS
    assert {family.reasoning for family in _FAMILIES} - {""} <= REASONING_PARSERS
    assert (len(TOOL_PARSERS), len(REASONING_PARSERS)) == (54, 38)


@pytest.mark.parametrize(
    ("model_type", "template", "tool", "reasoning"),
    [
        ("qwen2", JSON_CALLS, "hermes", ""),
        ("qwen2", JSON_CALLS + "{{ content.split('</think>') }}", "hermes", "deepseek_r1"),
        ("qwen3", HYBRID, "hermes", "qwen3"),
        ("qwen3", JSON_CALLS, "hermes", ""),
        ("qwen3_moe", OPENED, "hermes", "qwen3"),
        ("qwen3_moe", XML_CALLS, "qwen3_xml", ""),
        ("qwen3_5", XML_CALLS + "{{ enable_thinking }}", "qwen3_xml", "qwen3"),
        ("llama", TOOLS + "Environment: ipython", "llama3_json", ""),
        ("llama", JSON_CALLS, "hermes", ""),
        ("llama", "{{ messages }}", "", ""),
        ("mistral", TOOLS + "[TOOL_CALLS]", "mistral", ""),
        ("mistral3", TOOLS + "[TOOL_CALLS][THINK]", "mistral", "mistral"),
        ("gpt_oss", TOOLS, "openai", "openai_gptoss"),
        ("deepseek_v3", TOOLS, "deepseek_v3", ""),
        ("deepseek_v3", TOOLS + "{% if thinking %}", "deepseek_v31", "deepseek_v3"),
        ("deepseek_v3", TOOLS + r"'<｜Assistant｜><think>\n'", "deepseek_v3", "deepseek_r1"),
        ("glm4_moe", TOOLS + "<tool_call><arg_key>", "glm45", "glm45"),
        ("hunyuan_v1_moe", JSON_CALLS + "<think>", "hunyuan_a13b", "hunyuan_a13b"),
        ("gemma3_text", TOOLS + "<start_function_call>", "functiongemma", ""),
        ("gemma3", "{{ messages }}", "", ""),
        ("phi3", TOOLS + "<|tool|>", "phi4_mini_json", ""),
        ("granitemoehybrid", TOOLS, "granite4", ""),
        ("never_seen", JSON_CALLS, "hermes", ""),
        ("never_seen", "", "", ""),
    ],
)
def test_type_and_template_together_choose(
    model_type: str, template: str, tool: str, reasoning: str
) -> None:
    assert parsers_for(model_type, template) == Parsers(tool=tool, reasoning=reasoning)


def test_without_a_template_only_what_holds_for_the_whole_family_is_chosen() -> None:
    assert parsers_for("qwen3") == Parsers(tool="hermes")
    assert parsers_for("gpt_oss") == Parsers(tool="openai", reasoning="openai_gptoss")
    assert parsers_for("never_seen") == Parsers()


def test_a_template_that_knows_no_tools_gets_no_parser_for_them() -> None:
    assert parsers_for("qwen2", "{{ messages }}").tool == ""


def test_they_become_flags() -> None:
    assert Parsers().arguments() == []
    assert Parsers(tool="hermes", reasoning="qwen3").arguments() == [
        "--enable-auto-tool-choice",
        "--tool-call-parser",
        "hermes",
        "--reasoning-parser",
        "qwen3",
    ]


@given(st.text(max_size=50), st.text(max_size=2_000))
def test_any_type_and_template_get_names_that_exist(model_type: str, template: str) -> None:
    chosen = parsers_for(model_type, template)
    assert chosen.tool in TOOL_PARSERS | {""}
    assert chosen.reasoning in REASONING_PARSERS | {""}
