"""When a reply goes round in circles, and what only looks like it."""

import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.chat import loops
from lib.chat.loops import LEAST_RUN, Watcher, watcher
from lib.core.preferences import change
from lib.engines.base import Delta, Message

PROSE = (
    "The harbour was quiet when the first boats came in. Gulls turned above the pier, and a man "
    "in a yellow coat counted crates that nobody had asked him to count. Behind the warehouse, "
    "somebody was frying onions. It would rain before noon, said the woman who sold the papers, "
    "and she was seldom wrong about such things. "
)
CHORUS = (
    "Oh bring me home, oh bring me home,\nacross the silver water,\noh bring me home again.\n\n"
)
JACK = "All work and no play makes Jack a dull boy.\n"
CITIES = ["Paris", "Madrid", "London"]


def noticed(text: str, asked: str = "", *, is_json: bool = False, size: int = 5) -> int | None:
    """After how many characters it is noticed, when they come in pieces of this size."""
    one = Watcher(asked, is_json)
    for at in range(0, len(text), size):
        if one.hears(Delta(text=text[at : at + size])):
            return at + size
    return None


def table(rows: int) -> str:
    lines = [f"| Person {n} | {n * 7 % 100} | Berlin | yes | no |" for n in range(rows)]
    return "\n".join(["| Name | Age | City | Member | Owes |", "|---|---|---|---|---|", *lines])


def song() -> str:
    words = [*dict.fromkeys(PROSE.split())]
    verses = [" ".join(random.Random(n).sample(words, 24)) + "\n\n" for n in range(6)]
    return "".join(verse + CHORUS + CHORUS for verse in verses) + CHORUS * 4


def similar_code() -> str:
    lines = [f"    parser.add_argument('--option-{n}', type=int, default={n})" for n in range(120)]
    return "```python\n" + "\n".join(lines) + "\n```\n"


def multiplication() -> str:
    return "\n".join(f"{a} times {b} is {a * b}." for a in range(1, 21) for b in range(1, 21))


LEGITIMATE = {
    "prose": PROSE,
    "a table": table(150),
    "numbers": ", ".join(map(str, range(1, 3_000))),
    "zeros": "\n".join("[" + ", ".join("0" * 20) + "]," for _ in range(40)),
    "the unit matrix": "\n".join(
        " ".join("1" if row == column else "0" for column in range(40)) for row in range(40)
    ),
    "an array of objects": json.dumps(
        [{"id": n, "name": f"item {n}", "is_on": True, "tags": []} for n in range(150)], indent=2
    ),
    "code of similar lines": similar_code(),
    "bytes": "```c\n" + "0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,\n" * 50 + "```",
    "the same line of code thirty times": "```\n" + "    call_the_next_one(again);\n" * 30 + "```",
    "a song": song(),
    "laughter": "Ha ha ha! " + "ha " * 300,
    "rules": "\n\n".join(f"{PROSE}\n{'-' * 80}\n{'=' * 80}" for _ in range(2)),
    "a table of times": multiplication(),
    "yes and no": "\n".join(f"{n}. {'Yes' if n % 3 else 'No'}" for n in range(1, 300)),
    "a long rule": "=" * 3_000,
    "countries": "\n".join(
        f"The capital of Country{n} is City{n}, and it lies on a river." for n in range(100)
    ),
    "quoted twice": "".join(random.Random(3).sample(PROSE.split(". "), 5)) + PROSE + PROSE,
    "chinese": "今天天气很好，我们去公园散步。孩子们在湖边喂鸭子，老人下棋。" * 3,
}
LOOPS = {
    "cities": "The capital is " + "Paris, Madrid, London, Madrid, " * 100,
    "cities in any order": " ".join(random.Random(1).choices(CITIES, k=3_000)),
    "a sentence": "I am sorry, but I cannot help with that. " * 80,
    "a paragraph": PROSE * 12,
    "a list that counts on": "\n".join(
        f"{n}. The capital of France is Paris." for n in range(1, 200)
    ),
    "one word": "very " * 1_000,
    "blanks": "{" + "\n" * 5_000,
    "tags": "<br>" * 1_000,
    "a row of a table": "| a | b |\n|---|---|\n" + "| the same | again |\n" * 150,
    "code": "```\n" + "x = compute(x)\n" * 600,
    "chinese": "我不知道该怎么办。" * 200,
}


@pytest.mark.parametrize("name", LEGITIMATE)
def test_what_people_ask_for_is_left_alone(name: str) -> None:
    assert noticed(LEGITIMATE[name]) is None


@pytest.mark.parametrize("name", LOOPS)
def test_a_reply_that_goes_round_is_noticed(name: str) -> None:
    assert noticed(LOOPS[name]) is not None


def test_it_is_noticed_soon() -> None:
    at = noticed(LOOPS["cities"])
    assert at is not None
    assert at <= LEAST_RUN + 100


def test_a_phrase_of_the_question_may_be_repeated_far_longer() -> None:
    asked = f'Write "{JACK.strip()}" a hundred times.'
    assert noticed(JACK * 40) is not None
    assert noticed(JACK * 100, asked) is None
    assert noticed(JACK * 1_000, asked) is not None


def test_laughter_that_was_asked_for_may_last() -> None:
    assert noticed("ha " * 1_000) is not None
    assert noticed("ha " * 1_000, "Write ha 1000 times") is None
    assert noticed("ha " * 1_000, "go ha ha ha on and on") is None


def test_a_word_that_stands_in_the_question_by_chance_is_no_wish_for_it() -> None:
    assert noticed("the " * 1_000, "What is the capital of France?") is not None


def test_the_array_of_a_schema_has_more_room() -> None:
    text = "[" + '{"name": "", "value": null}, ' * 60
    assert noticed(text) is not None
    assert noticed(text, is_json=True) is None
    assert noticed(text + text[1:] * 2, is_json=True) is not None


def test_thoughts_are_followed_too_and_apart_from_the_text() -> None:
    one = Watcher()
    assert not one.hears(Delta(reasoning="Wait, let me think again. " * 20, text=PROSE))
    assert one.hears(Delta(reasoning="Wait, let me think again. " * 30))


def test_a_loop_after_a_long_text_is_noticed_as_soon() -> None:
    before = " ".join(f"word{n}" for n in range(5_000)) + "\n"
    at = noticed(before + LOOPS["a sentence"])
    assert at is not None
    assert at - len(before) <= LEAST_RUN + 200


@settings(deadline=None, max_examples=40)
@given(
    phrase=st.text("abcdefghij ,", min_size=3, max_size=120).filter(lambda t: len(t.split()) > 1),
    sizes=st.lists(st.integers(1, 40), min_size=1, max_size=8),
)
def test_any_phrase_is_noticed_however_it_comes_in_pieces(phrase: str, sizes: list[int]) -> None:
    one, text, at, turn = Watcher(), phrase * (6_500 // len(phrase) + 1), 0, 0
    while at < len(text):
        size = sizes[turn % len(sizes)]
        if one.hears(Delta(text=text[at : at + size])):
            return
        at, turn = at + size, turn + 1
    raise AssertionError(f"{phrase!r} was not noticed")


@settings(deadline=None, max_examples=40)
@given(
    words=st.lists(st.text("abcdefghijklmnop", min_size=2, max_size=9), max_size=400, unique=True)
)
def test_words_of_which_each_is_new_are_never_a_loop(words: list[str]) -> None:
    assert noticed(" ".join(words)) is None


@settings(deadline=None, max_examples=60)
@given(text=st.text(max_size=500), asked=st.text(max_size=60), size=st.integers(1, 50))
def test_no_short_text_is_a_loop(text: str, asked: str, size: int) -> None:
    assert noticed(text, asked, size=size) is None


def test_what_is_kept_of_a_long_reply_stays_small() -> None:
    period = loops._Period()
    for n in range(20_000):
        period.takes(f"word{n} ")
    assert len(period._seen) <= 4 * loops.LONGEST_PERIOD
    assert len(period._tail) <= 4 * loops.LONGEST_PERIOD


def test_the_owner_may_switch_it_off() -> None:
    question = [Message(role="user", content="Go on.")]
    assert watcher(question, None) is not None
    change(stops_repetition=False)
    assert watcher(question, None) is None
