"""No secret reaches the disk, and what is no secret does."""

import string
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.core.redact import (
    HELD_BACK,
    OVERLONG,
    Redactor,
    known_secrets,
    redact,
)

TOKEN = "hf_" + string.ascii_letters[:34]
KEY = "sk-" + string.ascii_lowercase

SECRET_LINES = [
    f"using {TOKEN} for the Hub",
    f"Authorization: Bearer {TOKEN}",
    "authorization: bearer abcdef123456",
    "Authorization: Basic dXNlcjpwYXNzd29yZA==",
    f"curl -H 'Authorization: Bearer {KEY}' http://127.0.0.1",
    f'{{"api_key": "{KEY}"}}',
    "api_key=['secret-of-mine']",
    "vllm serve --api-key secret-of-mine --port 1",
    "LITELLM_MASTER_KEY=secret-of-mine",
    "export HF_TOKEN='secret-of-mine'",
    "password: secret-of-mine",
    "https://user:secret-of-mine@example.org/simple",
    "https://cdn.example.org/f?Expires=1&Signature=secret-of-mine&Key-Pair-Id=2",
    "https://s3.example.org/f?X-Amz-Signature=secret-of-mine",
]
HARMLESS_LINES = [
    "print_info: EOS token = 151645 '<|im_end|>'",
    "prompt eval time = 217.31 ms / 1274 tokens",
    "tokenizer.ggml.bos_token_id=151643",
    "hf_hub_download of hf_transfer",
    "the disk-usage-of-everything-here-is-fine",
    "Bearer token required",
    "api_key=None",
    "http://127.0.0.1:8104/v1/models?limit=100",
    "progress 10:30:12 [=====>    ] 44%",
]


@pytest.mark.parametrize("line", SECRET_LINES)
def test_a_secret_is_masked_and_the_rest_of_the_line_stays(line: str) -> None:
    clean = redact(line, [])
    assert "***" in clean
    assert not any(secret in clean for secret in ("secret-of-mine", "abcdef", "dXNl", KEY[3:]))
    assert clean.split()[0].split("=")[0][:4] == line.split()[0].split("=")[0][:4]


@pytest.mark.parametrize("line", HARMLESS_LINES)
def test_what_only_looks_a_little_like_a_secret_stays_readable(line: str) -> None:
    assert redact(line, []) == line


def test_secrets_of_the_environment_are_known_by_value() -> None:
    environ = {"HF_TOKEN": "plainwords1", "MY_API_KEY": "otherwords2", "KEY": "abc", "PATH": "/bin"}
    assert sorted(known_secrets({**environ, "BERTH_HOME": "/nowhere"})) == [
        "otherwords2",
        "plainwords1",
    ]
    assert redact("it is plainwords1, not plainwords2", ["plainwords1"]) == (
        "it is ***, not plainwords2"
    )


def test_the_token_saved_from_the_browser_is_known(home: Path) -> None:
    home.mkdir()
    (home / "hf_token").write_text("saved-in-the-browser\n")
    assert redact("token saved-in-the-browser") == "token ***"


@pytest.mark.parametrize("place", ["engine_keys/lab", "slots/slot-0.key"])
def test_the_keys_of_engines_are_known(home: Path, place: str) -> None:
    (home / place).parent.mkdir(parents=True)
    (home / place).write_text("plain-words-of-a-key\n")
    assert redact("it sent plain-words-of-a-key") == "it sent ***"


def test_of_two_secrets_the_longer_one_is_masked_whole() -> None:
    assert redact("abcdefgh-more", ["abcdefgh", "abcdefgh-more"]) == "***"


@pytest.mark.parametrize("odd", ["", "\0", "\udcff\ud800", "‮txet", "a" * 100_000])
def test_odd_text_comes_through(odd: str) -> None:
    assert redact(odd, []) == odd


@settings(deadline=None)
@given(st.text())
def test_masking_twice_changes_nothing_more(text: str) -> None:
    once = redact(text, ["secret-word"])
    assert redact(once, ["secret-word"]) == once


@settings(deadline=None)
@given(
    st.lists(st.sampled_from([*SECRET_LINES, *HARMLESS_LINES, "é€😀"]), max_size=8),
    st.sampled_from(["\n", "\r", "\r\n"]),
    st.lists(st.integers(1, 40), min_size=1, max_size=30),
)
def test_pieces_are_masked_as_the_whole(lines: list[str], end: str, sizes: list[int]) -> None:
    whole = "".join(line + end for line in lines).encode()
    redactor, found, at = Redactor([]), b"", 0
    while at < len(whole):
        size = sizes[at % len(sizes)]
        found += redactor.feed(whole[at : at + size])
        at += size
    assert found + redactor.flush() == redact(whole.decode(), []).encode()


@pytest.mark.parametrize("before", range(OVERLONG - HELD_BACK - 40, OVERLONG - HELD_BACK + 40, 7))
def test_a_secret_in_an_endless_line_is_masked_wherever_it_lies(before: int) -> None:
    redactor = Redactor([])
    line = b"x" * before + b" " + TOKEN.encode() + b" " + b"y" * (OVERLONG - before)
    found = b"".join(redactor.feed(line[i : i + 1000]) for i in range(0, len(line), 1000))
    found += redactor.flush()
    assert TOKEN[10:20].encode() not in found
    assert found.startswith(b"x" * before + b" *** y")


def test_a_line_without_end_is_let_through_bit_by_bit() -> None:
    redactor = Redactor([])
    assert redactor.feed(b"." * (OVERLONG + 1))
    assert redactor.feed(b"short") == b""
