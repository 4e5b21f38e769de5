"""Look-ups against a server that answers as the Hub does, and what is remembered of them."""

import os
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qs, urlsplit

import pytest

from lib.core.errors import BadInput
from lib.core.settings import settings
from lib.hub import gguf_repositories, look_up, search
from tests.support.expect import expect_failure
from tests.support.hub_api import SEARCH, Fault, HubApi

STARTER = "Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF"
DIVIDED = "acme/Anvil-70B-Vision-GGUF"


def grow_old() -> None:
    """Let the cache be six minutes older."""
    for file in settings().hub_cache.iterdir():
        then = file.stat().st_mtime - 360
        os.utime(file, (then, then))


def test_the_starters_card_is_complete(hub: HubApi) -> None:
    card = look_up(STARTER)
    assert card.id == STARTER
    assert card.sha == "ebb2015119c907b064c512bf053e945850b5875f"
    assert (card.author, card.licence, card.architecture) == ("Qwen", "apache-2.0", "qwen2")
    assert (card.parameters, card.context_length) == (630_167_424, 32_768)
    assert (card.downloads, card.likes, card.gated, card.is_private) == (41_873, 27, False, False)
    assert card.base_models == ("Qwen/Qwen2.5-Coder-0.5B-Instruct",)
    assert card.last_modified is not None
    assert card.last_modified.year == 2025
    assert card.url == f"{hub.url}/{STARTER}"
    assert not card.is_stale
    assert abs(card.checked_at - time.time()) < 60


def test_files_are_grouped_by_quantization_with_exact_bytes_and_checksums(hub: HubApi) -> None:
    card = look_up(STARTER)
    names = [variant.quantization for variant in card.variants]
    assert names == ["F16", "Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M", "Q4_0", "Q3_K_M", "Q2_K"]
    [q4] = [variant for variant in card.variants if variant.quantization == "Q4_K_M"]
    assert q4.bytes == 491_400_064
    file = card.file(q4.paths[0])
    assert file.sha256 == "1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32"


def test_divided_models_are_summed_if_complete_and_companions_stay_apart(hub: HubApi) -> None:
    card = look_up(DIVIDED)
    by_name = {variant.quantization: variant for variant in card.variants}
    assert set(by_name) == {"Q8_0", "Q4_K_M", "IQ4_XS", "UD-Q2_K_XL"}
    assert len(by_name["Q8_0"].paths) == 3
    assert by_name["Q8_0"].bytes == sum(card.file(path).bytes for path in by_name["Q8_0"].paths)
    beside = {file.path.rpartition("/")[2] for file in card.beside}
    assert beside == {
        "mmproj-F16.gguf",
        "mmproj-BF16.gguf",
        "imatrix_unsloth.gguf",
        "Anvil-70B-Vision-MTP-Q8_0.gguf",
        "adapter-lora-F16.gguf",
        "Anvil-70B-Vision-Q6_K-00001-of-00003.gguf",
        "Anvil-70B-Vision-Q6_K-00002-of-00003.gguf",
    }


def test_a_repository_without_gguf_files_has_no_variant(hub: HubApi) -> None:
    base = look_up("acme/Anvil-1B")
    assert not base.variants
    assert not base.beside
    assert (base.parameters, base.architecture) == (1_235_814_400, "llama")
    assert look_up("acme/Notes").parameters is None


def test_gguf_repositories_are_those_that_declare_the_base_most_used_first(hub: HubApi) -> None:
    found = gguf_repositories("acme/Anvil-1B")
    assert [one.id for one in found] == [
        "busy/Anvil-1B-GGUF",
        "acme/Anvil-1B-GGUF",
        "small/anvil-1b-q4-gguf",
    ]
    assert found[2].licence == "other"  # a list has tags alone
    assert gguf_repositories("acme/Notes") == []


def test_a_hub_that_ignores_filters_cannot_slip_in_another_model(hub: HubApi) -> None:
    rows = b'[{"id": "acme/Other-GGUF", "downloads": 9, "tags": ["gguf"]}]'
    hub.faults[SEARCH] = Fault(body=rows)
    assert gguf_repositories("acme/Anvil-1B") == []


def test_a_search_lists_what_is_used_most_first(hub: HubApi) -> None:
    found = search("anvil 1b")
    assert [one.id for one in found[:2]] == ["other/Anvil-1B-Pirate-GGUF", "busy/Anvil-1B-GGUF"]
    assert found[1].parameters == 1_235_814_400
    assert found[1].context_length == 131_072
    assert found[1].licence == "apache-2.0"
    assert "acme/Anvil-1B" not in {one.id for one in found}
    assert "acme/Anvil-1B" in {one.id for one in search("anvil 1b", has_gguf=False)}


def test_a_search_can_be_narrowed(hub: HubApi) -> None:
    assert [one.id for one in search("anvil", licence="mit")] == ["other/Anvil-1B-Pirate-GGUF"]
    assert [one.gated for one in search("gated")] == ["manual"]
    assert search("gated", is_open=True) == []
    assert len(search(limit=2)) == 2
    assert search("no such thing") == []


def test_no_search_shows_what_is_private_or_disabled(hub: HubApi) -> None:
    assert not {"acme/Private-1B-GGUF", "acme/Withdrawn-GGUF"} & {one.id for one in search()}


@pytest.mark.parametrize("words", ["a\0b", "q\u202ewen", "x" * 201])
def test_odd_words_are_not_searched_for(hub: HubApi, words: str) -> None:
    with pytest.raises(BadInput):
        search(words)
    assert not hub.requests


def test_words_are_only_ever_one_parameter(hub: HubApi) -> None:
    assert search("anvil&limit=1&filter=x#y") == []
    [request] = hub.requests
    assert parse_qs(urlsplit(request.path).query)["search"] == ["anvil&limit=1&filter=x#y"]


def test_a_search_is_remembered_for_some_minutes(hub: HubApi) -> None:
    assert search("anvil") == search("anvil")
    assert len(hub.requests) == 1
    grow_old()
    search("anvil")
    assert len(hub.requests) == 2


def test_a_branch_is_remembered_for_some_minutes_and_a_commit_for_good(hub: HubApi) -> None:
    card = look_up(STARTER)
    assert look_up(STARTER).files == card.files
    assert len(hub.requests) == 1
    grow_old()
    assert look_up(STARTER, card.sha).files == card.files
    assert len(hub.requests) == 1
    look_up(STARTER)
    assert len(hub.requests) == 2


@pytest.mark.parametrize(
    "fault",
    [
        Fault(503),
        Fault(429),
        Fault(body=b"<html>Sign in to this network</html>"),
        Fault(body=b'{"id": "acme/'),
        Fault(headers={"Content-Encoding": "gzip"}, body=b"not gzip"),
        Fault(302, {"Location": "/api/models/acme/Anvil-1B/revision/main"}),
    ],
)
def test_a_hub_in_trouble_leaves_the_last_answer_marked_as_old(hub: HubApi, fault: Fault) -> None:
    card = look_up("acme/Anvil-1B")
    hub.faults["acme/Anvil-1B"] = fault
    grow_old()
    old = look_up("acme/Anvil-1B")
    assert old.is_stale
    assert old.checked_at < card.checked_at - 300
    assert old.files == card.files


def test_an_unreachable_hub_leaves_the_last_answer(
    hub: HubApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    look_up(STARTER)
    grow_old()
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert look_up(STARTER).is_stale
    expect_failure("offline", lambda: look_up("acme/Anvil-1B"))
    assert len(hub.requests) == 1


def test_a_repository_that_is_gone_is_not_answered_from_memory(hub: HubApi) -> None:
    look_up(STARTER)
    grow_old()
    del hub.repositories[STARTER]
    expect_failure("repository_not_found", lambda: look_up(STARTER))


def test_a_broken_memory_is_ignored(hub: HubApi) -> None:
    card = look_up(STARTER)
    for file in settings().hub_cache.iterdir():
        file.write_text('{"id": "acme/')
    assert look_up(STARTER).files == card.files
    assert look_up(STARTER, card.sha).files == card.files
    assert len(hub.requests) == 2


def test_nothing_is_lost_where_the_disk_lets_nothing_be_written(hub: HubApi) -> None:
    settings().home.mkdir(parents=True, exist_ok=True)
    (settings().home / "cache").write_text("a file in the way")
    assert look_up(STARTER).id == STARTER


def test_many_threads_may_ask_at_the_same_time(hub: HubApi) -> None:
    with ThreadPoolExecutor(8) as pool:
        cards = list(pool.map(lambda _: look_up(STARTER), range(24)))
    assert {card.sha for card in cards} == {cards[0].sha}
    assert look_up(STARTER).files == cards[0].files
