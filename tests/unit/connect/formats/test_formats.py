"""Whatever stands in a settings file stays there, and what is put in comes out again."""

import json
from typing import Any

import pytest
import tomli_w
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.connect.formats import FORMATS, CannotEdit, Item, Unreadable, drop, put
from lib.connect.formats.places import dropped, placed, pruned

WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=8)
NUMBERS = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
SCALARS = st.booleans() | NUMBERS | WORDS
NAMES = st.sampled_from(["model", "model_provider", "env", "a b", "x", "ü", "a.b"]) | WORDS
DATA = st.dictionaries(
    NAMES,
    st.recursive(
        SCALARS,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
        max_leaves=8,
    ),
    max_size=5,
)
VALUE = {"name": "Berth", "base_url": "http://127.0.0.1:8501/v1", "limit": {"context": 4096}}
PATHS = [("model",), ("env", "ANTHROPIC_MODEL"), ("model_providers", "berth")]


def try_both(kind: str, text: str, path: Any, value: Any) -> str:
    """Put it in and out; what is read is what was meant, or the file is refused as it is."""
    before = FORMATS[kind].read(text)
    try:
        made = put(kind, text, path, value)
    except CannotEdit:
        return ""
    assert FORMATS[kind].read(made) == placed(before, path, value)
    back = drop(kind, made, path)
    wanted = dropped(placed(before, path, value), path)
    assert pruned(FORMATS[kind].read(back), path) == pruned(wanted, path)
    return made


@settings(max_examples=60)
@given(DATA, st.sampled_from(PATHS), st.sampled_from([None, 2, "\t"]))
def test_json_keeps_everything(data: dict[str, Any], path: Any, indent: Any) -> None:
    text = json.dumps(data, indent=indent, ensure_ascii=False)
    holder = data.get(path[0], {}) if len(path) > 1 else {}
    made = try_both("json", text, path, VALUE)
    assert made or not isinstance(holder, dict)


@settings(max_examples=60)
@given(DATA, st.sampled_from(PATHS))
def test_toml_keeps_everything(data: dict[str, Any], path: Any) -> None:
    holder = data.get(path[0], {}) if len(path) > 1 else {}
    made = try_both("toml", tomli_w.dumps(data), path, VALUE)
    assert made or not isinstance(holder, dict) or holder


@settings(max_examples=60)
@given(st.lists(DATA, max_size=3), DATA, st.sampled_from([None, True, False]), st.integers(2, 4))
def test_yaml_keeps_everything(
    models: list[Any], data: Any, flow: bool | None, indent: int
) -> None:
    text = yaml.safe_dump(
        {**data, "models": models},
        default_flow_style=flow,
        allow_unicode=True,
        indent=indent,
        sort_keys=False,
    )
    try_both("yaml", text, ("models", Item("name", "Berth")), VALUE)
    whole = yaml.safe_dump(models, default_flow_style=flow, indent=indent, sort_keys=False)
    try_both("yaml", whole, (Item("name", "Berth"),), VALUE)


JSONC = """// mine
{
    // the theme
    "theme": "dark", /* nice */
    "env": {
        "A": "1" // last
    },
}
"""


def test_comments_and_commas_too_many_stay_in_json() -> None:
    made = put("json", JSONC, ("env", "B"), "2")
    made = put("json", made, ("model",), "berth/x")
    assert made == JSONC.replace('"A": "1" // last', '"A": "1", // last\n        "B": "2"').replace(
        "    },\n}", '    },\n    "model": "berth/x",\n}'
    )
    assert drop("json", drop("json", made, ("model",)), ("env", "B")) == JSONC


@pytest.mark.parametrize("text", ["{}", "{ }", '{"a": 1}', '{"a": 1,}', "{\n}\n", ""])
def test_short_json_grows(text: str) -> None:
    made = put("json", text, ("env", "B"), "2")
    assert FORMATS["json"].read(made)["env"] == {"B": "2"}


def test_a_value_that_is_there_is_replaced_where_it_stands() -> None:
    made = put("json", JSONC, ("theme",), "light")
    assert made == JSONC.replace('"dark"', '"light"')


def test_line_ends_of_windows_stay_in_json_and_yaml() -> None:
    made = put("json", '{\r\n  "a": 1\r\n}\r\n', ("b",), {"c": 1})
    assert made == '{\r\n  "a": 1,\r\n  "b": {\r\n    "c": 1\r\n  }\r\n}\r\n'
    made = put("yaml", "models:\r\n- name: x\r\n", ("models", Item("name", "y")), {"name": "y"})
    assert made == "models:\r\n- name: x\r\n- name: y\r\n"


TOML = """# mine
model = "gpt-5"   # good

[model_providers.other]
name = "Other" # keep

[tui]
theme = "dark"
"""


def test_comments_and_order_stay_in_toml() -> None:
    made = put("toml", TOML, ("model",), "x")
    made = put("toml", made, ("model_provider",), "berth")
    made = put("toml", made, ("model_providers", "berth"), {"name": "Berth"})
    assert [line for line in TOML.splitlines() if line not in made] == ['model = "gpt-5"   # good']
    assert 'model = "x"   # good' in made
    assert made.index('model_provider = "berth"') < made.index("[model_providers.other]")


YAML = """name: Mine
version: 1.0.0
schema: v1
models:
  # the big one
  - name: Big
    provider: openai # by hand
    model: big

# what else
rules:
  - Be kind
"""
ITEM = ("models", Item("name", "Berth"))


def test_comments_and_lines_stay_in_yaml() -> None:
    made = put("yaml", YAML, ITEM, {"name": "Berth", "model": "x"})
    assert made == YAML.replace(
        "    model: big\n", "    model: big\n  - name: Berth\n    model: x\n"
    )
    other = put("yaml", made, ITEM, {"name": "Berth", "model": "y"})
    assert other == made.replace("model: x", "model: y")
    assert drop("yaml", other, ITEM) == YAML


@pytest.mark.parametrize(
    "text",
    ["", "# empty\n", "name: x\n", "models:\n", "models: []\n", "models: [] # none\nname: x\n",
     "models: [{name: a}]\n", "models:\n- name: a", "models: # mine\nname: x\n", "models: null\n"],
)  # fmt: skip
def test_a_list_begins_where_there_is_none(text: str) -> None:
    made = put("yaml", text, ITEM, {"name": "Berth"})
    assert {"name": "Berth"} in FORMATS["yaml"].read(made)["models"]


def test_the_only_entry_goes_and_its_list_stays() -> None:
    assert drop("yaml", "models:\n  - name: Berth\n", ITEM) == "models: []\n"
    assert drop("yaml", "- model_id: berth\n", (Item("model_id", "berth"),)) == ""


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("json", '{"a": 1,, }'),
        ("json", "[1, 2"),
        ("json", "{'a': 1}"),
        ("json", "[" * 100_000),
        ("toml", "a = "),
        ("toml", "a = 1\na = 2"),
        ("yaml", "a: [1"),
        ("yaml", "a: 1\n---\nb: 2"),
        ("yaml", "\tx: 1"),
    ],
)
def test_what_is_not_of_the_format_is_refused_in_words(kind: str, text: str) -> None:
    with pytest.raises(Unreadable, match=r"no (JSON|TOML|YAML)"):
        FORMATS[kind].read(text)


def test_a_list_where_names_belong_is_left_alone() -> None:
    for kind, text in (("json", '{"env": [1]}'), ("toml", "env = [1]")):
        with pytest.raises(CannotEdit, match="by hand"):
            put(kind, text, ("env", "A"), "1")
