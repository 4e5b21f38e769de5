"""Which of vLLM's parsers read a model's tool calls and its thinking.

vLLM chooses none by itself: without them both arrive as raw text, and a wrong name stops the start.
The model's type says much, its chat template the rest: a family has members that think and members
that do not, and a parser for thinking takes all that the others say for thoughts.
"""

import re
from typing import NamedTuple

from lib.core.values import Frozen

# What `--tool-call-parser` takes in 0.32 and in 0.33 (vllm/tool_parsers/__init__.py).
_TOOLS = (
    "apertus cohere_command3 cohere_command4 deepseek_v3 deepseek_v31 deepseek_v32 deepseek_v4"
    " deepseek_v41 dots ernie45 functiongemma gemma4 gigachat3 glm45 glm47 granite granite-20b-fc"
    " granite4 hermes hf hunyuan_a13b hy_v3 hy_v4 inkling internlm jamba k2_horizon kimi_k2 kimi_k3"
    " lfm2 ling3 llama3_json llama4_json llama4_pythonic longcat mimo minicpm5 minimax_m2"
    " minimax_m3 mistral muse_glimmer olmo3 openai phi4_mini_json plamo3 poolside_v1 pythonic"
    " qwen3_coder qwen3_json qwen3_xml seed_oss step3 step3p5 xlam"
)
TOOL_PARSERS = frozenset(_TOOLS.split())
# What `--reasoning-parser` takes in both (vllm/reasoning/__init__.py).
_REASONING = (
    "cohere_command3 cohere_command4 deepseek_r1 deepseek_v3 deepseek_v4 deepseek_v41 ernie45"
    " gemma4 glm45 glm47 granite granite_thinking_parser hf holo2 hunyuan_a13b hy_v3 hy_v4 inkling"
    " k2_horizon kimi_k2 kimi_k3 ling3 mimo minicpmv minimax_m2 minimax_m2_append_think minimax_m3"
    " mistral muse_glimmer nemotron_v3 olmo3 openai_gptoss plamo3 poolside_v1 qwen3 seed_oss step3"
    " step3p5"
)
REASONING_PARSERS = frozenset(_REASONING.split())


class Parsers(Frozen):
    """Names for vLLM's command line; "" where none fits."""

    tool: str = ""
    reasoning: str = ""

    def arguments(self) -> list[str]:
        """The same as flags of `vllm serve`."""
        tools = ["--enable-auto-tool-choice", "--tool-call-parser", self.tool] if self.tool else []
        return tools + (["--reasoning-parser", self.reasoning] if self.reasoning else [])


class _Family(NamedTuple):
    """`thinks` is what a template has in it whose model thinks; "" where all members do.

    Of two rows of one type, the last holds where no template tells.
    """

    types: str
    tool: str = ""
    reasoning: str = ""
    thinks: str = ""


_SWITCH = r"enable_thinking|\bthinking\b"  # a variable that the caller may set
_OPENED = r"<think>(?:\\n|\n|['\"]|\s)*[^<]{0,80}$"  # the reply begins inside its thoughts
_QWEN = rf"enable_thinking|{_OPENED}"
_FAMILIES = (
    _Family("apertus", "apertus"),
    _Family("deepseek_v3", "deepseek_v31", "deepseek_v3", r"\bthinking\b"),
    _Family("deepseek_v3", "deepseek_v3", "deepseek_r1", _OPENED),
    _Family("deepseek_v32", "deepseek_v32", "deepseek_v3", _SWITCH),
    _Family("deepseek_v4", "deepseek_v4", "deepseek_v4", _SWITCH),
    _Family("deepseek_v41", "deepseek_v41", "deepseek_v41", _SWITCH),
    _Family("ernie4_5 ernie4_5_moe", "ernie45", "ernie45", r"<think>"),
    _Family("gemma4 gemma4_text", "gemma4", "gemma4", _SWITCH),
    _Family("glm4_moe glm4v_moe", "glm45", "glm45"),
    _Family("glm4_moe_lite glm_moe_dsa", "glm47", "glm47"),
    _Family("gpt_oss", "openai", "openai_gptoss"),
    _Family("granite granitemoe", "granite", "granite_thinking_parser", "enable_thinking"),
    _Family("granitemoehybrid", "granite4", "granite_thinking_parser", "enable_thinking"),
    _Family("hunyuan_v1_moe", "hunyuan_a13b", "hunyuan_a13b", r"<think>"),
    _Family("hy_v3", "hy_v3", "hy_v3"),
    _Family("hy_v4", "hy_v4", "hy_v4"),
    _Family("internlm2", "internlm"),
    _Family("jamba", "jamba"),
    _Family("kimi_k2", "kimi_k2", "kimi_k2", r"<think>"),
    _Family("kimi_k3", "kimi_k3", "kimi_k3"),
    _Family("lfm2 lfm2_moe", "lfm2"),
    _Family("llama", "", "deepseek_r1", r"</think>"),
    _Family("llama4", "llama4_pythonic"),
    _Family("longcat_flash", "longcat"),
    _Family("minimax_m2", "minimax_m2", "minimax_m2"),
    _Family("minimax_m3", "minimax_m3", "minimax_m3"),
    _Family("mistral mistral3 ministral3 mixtral", "mistral", "mistral", r"\[THINK\]"),
    _Family("nemotron_h", "", "nemotron_v3", _SWITCH),
    _Family("olmo3", "olmo3", "olmo3", r"<think>"),
    _Family("plamo3", "plamo3", "plamo3", r"<think>"),
    _Family("qwen2 qwen2_moe qwen2_vl qwen2_5_vl", "hermes", "deepseek_r1", r"</think>"),
    _Family("qwen3 qwen3_moe qwen3_next", "hermes", "qwen3", _QWEN),
    _Family("qwen3_vl qwen3_vl_moe", "hermes", "qwen3", _QWEN),
    _Family("qwen3_5 qwen3_5_moe", "qwen3_xml", "qwen3", _QWEN),
    _Family("seed_oss", "seed_oss", "seed_oss"),
    _Family("step3p5", "step3p5", "step3p5"),
)
# How a template writes a call: this counts more than the type, and says all of types not listed.
_WRITTEN = (
    (re.compile(r"<function=\w*"), "qwen3_xml"),
    (re.compile(r"<start_function_call>"), "functiongemma"),
    (re.compile(r"<arg_key>"), "glm45"),
    (re.compile(r"\[TOOL_CALLS\]"), "mistral"),
    (re.compile(r"<tool_call>(?:(?!</tool_call>).){0,400}\"name\"", re.DOTALL), "hermes"),
    (re.compile(r"<\|python_tag\|>|Environment: ipython"), "llama3_json"),
    (re.compile(r"<\|tool\|>"), "phi4_mini_json"),
)
_LONGEST_TEMPLATE = 200_000


def parsers_for(model_type: str, template: str | None = None) -> Parsers:
    """The parsers for a model of this `model_type` (config.json) with this chat template.

    Without a template only what holds for every member of the family is chosen.
    """
    families = [family for family in _FAMILIES if model_type in family.types.split()]
    family = families[-1] if families else _Family(model_type)
    if template is None:
        return Parsers(tool=family.tool, reasoning="" if family.thinks else family.reasoning)
    template = template[:_LONGEST_TEMPLATE].strip()
    thinking = next((one for one in families if re.search(one.thinks, template)), None)
    return Parsers(
        tool=_tool(thinking or family, template) if re.search(r"\btools\b", template) else "",
        reasoning=thinking.reasoning if thinking else "",
    )


def _tool(family: _Family, template: str) -> str:
    """By how the template writes calls; GLM's and Qwen's ways are shared by parsers of others."""
    written = next((name for sign, name in _WRITTEN if sign.search(template)), "")
    if written in ("glm45", "hermes") and family.tool not in ("", "hermes", "qwen3_xml"):
        return family.tool
    return written or family.tool
