"""Untrusted text on its way into st.markdown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.ui.markdown import plain, safe


@pytest.mark.parametrize(
    ("written", "drawn"),
    [
        ("![cat](https://evil.example/pixel.png)", "&#33;[cat](https://evil.example/pixel.png)"),
        ("!![a](b)", "!&#33;[a](b)"),
        ("\\![a](b)", "\\&#33;[a](b)"),
        ("![a][ref]", "&#33;[a][ref]"),
        ("It costs $5 and then $10.", "It costs \\$5 and then \\$10."),
        ("$x = 5$ stays", "$x = 5$ stays"),
        ("\\(a+b\\)", "$a+b$"),
        ("\\[a\n+b\\]", "$$a\n+b$$"),
        (":red[alarm]", "\\:red[alarm]"),
        (":material/home:", "\\:material/home:"),
        ("at 16:30:45 o'clock", "at 16:30:45 o'clock"),
        ("`![a](b)`", "`![a](b)`"),
        ("```\n![a](b) $5 :red[x]\n```", "```\n![a](b) $5 :red[x]\n```"),
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),  # Streamlit shows it as text
    ],
)
def test_what_a_model_writes(written: str, drawn: str) -> None:
    assert safe(written) == drawn


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
