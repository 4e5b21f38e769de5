"""LiteLLM's config.yaml as its user left it: looked at, never written again."""

from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from lib.core.errors import BerthError, EngineError
from lib.core.names import shown
from lib.engines.vllm.places import Places
from lib.slots.gateway import files
from lib.slots.gateway.litellm import MASTER_KEY

_KEEP = "It is yours and stays as it is: correct it, then try again."


def problems(places: Places) -> Iterator[BerthError]:
    """What keeps LiteLLM from working with it, as far as that shows without LiteLLM."""
    path = files.config(places)
    if not path.exists():
        return
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        yield EngineError(f"{path} cannot be read: {_first(error)}.", _KEEP)
        return
    if not isinstance(found, dict):
        yield EngineError(f"{path} holds no settings.", _KEEP)
        return
    yield from _lacking(found, str(path))


def _lacking(found: Mapping[str, Any], path: str) -> Iterator[BerthError]:
    included = found.get("include")
    if not isinstance(included, list) or "berth.yaml" not in included:
        yield EngineError(
            f"{path} does not include berth.yaml, so LiteLLM would not know Berth's models.",
            "Add the line: include: [berth.yaml]",
        )
    general = found.get("general_settings")
    key = general.get("master_key") if isinstance(general, dict) else None
    if not key or key == "sk-1234":
        yield EngineError(
            f"{path} names no master key of your own, without which LiteLLM does not start.",
            f"Add under general_settings: master_key: os.environ/{MASTER_KEY}",
        )


def _first(error: Exception) -> str:
    """Where it is wrong, in a line."""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
        return f"line {error.problem_mark.line + 1}: {shown(error.problem or 'no YAML', 200)}"
    return shown(" ".join(str(error).split()), 200)
