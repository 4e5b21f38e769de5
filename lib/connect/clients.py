"""The clients that can be pointed at Berth: where their settings are, and what is written there.

Each was run against the gateway with settings made here: Codex 0.171, Claude Code 2.1.332, OpenCode
1.18, llm 0.36. Continue follows its reference of config.yaml, schema v1. Open WebUI keeps its
settings in a database and is told of in words.
"""

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from lib.connect.formats import Item
from lib.connect.formats import Path as Place
from lib.connect.way import Way

OURS = "berth"
# OpenCode writes it into the file where it misses it, which then were not the one Berth wrote.
_OPENCODE_SCHEMA = "https://opencode.ai/config.json"


class Setting(NamedTuple):
    """One value that is written; what carries our name is ours, whatever it holds.

    A default is written only where nothing stands.
    """

    place: Place
    value: Any
    is_ours: bool = False
    is_default: bool = False


class Client(NamedTuple):
    """A program that can use the models here."""

    name: str
    title: str
    what: str  # it is, in a few words
    programs: tuple[str, ...]
    kind: str  # of its file, see formats
    usual: str  # where that file is, below the home folder
    file: Callable[[], Path]
    settings: Callable[[Way], list[Setting]]
    call: str  # the command that tries it
    hidden_by: str = ""  # an older file beside it, which a new one would put out of use


def _home(variable: str, otherwise: str) -> Path:
    return Path(os.environ.get(variable) or otherwise).expanduser()


def _codex_file() -> Path:
    return _home("CODEX_HOME", "~/.codex") / "config.toml"


def _codex(way: Way) -> list[Setting]:
    provider: dict[str, Any] = {"name": "Berth", "base_url": way.base_url, "wire_api": "responses"}
    if way.key.get_secret_value():
        provider["experimental_bearer_token"] = way.secret
    window = [Setting(("model_context_window",), way.context)] if way.context else []
    return [
        Setting(("model",), way.model),
        Setting(("model_provider",), OURS),
        *window,
        Setting(("model_providers", OURS), provider, is_ours=True),
    ]


def _claude_file() -> Path:
    return _home("CLAUDE_CONFIG_DIR", "~/.claude") / "settings.json"


def _claude(way: Way) -> list[Setting]:
    names = ("MODEL", "DEFAULT_OPUS_MODEL", "DEFAULT_SONNET_MODEL", "DEFAULT_HAIKU_MODEL")
    variables = {
        "ANTHROPIC_BASE_URL": way.root,
        "ANTHROPIC_AUTH_TOKEN": way.secret,
        **{f"ANTHROPIC_{name}": way.model for name in names},
        # A line of the system prompt that changes would cost the prompt cache of a local model.
        "CLAUDE_CODE_ATTRIBUTION_HEADER": "0",
    }
    if way.context:  # otherwise it takes an unknown model for one of a million tokens
        variables["CLAUDE_CODE_MAX_CONTEXT_TOKENS"] = str(way.context)
        variables["CLAUDE_CODE_MAX_OUTPUT_TOKENS"] = str(way.longest_answer)
    return [Setting(("env", name), value) for name, value in variables.items()]


def _opencode_file() -> Path:
    folder = _home("XDG_CONFIG_HOME", "~/.config") / "opencode"
    with_comments = folder / "opencode.jsonc"  # read last, so it would win
    return with_comments if with_comments.exists() else folder / "opencode.json"


def _opencode(way: Way) -> list[Setting]:
    model: dict[str, Any] = {"name": way.model}
    if way.context:  # without it, it never shortens a conversation
        model["limit"] = {"context": way.context, "output": way.longest_answer}
    if way.calls_tools is not None:
        model["tool_call"] = way.calls_tools
    if way.can_see:
        model["attachment"] = True
        model["modalities"] = {"input": ["text", "image"], "output": ["text"]}
    provider = {
        "npm": "@ai-sdk/openai-compatible",
        "name": "Berth",
        "options": {"baseURL": way.base_url, "apiKey": way.secret},
        "models": {way.model: model},
    }
    return [
        Setting(("$schema",), _OPENCODE_SCHEMA, is_default=True),
        Setting(("provider", OURS), provider, is_ours=True),
        Setting(("model",), f"{OURS}/{way.model}"),
        Setting(("small_model",), f"{OURS}/{way.model}"),
    ]


def _continue_file() -> Path:
    return _home("CONTINUE_GLOBAL_DIR", "~/.continue") / "config.yaml"


def _continue(way: Way) -> list[Setting]:
    entry: dict[str, Any] = {
        "name": "Berth",
        "provider": "openai",
        "model": way.model,
        "apiBase": way.base_url,
        "apiKey": way.secret,
        "roles": ["chat", "edit", "apply"],
    }
    if way.context:
        entry["defaultCompletionOptions"] = {"contextLength": way.context}
    able = {"tool_use": way.calls_tools, "image_input": way.can_see}
    if found := [name for name, is_so in able.items() if is_so]:
        entry["capabilities"] = found
    return [Setting(("models", Item("name", "Berth")), entry, is_ours=True)]


def _llm_file() -> Path:
    usual = "~/Library/Application Support" if sys.platform == "darwin" else "~/.config"
    folder = os.environ.get("LLM_USER_PATH") or _home("XDG_CONFIG_HOME", usual) / "io.datasette.llm"
    return Path(folder).expanduser() / "extra-openai-models.yaml"


def _llm(way: Way) -> list[Setting]:
    entry: dict[str, Any] = {
        "model_id": OURS,
        "model_name": way.model,
        "api_base": way.base_url,
    }
    if way.key.get_secret_value():  # its own store of keys is a file that others share
        entry["headers"] = {"Authorization": f"Bearer {way.secret}"}
    able = {"supports_tools": way.calls_tools, "supports_schema": True, "vision": way.can_see}
    entry |= {name: True for name, is_so in able.items() if is_so}
    return [Setting((Item("model_id", OURS),), entry, is_ours=True)]


CLIENTS: Mapping[str, Client] = {
    one.name: one
    for one in (
        Client(
            name="codex",
            title="Codex",
            what="OpenAI's coding agent",
            programs=("codex",),
            kind="toml",
            usual=".codex/config.toml",
            file=_codex_file,
            settings=_codex,
            call="codex",
        ),
        Client(
            name="claude",
            title="Claude Code",
            what="Anthropic's coding agent",
            programs=("claude",),
            kind="json",
            usual=".claude/settings.json",
            file=_claude_file,
            settings=_claude,
            call="claude",
        ),
        Client(
            name="opencode",
            title="OpenCode",
            what="An open coding agent",
            programs=("opencode",),
            kind="json",
            usual=".config/opencode/opencode.json",
            file=_opencode_file,
            settings=_opencode,
            call="opencode",
        ),
        Client(
            name="continue",
            title="Continue",
            what="An assistant in VS Code, JetBrains and the terminal",
            programs=("cn",),
            kind="yaml",
            usual=".continue/config.yaml",
            file=_continue_file,
            settings=_continue,
            call="cn",
            hidden_by="config.json",
        ),
        Client(
            name="llm",
            title="llm",
            what="A command for the shell",
            programs=("llm",),
            kind="yaml",
            usual=".config/io.datasette.llm/extra-openai-models.yaml",
            file=_llm_file,
            settings=_llm,
            call="llm -m berth 'Hello'",
        ),
    )
}
BEGINNINGS: Mapping[str, str] = {  # of a file that is not there yet and needs more than ours
    "continue": "name: Local\nversion: 1.0.0\nschema: v1\n",
}
