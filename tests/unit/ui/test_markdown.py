"""Untrusted text on its way into st.markdown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.core.errors import BrokenFile
from lib.ui import formulas
from lib.ui.markdown import error, plain, safe
from tests.support.prose import Case, cases


@pytest.mark.parametrize(
    ("written", "drawn"),
    [
        ("![cat](https://evil.example/pixel.png)", "&#33;[cat](https://evil.example/pixel.png)"),
        ("!![a](b)", "!&#33;[a](b)"),
        ("\\![a](b)", "&#33;[a](b)"),
        ("\\\\![a](b)", "\\\\&#33;[a](b)"),
        ("\\\\\\\\\\![a](b)", "\\\\\\\\&#33;[a](b)"),
        ("![a][ref]", "&#33;[a][ref]"),
        ("It costs $5 and then $10.", "It costs \\$5 and then \\$10."),
        ("$x = 5$ stays", "$x = 5$ stays"),
        ("\\(a+b\\)", "$a+b$"),
        ("\\[a\n+b\\]", "$$a\n+b$$"),
        (":red[alarm]", "&#58;red[alarm]"),
        (":material/home:", ":\u2060material/home:"),  # a word joiner, which nobody sees
        (":red[:streamlit:]", "&#58;red[:\u2060streamlit:]"),
        ("at 16:30:45 o'clock", "at 16:30:45 o'clock"),
        ("`![a](b)`", "`![a](b)`"),
        ("```\n![a](b) $5 :red[x]\n```", "```\n![a](b) $5 :red[x]\n```"),
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),  # Streamlit shows it as text
    ],
)
def test_what_a_model_writes(written: str, drawn: str) -> None:
    assert safe(written) == drawn


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_what_streamlit_is_given_of_real_text(case: Case) -> None:
    assert safe(case.written) == case.given


@given(st.lists(st.sampled_from(["$", "5", " ", "x", "=", ".", "/", "\n", "|"]), max_size=16))
def test_a_dollar_is_a_formulas_or_escaped(parts: list[str]) -> None:
    pieces = list(formulas.split("".join(parts)))
    prose = "".join(piece for kind, piece in pieces if not kind)
    drawn = safe("".join(parts))
    assert drawn.count("\\$") == prose.count("$")
    assert not any("\\$" in piece for kind, piece in pieces if kind)


PIECES = st.sampled_from(
    ["![a](b)", "![", "](", "][", "!", "[", "]", "(", "a", " ", "$", ":", "\\"]
)


@given(st.lists(PIECES, max_size=20).map("".join))
def test_no_image_survives_outside_code(text: str) -> None:
    assert "![" not in safe(text)


@given(st.text(max_size=80))
def test_a_name_is_shown_letter_for_letter(text: str) -> None:
    unescaped = plain(text)
    for mark in "`*_{}[]()#+-.!|<>~$:":
        unescaped = unescaped.replace(f"\\{mark}", mark)
    assert unescaped.replace("\\\\", "\\") == text


@pytest.mark.parametrize(
    "text",
    [
        "> " * 10_000 + "deep",
        ">" * 10_000 + "deep",
        "- " * 10_000 + "deep",
        "1. " * 5_000 + "deep",
        "> - " * 3_000 + "deep",
        "".join(f"{'  ' * n}- level {n}\n" for n in range(300)),
        "[" * 2_000 + "](x)" * 2_000,
        "*a **b _c __d " * 3 + "*a" * 300,
        "no fence: " + "`" * 50 + "\n> " + "> " * 50,
    ],
    ids=lambda text: text[:12],
)
def test_what_nests_without_end_is_shown_as_it_was_written(text: str) -> None:
    drawn = safe(text)
    fence = drawn.partition("\n")[0]
    assert set(fence) == {"`"}
    assert drawn == f"{fence}\n{text}\n{fence}\n"
    assert fence not in text


@pytest.mark.parametrize(
    "text",
    [
        "> > > three quotes",
        "- one\n  - two\n    - three\n      - four\n",
        "-" * 80,
        "* * * * *",
        "| " + "--- | " * 40,
        "[a](b) " * 200,
        "**bold** and *thin* " * 300,
        "```\n" + "[" * 200 + "\n```",
    ],
)
def test_what_people_write_is_no_tangle(text: str) -> None:
    assert not safe(text).startswith("```\n" + text)


@pytest.mark.parametrize(
    "code",
    [
        '```json\n{"code": "```sh\\necho $1 done", "a": "if (![1,2] …"}',
        "~~~\n```\n![a](b)\n~~~",
        "````\n```\n![a](b)\n```\n![c](d)\n````",
        "- ```\n  #![allow(dead_code)]\n  ```",
        "> ```\n> ![a](b)\n> ```",
        "1. step\n\n   ```rust\n   #![allow(dead_code)]\n   ```",
        "``a ` ![b](c)``",
    ],
)
def test_code_is_left_as_it_is(code: str) -> None:
    assert safe(code) == code
    assert safe(f"before\n\n{code}") == f"before\n\n{code}"


@pytest.mark.parametrize(
    "before",
    ["```json\nx ```\n```\n", "x ```\n\n", "~~~\n```\n~~~\n", "\\`", "```a``` "],
)
def test_what_only_looks_like_code_hides_no_image(before: str) -> None:
    assert "![" not in safe(f"{before}![i](http://elsewhere/x.png)` and on")


def test_of_an_error_only_an_address_in_the_remedy_is_more_than_text() -> None:
    told = BrokenFile("“*a*.gguf” is cut short.", "See https://huggingface.co/a_b/c. [x](http://y)")
    assert error(told) == (
        "**“\\*a\\*\\.gguf” is cut short\\.** See https://huggingface.co/a_b/c. \\[x\\]\\(http://y\\)"
    )
    assert error(BrokenFile("It is cut short", "")) == "**It is cut short**"
