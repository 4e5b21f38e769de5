"""The description of all routes as a page: no script, nothing from elsewhere."""

import html
import json
import re
from collections.abc import Iterator
from pathlib import Path
from string import Template
from typing import Any

from lib.api.operation import EVENTS

PAGE = Template(Path(__file__).with_name("docs.html").read_text(encoding="utf-8"))
TITLES = {"v1": "/v1, for every client", "ui": "Scripts of the pages", "shapes": "Shapes"}
LAST = ("v1", "login", "docs", "openapi.json", "ui", "sockets", "shapes")
_BOUNDS = {
    "minimum": "from {}",
    "exclusiveMinimum": "more than {}",
    "maximum": "to {}",
    "exclusiveMaximum": "less than {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minItems": "at least {} items",
    "maxItems": "at most {} items",
}


def page(described: dict[str, Any]) -> str:
    """The document for people."""
    groups: dict[str, list[str]] = {}
    parts = described["components"]["schemas"]
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            rows = _operation(path, method, operation, parts)
            groups.setdefault(operation["tags"][0], []).append(rows)
    groups["sockets"] = [_socket(*one) for one in described["x-websockets"].items()]
    groups["shapes"] = [_shape(*one) for one in sorted(parts.items())]
    names = sorted(groups, key=lambda name: (LAST.index(name) if name in LAST else -1, name))
    return PAGE.substitute(
        about=_paragraphs(described["info"]["description"]),
        links="".join(
            f'<li><a href="#{html.escape(name)}">{_title(name)}</a></li>' for name in names
        ),
        sections="".join(_section(name, groups[name]) for name in names),
    )


def _title(name: str) -> str:
    return html.escape(TITLES.get(name, "WebSockets" if name == "sockets" else f"/api/{name}"))


def _section(name: str, parts: list[str]) -> str:
    return f'<section id="{html.escape(name)}"><h2>{_title(name)}</h2>{"".join(parts)}</section>'


def _operation(path: str, method: str, operation: dict[str, Any], parts: dict[str, Any]) -> str:
    body: dict[str, Any] = next(
        iter(operation.get("requestBody", {}).get("content", {}).values()), {}
    )
    inside = [
        _paragraphs(operation["description"]),
        _block("Parameters", "".join(map(_parameter, operation["parameters"]))),
        _block("Body", _rows(body["schema"], parts) if body else ""),
        _example(path, method, body),
        _block("Answers", "".join(_answers(operation["responses"]))),
    ]
    name = (
        f'<b class="{html.escape(method)}">{method.upper()}</b> <code>{html.escape(path)}</code> '
        f"<span>{_text(operation['summary'])}</span>"
    )
    return _folded(operation["operationId"], name, "".join(inside))


def _folded(key: str, name: str, inside: str) -> str:
    return (
        f'<details><summary><span class="name">{name}</span></summary>'
        f'<div class="inside" id="{html.escape(key)}">{inside}</div></details>'
    )


def _socket(path: str, sentence: str) -> str:
    return _folded(path, f"<code>{html.escape(path)}</code>", f"<p>{_text(sentence)}</p>")


def _shape(name: str, schema: dict[str, Any]) -> str:
    fields = _fields(schema) or _field("", schema, True)
    inside = f"<p>{_text(schema.get('description', ''))}</p><dl>{fields}</dl>"
    return _folded(f"shape-{name}", f"<code>{html.escape(name)}</code>", inside)


def _block(title: str, rows: str) -> str:
    return f"<h4>{title}</h4><dl>{rows}</dl>" if rows else ""


def _rows(schema: dict[str, Any], parts: dict[str, Any]) -> str:
    """What it is, and its fields where it is one shape."""
    name = schema.get("$ref", "").rpartition("/")[2]
    return _field("", schema, True) + (_fields(parts[name]) if name else "")


def _parameter(parameter: dict[str, Any]) -> str:
    place = {"path": "in the path", "query": "behind ?", "header": "as a header"}
    told = {**parameter["schema"], "description": parameter.get("description", "")}
    return _field(parameter["name"], told, parameter["required"], place[parameter["in"]])


def _fields(schema: dict[str, Any]) -> str:
    needed = schema.get("required", ())
    return "".join(
        _field(name, field, name in needed) for name, field in schema.get("properties", {}).items()
    )


def _field(name: str, schema: dict[str, Any], is_needed: bool, place: str = "") -> str:
    words = [f"<em>{_kind(schema)}</em>", *_bounds(schema), place]
    words += [] if is_needed else [_default(schema)]
    said = ", ".join(word for word in words if word)
    more = _text(schema.get("description", "")) if name else ""
    shown = f"<code>{html.escape(name)}</code>" if name else "It is"
    return f"<dt>{shown}</dt><dd>{said}{'. ' if more else ''}{more}</dd>"


def _kind(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        name = html.escape(schema["$ref"].rpartition("/")[2])
        return f'<a href="#shape-{name}">{name}</a>'
    for several in ("anyOf", "oneOf"):
        if several in schema:
            return " or ".join(dict.fromkeys(_kind(one) for one in schema[several]))
    if "const" in schema or "enum" in schema:
        values = schema.get("enum", [schema.get("const")])
        return " or ".join(f"<code>{html.escape(json.dumps(value))}</code>" for value in values)
    kind = str(schema.get("type", "anything"))
    return f"array of {_kind(schema['items'])}" if "items" in schema else kind


def _bounds(schema: dict[str, Any]) -> Iterator[str]:
    for part in [schema, *schema.get("anyOf", ())]:
        for name, words in _BOUNDS.items():
            if name in part:
                yield words.format(f"{part[name]:,}")


def _default(schema: dict[str, Any]) -> str:
    given = schema.get("default")
    if given in (None, "", []) or isinstance(given, dict):
        return "may be left out"
    return f"<code>{html.escape(json.dumps(given))}</code> where it is left out"


def _example(path: str, method: str, body: dict[str, Any]) -> str:
    if "example" not in body:
        return ""
    sent = json.dumps(body["example"], indent=2, ensure_ascii=False)
    call = (
        f"curl -N -X {method.upper()} http://localhost:8501{path} \\\n"
        f"  -H 'Content-Type: application/json' -d '{sent}'"
    )
    return f"<h4>Example</h4><pre><code>{html.escape(call, quote=False)}</code></pre>"


def _answers(responses: dict[str, Any]) -> Iterator[str]:
    for status, answer in responses.items():
        kinds = [
            f"<em>{_kind(content['schema'])}</em>" if media != EVENTS else "events, if it streams"
            for media, content in answer["content"].items()
        ]
        said = _text(answer["description"]) if status >= "4" else "; ".join(kinds)
        yield f"<dt><code>{status}</code></dt><dd>{said or 'Nothing more.'}</dd>"
        for event in answer["content"].get(EVENTS, {}).get("schema", {}).get("anyOf", ()):
            yield _event(event["properties"])


def _event(parts: dict[str, Any]) -> str:
    name = html.escape(parts["event"]["const"]) if "event" in parts else "of any name"
    kind = _kind(parts["data"]["contentSchema"])
    return f"<dt>event <code>{name}</code></dt><dd><em>{kind}</em></dd>"


def _paragraphs(text: str) -> str:
    return "".join(f"<p>{_text(part)}</p>" for part in re.split(r"\n\s*\n", text) if part.strip())


def _text(text: str) -> str:
    """Words with `code` and **weight** in them."""
    safe = html.escape(text, quote=False)
    safe = re.sub(r"`([^`]+)`", r"<code>\1</code>", safe)
    return re.sub(r"\*\*([^*]+)\*\*", r"<strong>\1</strong>", safe)
