"""How a model is asked from elsewhere: texts to paste, each of which works as it stands. Pure.

Where a key is asked for, a text reads it from its file, so that no list of processes and no history
of a shell shows it.
"""

import json
import shlex
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from lib.engines.base import Model, State
from lib.fit.kinds import Task

NO_KEY = "not-needed"  # clients insist on one
JSON_HEADER = "Content-Type: application/json"
HELLO = [{"role": "user", "content": "Hello"}]


class Way(NamedTuple):
    """Where a model is reached, and by which name."""

    base_url: str  # …/v1
    model: str
    key_file: str = ""  # "" where no key is asked for
    key: str = ""  # instead of the file: an API key, where it is shown the one time


class Call(NamedTuple):
    """What is asked of a model of one kind."""

    path: str  # below the base URL
    fields: Mapping[str, Any]  # of the body, but for the model
    method: str  # of the openai package; "" where it has none
    result: str  # what of the answer is printed, in Python and in JavaScript


CHAT = Call(
    "chat/completions", {"messages": HELLO}, "chat.completions.create", "choices[0].message.content"
)
COMPLETION = Call("completions", {"prompt": "Once upon"}, "completions.create", "choices[0].text")
EMBEDDING = Call("embeddings", {"input": "Hello"}, "embeddings.create", "data[0].embedding")
RANKING = Call("rerank", {"query": "Hello", "documents": ["Good day", "Bread"]}, "", "results")
# Ollama's own dialect: what it calls the same.
_OLLAMA = {CHAT.path: "api/chat", COMPLETION.path: "api/generate", EMBEDDING.path: "api/embed"}


def first_model(allowed: Sequence[str] | None, models: Sequence[Model]) -> Model | None:
    """The one to try first with a key for these (None: for all): one that runs, and that chats."""
    found = [one for one in models if allowed is None or one.name in allowed]
    found.sort(key=lambda one: (one.state != State.READY, not one.can_chat))
    return found[0] if found else None


def call_of(model: Model) -> Call:
    """What this model answers."""
    if model.task == Task.EMBEDDING:
        return EMBEDDING
    if model.task == Task.RANKING:
        return RANKING
    return CHAT if model.can_chat else COMPLETION


def curl(call: Call, way: Way) -> str:
    """For a shell, bash or zsh."""
    return _curl(f"{way.base_url}/{call.path}", _body(call, way), _shell_key(way))


def ollama(call: Call, root: str, name: str) -> str:
    """In Ollama's own dialect, for a shell; "" for what it does not have."""
    if call.path not in _OLLAMA:
        return ""
    streams = {} if call == EMBEDDING else {"stream": False}
    return _curl(f"{root}/{_OLLAMA[call.path]}", {"model": name, **call.fields, **streams}, "")


def python(call: Call, way: Way) -> str:
    """For Python with the openai package."""
    lines = ["from openai import OpenAI", ""]
    if way.key_file:
        lines = ["from pathlib import Path", "", *lines]
    lines += [f"client = OpenAI(base_url={_text(way.base_url)}, api_key={_python_key(way)})"]
    if call.method:
        fields = "".join(f"    {key}={_text(value)},\n" for key, value in _body(call, way).items())
        asked, result = f"client.{call.method}(\n{fields})", f"answer.{call.result}"
    else:
        body = _text(_body(call, way))
        asked = f'client.post(\n    "/{call.path}",\n    cast_to=object,\n    body={body},\n)'
        result = f'answer["{call.result}"]'
    return "\n".join([*lines, f"answer = {asked}", f"print({result})"])


def javascript(call: Call, way: Way) -> str:
    """For Node.js, Deno and Bun as a module, and for a page's console where no key is asked for."""
    first, headers = "", '"Content-Type": "application/json"'
    if way.key_file:
        first = 'const { readFile } = await import("node:fs/promises");\n'
        first += f'const key = (await readFile({_text(way.key_file)}, "utf8")).trim();\n'
        headers += ", Authorization: `Bearer ${key}`"
    url, body = _text(f"{way.base_url}/{call.path}"), _text(_body(call, way))
    return (
        f"{first}const answer = await fetch({url}, {{\n"
        f'  method: "POST",\n  headers: {{ {headers} }},\n'
        f"  body: JSON.stringify({body}),\n}});\n"
        f"console.log((await answer.json()).{call.result});"
    )


def environment(way: Way) -> str:
    """For programs that read where OpenAI is, as its own packages do."""
    key = f'"$(cat {shlex.quote(way.key_file)})"' if way.key_file else way.key or NO_KEY
    return (
        f"export OPENAI_BASE_URL={shlex.quote(way.base_url)}\n"
        f"export OPENAI_API_KEY={key}\n"
        f"export OPENAI_MODEL={shlex.quote(way.model)}"
    )


def _body(call: Call, way: Way) -> dict[str, Any]:
    return {"model": way.model, **call.fields}


def _curl(url: str, body: Mapping[str, Any], secret: str) -> str:
    """`secret`: as the shell itself says it."""
    parts = [f"curl {shlex.quote(url)}", f"-H '{JSON_HEADER}'"]
    if secret:
        parts.append(f"-H @<(printf 'Authorization: Bearer %s' {secret})")
    return " \\\n  ".join([*parts, f"-d {shlex.quote(json.dumps(body))}"])


def _shell_key(way: Way) -> str:
    if way.key_file:
        return f'"$(<{shlex.quote(way.key_file)})"'
    return shlex.quote(way.key) if way.key else ""


def _python_key(way: Way) -> str:
    if way.key_file:
        return f"Path({_text(way.key_file)}).read_text().strip()"
    return _text(way.key or NO_KEY)


def _text(value: Any) -> str:
    """As a literal: JSON's are Python's and JavaScript's, as long as nothing is null or a bool."""
    return json.dumps(value, ensure_ascii=False)
