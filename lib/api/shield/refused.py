"""Fields that no engine gets from outside, and without which a request would mean another thing.

What is not here and on no list is left out, and its name is told.
"""

from collections.abc import Mapping, Set
from typing import Any

from lib.api.shield.values import NotPassedOn
from lib.core.names import shown

_SCHEMA = 'Send response_format with {"type": "json_schema", …}.'
_NONE = "Leave the field out."

_OWN_GRAMMAR = ("grammar", "grammar_lazy", "grammar_triggers", "guided_grammar", "guided_regex")
_OWN_SCHEMA = (
    "json_schema", "guided_json", "guided_choice", "structured_outputs", "output_format",
)  # fmt: skip
_OTHER = {
    "chat_template": "The model's own template is used. Leave the field out.",
    "lora": "Deploy the model with its adapter. Leave the field out.",
    "lora_request": "Deploy the model with its adapter. Leave the field out.",
    "adapters": "Deploy the model with its adapter. Leave the field out.",
    "control_vectors": _NONE,
    "functions": "Send tools.",
    "function_call": "Send tool_choice.",
    "prompt_embeds": "Send the prompt as a text.",
    "use_beam_search": _NONE,
    "echo": "Put the prompt before the answer yourself.",
    "suffix": "Send the prompt alone.",
    "previous_response_id": "Nothing is stored here: send the whole conversation.",
    "conversation": "Nothing is stored here: send the whole conversation.",
    "background": "Nothing is stored here: wait for the answer, or stream it.",
    "audio": "Engines answer with text. Leave the field out.",
}
REFUSED: Mapping[str, str] = {
    **dict.fromkeys(_OWN_GRAMMAR, _SCHEMA),
    **dict.fromkeys(_OWN_SCHEMA, _SCHEMA),
    **_OTHER,
}


_OF_ONE_PATH = {
    "/responses": {"prompt": "Send the text itself as input."},
    "/messages": {"mcp_servers": "Call them yourself, and send what they say."},
}


def refuse(path: str, fields: Mapping[str, Any], known: Set[str]) -> None:
    """NotPassedOn for the first of these fields that is not `known` and asks for something."""
    table = {**REFUSED, **_OF_ONE_PATH.get(path, {})}
    for name in fields:
        if name in table and name not in known and fields[name] not in (False, "", [], {}):
            raise not_passed_on(name, table[name])
    config = fields.get("output_config")
    if isinstance(config, dict) and config.get("format"):
        raise not_passed_on("output_config.format", "Ask for it in words, or by a tool.")


def not_passed_on(name: str, fix: str) -> NotPassedOn:
    """The refusal of one field."""
    return NotPassedOn(f"“{shown(name)}” is a field that no engine gets from outside.", fix, name)
