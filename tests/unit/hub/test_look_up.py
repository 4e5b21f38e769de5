"""What the Hub answers, what is kept of it, and the token: all that needs no network."""

import json
import os
import stat
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.core.errors import (
    BerthError,
    NetworkError,
    NotFound,
)
from lib.core.settings import settings
from lib.hub import cache, forget_token, save_token
from lib.hub import errors as hub_errors
from lib.hub.cards import read_card, read_list
from lib.hub.errors import Answer, Asked, HubUnreadable, NoAccess, RateLimited, failure

TOKEN = "hf_" + "a1B2" * 8
SHA = "ebb2015119c907b064c512bf053e945850b5875f"
ASKED = Asked("acme/Anvil-1B")
NAMES = ("id", "sha", "siblings", "gguf", "tags", "cardData", "rfilename", "size")
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(NAMES), inner, max_size=len(NAMES))
    ),
)


def answer(status: int, code: str = "", said: str = "", **headers: str) -> Answer:
    marks = {"X-Error-Code": code, "X-Error-Message": said}
    marks |= {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, {name: value for name, value in marks.items() if value}, b"")


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (answer(401), "repository_not_found"),
        (answer(401, "RepoNotFound", "Invalid username or password."), "repository_not_found"),
        (answer(404), "repository_not_found"),
        (answer(404, "RepoNotFound"), "repository_not_found"),
        (answer(401, "GatedRepo"), "token_needed"),
        (answer(404, "RevisionNotFound"), "revision_not_found"),
        (answer(404, "EntryNotFound"), "file_missing"),
        (answer(403, "", hub_errors.DISABLED), "repository_disabled"),
        (answer(401, "", "Invalid credentials in Authorization header"), "token_refused"),
        (answer(401, "", 'User Access Token "mine" is expired'), "token_refused"),
        (answer(403), "hub_failed"),
        (answer(429), "rate_limited"),
        (answer(400), "hub_failed"),
        (answer(304), "hub_failed"),
        (answer(500), "hub_failed"),
        (answer(503), "hub_failed"),
    ],
)
def test_each_refusal_has_its_code_without_a_token(reply: Answer, code: str) -> None:
    check_words(failure(reply, ASKED), code)


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (answer(404, "RepoNotFound"), "repository_not_found"),
        (answer(401, "GatedRepo"), "token_refused"),
        (answer(403, "GatedRepo"), "terms_not_accepted"),
        (answer(403, "", "Please enable access to gated repositories"), "token_too_narrow"),
    ],
)
def test_each_refusal_has_its_code_with_a_token(reply: Answer, code: str) -> None:
    save_token(TOKEN)
    check_words(failure(reply, ASKED), code)


def check_words(error: BerthError, code: str) -> None:
    assert error.code == code
    assert error.message.endswith(".")
    assert error.fix
    assert TOKEN not in str(error)
    assert isinstance(error, NotFound | NetworkError)
    if isinstance(error, NoAccess):
        assert error.url.startswith("https://huggingface.co/")


def test_no_two_kinds_of_failure_share_a_code() -> None:
    leaves = [kind for kind in vars(hub_errors).values() if isinstance(kind, type)]
    codes = [leaf.code for leaf in leaves if issubclass(leaf, NotFound | NetworkError)]
    assert len(codes) == len(set(codes)) > 10


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"RateLimit": '"api";r=0;t=55'}, 55),
        ({"RateLimit": '"api";r=12;t=55', "Retry-After": "7"}, 7),
        ({"Retry-After": "120"}, 120),
        ({"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}, None),
        ({"RateLimit": "nonsense"}, None),
        ({}, None),
    ],
)
def test_a_rate_limit_says_how_long_to_wait(headers: dict[str, str], seconds: int | None) -> None:
    error = failure(Answer(429, headers, b""), ASKED)
    assert isinstance(error, RateLimited)
    assert error.wait_seconds == seconds


def test_the_hubs_own_words_are_quoted_short_and_clean() -> None:
    body = json.dumps({"error": "Sorry\u202e" + "x" * 5000}).encode()
    error = failure(Answer(500, {}, body), ASKED)
    assert "Sorry" in error.message
    assert "\u202e" not in error.message
    assert len(error.message) < 300


@pytest.mark.parametrize("body", [b'{"error": 5}', b"{", b'{"a":' * 5000, b"\xff", b""])
def test_a_strange_error_body_is_no_second_error(body: bytes) -> None:
    assert failure(Answer(500, {}, body), ASKED).code == "hub_failed"


def model(**changes: Any) -> str:
    row = {"rfilename": "a-Q4_K_M.gguf", "size": 9, "lfs": {"sha256": "a" * 64, "size": 9}}
    return json.dumps({"id": "acme/A", "sha": SHA, "siblings": [row]} | changes)


def test_a_card_needs_little() -> None:
    card = read_card(model(), ASKED, 1.0)
    assert (card.id, card.sha, card.author, card.gated) == ("acme/A", SHA, "acme", False)
    assert card.parameters is None
    assert card.licence == ""
    assert [variant.quantization for variant in card.variants] == ["Q4_K_M"]
    assert card.file("a-Q4_K_M.gguf").sha256 == "a" * 64


def test_nulls_are_as_good_as_nothing() -> None:
    nulls = dict.fromkeys(
        ("downloads", "likes", "tags", "gguf", "safetensors", "cardData", "gated")
    )
    assert read_card(model(**nulls), ASKED, 1.0) == read_card(model(), ASKED, 1.0)


@pytest.mark.parametrize(
    "changes",
    [
        {"sha": "main"},
        {"sha": "../../x"},
        {"id": "../x"},
        {"id": 5},
        {"siblings": [{"rfilename": "a.gguf"}]},
        {"siblings": [{"rfilename": "a.gguf", "size": -1}]},
        {"siblings": [{"rfilename": "a.gguf", "size": 1, "lfs": {"sha256": "A" * 64, "size": 1}}]},
        {"gated": "maybe"},
    ],
)
def test_a_card_of_another_form_is_unreadable(changes: dict[str, Any]) -> None:
    with pytest.raises(HubUnreadable):
        read_card(model(**changes), ASKED, 1.0)


@pytest.mark.parametrize(
    "path", ["../x.gguf", "/x.gguf", "a/../../x.gguf", "a\\x.gguf", "a\0.gguf"]
)
def test_a_file_with_an_unsafe_path_is_not_in_the_card(path: str) -> None:
    rows = [{"rfilename": path, "size": 1}, {"rfilename": "README.md", "size": 1}]
    card = read_card(model(siblings=rows), ASKED, 1.0)
    assert [file.path for file in card.files] == ["README.md"]


@pytest.mark.parametrize(
    ("changes", "licence"),
    [
        ({"cardData": {"license": "mit"}}, "mit"),
        ({"tags": ["license:apache-2.0"]}, "apache-2.0"),
        ({"cardData": {"license": "other", "license_name": "own-terms"}}, "own-terms"),
        ({"cardData": {"license": "other"}}, "other"),
        ({"cardData": {"license": ["mit", "gpl"]}}, ""),
        ({"cardData": {"license": {"odd": 1}}, "tags": ["license:mit"]}, "mit"),
    ],
)
def test_a_licence_is_read_from_card_or_tags(changes: dict[str, Any], licence: str) -> None:
    assert read_card(model(**changes), ASKED, 1.0).licence == licence


@pytest.mark.parametrize(
    ("changes", "bases"),
    [
        ({"cardData": {"base_model": "x/y"}}, ("x/y",)),
        ({"cardData": {"base_model": ["x/y", "z/w", 5]}}, ("x/y", "z/w")),
        ({"tags": ["base_model:x/y", "base_model:quantized:x/y"]}, ("x/y",)),
        ({"cardData": {"base_model": {"odd": 1}}}, ()),
    ],
)
def test_base_models_are_read_from_card_and_tags(
    changes: dict[str, Any], bases: tuple[str, ...]
) -> None:
    assert read_card(model(**changes), ASKED, 1.0).base_models == bases


def test_safetensors_count_parameters_better_than_a_gguf_file() -> None:
    both = model(gguf={"total": 3_397_103_616}, safetensors={"total": 3_085_938_688})
    assert read_card(both, ASKED, 1.0).parameters == 3_085_938_688
    assert read_card(model(gguf={"total": 7}), ASKED, 1.0).parameters == 7


@given(ANY_JSON)
def test_any_json_is_a_card_and_a_list_or_unreadable(value: Any) -> None:
    for read in (lambda text: read_card(text, ASKED, 1.0), read_list):
        try:
            read(json.dumps(value))
        except HubUnreadable as error:
            assert "huggingface.co" in error.message


def test_a_deeply_nested_answer_is_unreadable() -> None:
    with pytest.raises(HubUnreadable):
        read_list("[" * 100_000)


def test_a_list_leaves_out_names_of_another_form() -> None:
    rows = [{"id": "gpt2"}, {"id": "../x"}, {"id": "acme/A", "downloads": 3}]
    assert [found.id for found in read_list(json.dumps(rows))] == ["acme/A"]


def test_an_answer_is_kept_with_its_time() -> None:
    cache.write("question", "answer")
    kept = cache.read("question", 60)
    assert kept is not None
    assert kept.text == "answer"
    assert abs(kept.at - time.time()) < 60
    assert cache.read("another question") is None


def test_an_old_answer_is_read_only_where_age_does_not_matter() -> None:
    cache.write("question", "answer")
    [file] = settings().hub_cache.iterdir()
    for epoch in (time.time() - 400, time.time() + 4000):  # also a clock that was set back
        os.utime(file, (epoch, epoch))
        assert cache.read("question", 300) is None
        assert cache.read("question") is not None


def test_what_one_token_saw_another_does_not() -> None:
    save_token(TOKEN)
    cache.write("question", "private")
    forget_token()
    assert cache.read("question") is None


def test_no_token_can_be_found_in_the_cache() -> None:
    save_token(TOKEN)
    cache.write("question", "answer")
    [file] = settings().hub_cache.iterdir()
    assert TOKEN not in f"{file.name} {file.read_text()}"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_the_cache_forgets_the_oldest_when_it_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "LARGEST_BYTES", 2_500)
    for number in range(4):
        before = set(settings().hub_cache.glob("*"))
        cache.write(f"question {number}", "x" * 1000)
        [new] = set(settings().hub_cache.glob("*")) - before
        os.utime(new, (1000 + number, 1000 + number))
    kept = [number for number in range(4) if cache.read(f"question {number}")]
    assert kept == [2, 3]


@pytest.mark.parametrize("spoil", ["directory", "binary", "no_folder"])
def test_a_cache_that_is_broken_is_as_if_it_were_empty(spoil: str) -> None:
    cache.write("question", "answer")
    folder = settings().hub_cache
    [file] = folder.iterdir()
    file.unlink()
    if spoil == "directory":
        file.mkdir()
    elif spoil == "binary":
        file.write_bytes(b"\xff\xfe")
    else:
        folder.rmdir()
        folder.write_text("a file in the way")
    assert cache.read("question") is None
    cache.write("question", "answer")
