"""The chat template of a repository of safetensors: how it writes calls, and whether it thinks.

It stands in chat_template.jinja, in repositories made before 2025 in tokenizer_config.json.
"""

import json
from collections.abc import Collection

from lib.core.errors import BadInput
from lib.core.names import shown
from lib.hub import cache
from lib.hub.api import ask, file_address
from lib.hub.errors import Asked

TEMPLATE, TOKENIZER = "chat_template.jinja", "tokenizer_config.json"
LONGEST = 8 * 2**20


def chat_template(repo: str, sha: str, paths: Collection[str]) -> str | None:
    """The template at a commit; "" for a model without one, None where nobody can tell.

    Errors: BadInput where the file is no JSON, and those of lib/hub/errors.py.
    """
    if TEMPLATE in paths:
        return _text(Asked(repo, sha, TEMPLATE))
    if TOKENIZER in paths:
        return template_in(_text(Asked(repo, sha, TOKENIZER)))
    return None


def template_in(tokenizer_config: str) -> str:
    """The default one of the templates in a tokenizer_config.json; "" where it has none."""
    try:
        found = json.loads(tokenizer_config)
    except ValueError as error:
        raise BadInput(
            f"Its {TOKENIZER} is no JSON: {shown(str(error))}.", "Choose another repository of it."
        ) from error
    told = found.get("chat_template") if isinstance(found, dict) else None
    if isinstance(told, list):  # several, each with its name
        rows = [row for row in told if isinstance(row, dict)]
        named = {str(row.get("name")): row.get("template") for row in rows}
        told = named.get("tool_use") or named.get("default")
    return told if isinstance(told, str) else ""


def _text(asked: Asked) -> str:
    """A file of the repository, kept on disk: at one commit it never changes."""
    question = f"file {asked.repo} {asked.revision} {asked.path}"
    kept = cache.read(question)
    if kept:
        return kept.text
    answer = ask(file_address(*asked), asked, limit_bytes=LONGEST)
    text = answer.body.decode("utf-8", "replace")
    cache.write(question, text)
    return text
