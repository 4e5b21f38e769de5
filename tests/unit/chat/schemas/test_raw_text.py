"""Patterns as the engine gets them: over the text of the JSON, and with the same meaning."""

import json
import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from lib.chat import linear_pattern
from lib.chat.schemas.patterns import length, parsed
from lib.chat.schemas.raw_text import written

PIECES = st.sampled_from(
    ["a", "b", "é", ".", r"\d", r"\w", r"\S", "[^a]", "[a-c]", r"\"", r"\\", r"\n", "[\\]x]", " "]
)
LOOPS = st.sampled_from(["", "*", "+", "?", "{2}", "{1,2}", "+?"])
CHAINS = st.lists(st.tuples(PIECES, LOOPS).map("".join), min_size=1, max_size=4).map("".join)
GROUPS = st.lists(CHAINS, min_size=1, max_size=3).map(lambda options: f"({'|'.join(options)})")
WHOLES = st.lists(CHAINS | st.tuples(GROUPS, LOOPS).map("".join), max_size=3).map("".join)
PATTERNS = st.tuples(st.sampled_from(["^", ""]), WHOLES, st.sampled_from(["$", ""])).map("".join)
TEXTS = st.text(st.sampled_from('abcé1_ \n\t"\\]x'), max_size=6)


def is_written(pattern: str, text: str) -> bool:
    """Does the text, as the engine writes it in JSON, match what the engine gets?"""
    raw = json.dumps(text, ensure_ascii=False)[1:-1]
    return re.fullmatch(pattern[1:-1], raw) is not None


@given(PATTERNS, st.lists(TEXTS, min_size=5, max_size=20))
def test_a_pattern_matches_the_same_texts_afterwards(pattern: str, texts: list[str]) -> None:
    made = written(pattern)
    assume(made is not None)  # too many ways to the same text: the check alone holds it
    assert made
    for text in texts:
        assert is_written(made, text) == linear_pattern.is_in(pattern, text), (made, text)


@given(PATTERNS, st.integers(0, 3), st.integers(0, 5), st.lists(TEXTS, min_size=5, max_size=20))
def test_with_bounds_it_matches_what_is_within_them(
    pattern: str, least: int, most: int, texts: list[str]
) -> None:
    made = written(pattern, least, most)
    for text in texts if made else ():
        fits = least <= len(text) <= most and linear_pattern.is_in(pattern, text)
        assert is_written(str(made), text) == fits


@pytest.mark.parametrize(
    ("pattern", "made"),
    [
        ("^[a-z]+$", "^[a-z]+$"),
        (r"^\d{4}-\d{2}$", "^[0-9]{4}-[0-9]{2}$"),
        ("^ä$", r"^[\u00e4]$"),
        ("^\U0001f600$", r"^[\U0001f600]$"),
        ('^"$', r"^\\[\u0022]$"),
        (r"^a\nb$", r"^a\\nb$"),
        (r"^\x01$", r"^\\u0001$"),
        ("^(a|)*$", "^a*$"),
        ("^(a*)*$", "^(a+)*$"),
        ("^(a|b)$", "^(a|b)$"),
    ],
)
def test_what_the_engine_gets(pattern: str, made: str) -> None:
    assert written(pattern) == made


@pytest.mark.parametrize(
    "pattern",
    [
        r"\bword",
        "(?=a)b",
        "(?i)a",
        r"(a)\1",
        "a^b",
        "[[a]b]",
        "[a&&b]",
        "a**",
        "^a{2000}$",
        "(a",
        "[",
    ],
)
def test_what_no_grammar_says_is_left_to_the_check(pattern: str) -> None:
    assert written(pattern) is None


def test_lengths_are_known() -> None:
    found = {pattern: length(node) for pattern in ("^a{2,3}$", "^a*b$", "^(a|bcd)$", "^$", "a")
             if (node := parsed(pattern))}  # fmt: skip
    assert found == {
        "^a{2,3}$": (2, 3), "^a*b$": (1, None), "^(a|bcd)$": (1, 3), "^$": (0, 0), "a": (1, None),
    }  # fmt: skip
