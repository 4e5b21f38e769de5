"""Headers with vocabularies as large as real ones, and what somebody reads of them."""

import random
from collections.abc import Callable, Sequence

from lib.fit.gguf import Tensor
from lib.fit.gguf_writer import Value, beginning, pairs_of

TOKENS = 150_000
LETTERS = "abcdefghijklmnopqrstuvwxyz"
TEMPLATE = "{% for m in messages %}{{ m.content }}{% endfor %}" * 100


def grown(count: int, seed: int = 0) -> list[str]:
    """Words that become longer, as the pairs of bytes do that a tokenizer has learned."""
    chance = random.Random(seed)
    most = [2 + 9 * index // count for index in range(count)]
    return ["".join(chance.choices(LETTERS, k=chance.randint(1, length))) for length in most]


def mixed(count: int, seed: int = 0) -> list[str]:
    """Words in any order, among them some of other alphabets, of dots, and some very long ones."""
    chance = random.Random(seed)
    kinds: Sequence[Callable[[], str]] = (
        lambda: "".join(chance.choices(LETTERS, k=chance.randint(1, 9))),
        lambda: "Ġ" + "".join(chance.choices(LETTERS, k=chance.randint(1, 12))),
        lambda: "".join(chr(chance.randint(0x4E00, 0x9FFF)) for _ in range(chance.randint(1, 4))),
        lambda: chance.choice(["tokenizer.ggml.merges", "a.b", "blk.0.attn_q.weight", "os.path"]),
        lambda: chance.choice(" -=*") * chance.choice([4, 16, 128]),
    )
    return [chance.choices(kinds, [60, 30, 20, 1, 1])[0]() for _ in range(count)]


def numbered(count: int, _: int = 0) -> list[str]:
    """What a test's author writes."""
    return [f"token{index}" for index in range(count)]


def header_of(
    words: Sequence[str],
    *,
    merges: Sequence[str] = (),
    has_scores: bool = False,
    is_last: bool = False,
    tensors: int = 200,
) -> tuple[bytes, int]:
    """The beginning of a file with this vocabulary, and the bytes that the whole file has.

    `is_last`: nothing comes between the tokens and the tensors.
    """
    described: dict[str, Value] = {
        "general.architecture": "llama",
        "llama.context_length": 4_096,
        "llama.embedding_length": 64,
        "tokenizer.ggml.model": "gpt2",
    }
    learned: dict[str, Value] = {"tokenizer.ggml.tokens": list(words)}
    if has_scores:
        learned["tokenizer.ggml.scores"] = [-1.5 * index for index in range(len(words))]
    more: dict[str, Value] = {"tokenizer.ggml.token_type": [1] * len(words)}
    if merges:
        more["tokenizer.ggml.merges"] = list(merges)
    more |= {"tokenizer.ggml.bos_token_id": 1, "tokenizer.chat_template": TEMPLATE}
    ordered = more | described | learned if is_last else described | learned | more
    return beginning(
        pairs_of(ordered),
        [Tensor(f"blk.{n}.attn_q.weight", (64, 64), "F32", 0, 16_384) for n in range(tensors)],
    )


class Counted:
    """A file of this beginning, and how much of it was asked for."""

    def __init__(self, start: bytes, size: int) -> None:
        self.start, self.size = start, size
        self.asked: list[int] = []

    def fetch(self, start: int, count: int) -> bytes:
        count = min(count, self.size - start)
        self.asked.append(count)
        return self.start[start : start + count].ljust(count, b"\0")
