"""Cutting a growing Markdown text into blocks."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.chat.blocks import (
    MOST_PARTS,
    Part,
    Splitter,
    as_json,
    groups,
    is_rich,
    parts,
    split,
)

DOCUMENT = """# Title
A paragraph
of two lines.

- one
- two

  still two

- three

After the list.
```python
def f():

    return 1
```
Directly after a fence.

$$
a

b
$$

| a | b |
|---|---|
| 1 | 2 |

1. first

2. second

\\[
x
\\]
~~~
```
~~~

End
"""


def fed(pieces: list[str]) -> list[str]:
    splitter = Splitter()
    blocks: dict[int, str] = {}
    for piece in pieces:
        for number, text in splitter.feed(piece):
            blocks[number] = blocks.get(number, "") + text
    for number, text in splitter.finish():
        blocks[number] = blocks.get(number, "") + text
    assert list(blocks) == list(range(len(blocks)))
    return list(blocks.values())


def test_blocks_end_where_markdown_ends_them() -> None:
    firsts = [block.strip().splitlines()[0] for block in split(DOCUMENT)]
    assert firsts == [
        "# Title",
        "A paragraph",
        "- one",
        "After the list.",
        "Directly after a fence.",
        "$$",
        "| a | b |",
        "1. first",
        "\\[",
        "~~~",
        "End",
    ]


@pytest.mark.parametrize("seed", range(100))
def test_any_cutting_gives_the_same_blocks(seed: int) -> None:
    dice, pieces, at = random.Random(seed), [], 0
    while at < len(DOCUMENT):
        step = dice.randint(1, 9)
        pieces.append(DOCUMENT[at : at + step])
        at += step
    assert fed(pieces) == split(DOCUMENT)


MARKDOWN = st.text(alphabet="ab1.-*#`~$\\[] \n\r\t|>", max_size=200)


@given(st.lists(MARKDOWN, max_size=8))
def test_nothing_is_lost_or_doubled(pieces: list[str]) -> None:
    assert "".join(fed(pieces)) == "".join(pieces)


@given(st.text(max_size=300))
def test_every_text_is_the_sum_of_its_groups(text: str) -> None:
    assert "".join(part for _, part in groups(split(text), least=20)) == text


def test_a_group_names_its_last_block() -> None:
    assert groups(["aaaa", "b", "cccc", "d"], least=5) == [(1, "aaaab"), (3, "ccccd")]


def test_a_fence_that_never_closes_stays_one_block() -> None:
    assert len(split("```\n" + "line\n\n" * 500)) == 1


@pytest.mark.parametrize("text", ["", "```json\n{}\n```", " \n```\n1\n```"])
def test_what_is_code_already_or_nothing_gets_no_fence(text: str) -> None:
    assert as_json(text) == text


def test_json_is_one_block_of_code_whatever_lines_it_has() -> None:
    assert split(as_json('{\n\n"# a": "_b_"\n}')) == ['```json\n{\n\n"# a": "_b_"\n}']


@pytest.mark.parametrize(
    "block",
    [
        "```python\nx = 1\n```\n",
        "~~~\nx\n~~~\n",
        "- an item\n  ```\n  x\n  ```\n",
        "> ```\n> x\n",
        "    x = 1\n",
        "It is $x^2$ here.\n",
        "$$\nx\n$$\n",
        "It is \\(x\\) here.\n",
        "\\[\nx\n\\]\n",
        "A <b>tag</b>\n",
        "Fish &amp; chips &#33;\n",
        "[r]: https://example.org\n",
        "[a][r]\n",
        "A note[^1]\n",
        "A head\n======\n",
        "A head\n---\n",
    ],
)
def test_what_the_whole_text_is_needed_for_is_rich(block: str) -> None:
    assert is_rich(block)


@pytest.mark.parametrize(
    "block",
    [
        "# A head\n",
        "Some **bold**, *leaning* and `code` in a [line](https://example.org).\n",
        "- one\n- two\n  1. three\n",
        "| a | b |\n|---|---|\n| 1 | 2 |\n",
        "> A quote\n",
        "---\n",
        "It costs $5, or 3 < 4 & more.\n",
        "- [x] done\n",
    ],
)
def test_what_is_drawn_alike_while_it_comes_is_plain(block: str) -> None:
    assert not is_rich(block)


def test_plain_blocks_stay_together_and_each_rich_one_is_alone() -> None:
    blocks = split("# A\n\nb\n\n```\nx\n```\n\n$$\ny\n$$\n\nc\n\nd\n")
    assert parts(blocks) == [
        Part(0, 1, is_rich=False),
        Part(2, 2, is_rich=True),
        Part(3, 3, is_rich=True),
        Part(4, 5, is_rich=False),
    ]
    assert parts([]) == []


def test_a_text_with_too_many_parts_is_one() -> None:
    assert parts(["a\n\n", "$x$\n\n"] * MOST_PARTS) == [Part(0, 2 * MOST_PARTS - 1, is_rich=True)]
