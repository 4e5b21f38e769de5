"""Safetensors repositories looked up on the Hub: what is asked, how often, and what is refused."""

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from lib.core.errors import BrokenFile
from lib.core.settings import settings
from lib.fit import safetensors
from lib.hub import checkpoints, look_up, save_token
from lib.hub.checkpoints import checkpoint, local_checkpoint
from tests.support import checkpoint_configs as configs
from tests.support import weight_shapes as weights
from tests.support.checkpoint_configs import quantized
from tests.support.checkpoint_repos import add_checkpoint, write_checkpoint
from tests.support.expect import expect_failure
from tests.support.fake_hub import FakeHub, Manner, Request
from tests.support.hub_api import NARROW, STRANGER, Fault, HubApi
from tests.support.safetensors_files import header_of
from tests.support.weight_shapes import Format

REPO = "acme/Anvil-8B"
GATED = "acme/Gated-8B"


def asked(hub: FakeHub) -> list[str]:
    """Which files were asked for, in the order in which that was."""
    return [request.path.rsplit("/", 1)[1] for request in hub.asked_for("resolve")]


def bytes_asked(request: Request) -> int:
    span = request.headers.get("range") or request.headers.get("Range") or ""
    start, end = span.removeprefix("bytes=").split("-")
    return int(end) - int(start) + 1


def test_a_repository_is_judged_without_its_weights(hub: HubApi) -> None:
    add_checkpoint(hub, REPO, configs.LLAMA_8B, weights.dense(configs.LLAMA_8B), parts=4)
    found = checkpoint(REPO)
    assert found.checkpoint.parameters == 8_030_261_248
    assert found.checkpoint.weights.total == 16_060_522_496
    assert found.checkpoint.kv_bytes_per_token() == 131_072
    assert (found.repo, found.sha) == (REPO, look_up(REPO).sha)
    assert [file.path for file in found.files] == [
        "config.json", "tokenizer.json", "tokenizer_config.json",
        *(f"model-{n:05d}-of-00004.safetensors" for n in range(1, 5)),
    ]  # fmt: skip
    assert found.bytes > 16_060_522_496


def test_each_file_is_asked_for_once_and_only_its_beginning(hub: HubApi) -> None:
    add_checkpoint(hub, REPO, configs.LLAMA_70B, weights.dense(configs.LLAMA_70B), parts=60)
    checkpoint(REPO)
    assert len(hub.requests) == 1 + 1 + 60  # the card, config.json, the parts
    assert len(set(asked(hub))) == len(asked(hub)) == 61
    pieces = [bytes_asked(r) for r in hub.asked_for("-of-00060.safetensors")]
    assert max(pieces) <= safetensors.FIRST_READ


def test_a_second_look_asks_nothing(hub: HubApi) -> None:
    add_checkpoint(hub, REPO, configs.LLAMA_8B, weights.dense(configs.LLAMA_8B), parts=4)
    first, before = checkpoint(REPO), len(hub.requests)
    assert checkpoint(REPO) == first
    assert len(hub.requests) == before


def test_weights_that_two_repositories_share_are_read_once(hub: HubApi) -> None:
    for repo in (REPO, "other/Anvil-8B"):
        add_checkpoint(hub, repo, configs.LLAMA_8B, weights.dense(configs.LLAMA_8B), parts=4)
        checkpoint(repo)
    assert len([name for name in asked(hub) if name.endswith(".safetensors")]) == 4


def test_what_is_kept_and_broken_is_read_again(hub: HubApi) -> None:
    add_checkpoint(hub, REPO, configs.TINY, weights.dense(configs.TINY))
    first = checkpoint(REPO)
    for file in settings().hub_cache.iterdir():
        file.write_text('{"rows": [{"part"')
    expect_failure("broken_file", lambda: checkpoint(REPO))  # a config.json that was damaged here
    for file in settings().hub_cache.iterdir():
        file.unlink()
    assert checkpoint(REPO).checkpoint == first.checkpoint


def test_a_long_header_takes_two_questions(hub: HubApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(safetensors, "FIRST_READ", 1_000)
    add_checkpoint(hub, REPO, configs.LLAMA_8B, weights.dense(configs.LLAMA_8B))
    assert checkpoint(REPO).checkpoint.parameters == 8_030_261_248
    assert asked(hub).count("model.safetensors") == 2


def test_a_server_without_ranges_is_left_when_there_is_enough(hub: HubApi) -> None:
    shapes = weights.dense(configs.TINY)
    add_checkpoint(hub, REPO, configs.TINY, shapes, manner=Manner(has_ranges=False))
    assert checkpoint(REPO).checkpoint.parameters == 115_008


def test_few_are_asked_for_at_a_time(hub: HubApi) -> None:
    """As many as allowed, and never more."""
    add_checkpoint(hub, REPO, configs.LLAMA_70B, weights.dense(configs.LLAMA_70B), parts=30)
    page, gate = hub.routes[2][1], threading.Condition()
    now, most = 0, 0

    def counted(handler: Any, match: Any) -> None:
        nonlocal now, most
        with gate:
            now, most = now + 1, max(most, now + 1)
            gate.notify_all()
            gate.wait_for(lambda: most >= checkpoints.AT_ONCE or ".json" in match[0], 5)
        page(handler, match)
        with gate:
            now -= 1

    hub.routes[2] = (hub.routes[2][0], counted)
    checkpoint(REPO)
    assert most == checkpoints.AT_ONCE


def test_the_format_is_read_from_where_it_is_told(hub: HubApi) -> None:
    shapes = weights.dense(configs.QWEN25_7B, Format.MODELOPT_NVFP4)
    extra = {
        "hf_quant_config.json": configs.MODELOPT_NVFP4,
        "generation_config.json": {"max_new_tokens": 512},
    }
    add_checkpoint(hub, REPO, configs.QWEN25_7B, shapes, extra=extra)
    found = checkpoint(REPO).checkpoint
    assert found.quantization is not None
    assert found.quantization.label == "NVFP4, 4 bits"
    assert found.parameters == 7_615_616_512
    assert found.most_new_tokens == 512


def test_where_names_leave_it_open_the_index_is_asked(hub: HubApi) -> None:
    shapes = weights.dense(configs.TINY)
    index = {"weight_map": dict.fromkeys(shapes, "model.safetensors")}
    extra = {"model.safetensors.index.json": index}
    add_checkpoint(hub, REPO, configs.TINY, shapes, extra=extra)
    hub.add_file(REPO, "other.safetensors", header_of(shapes), size=999_999)
    found = checkpoint(REPO)
    assert found.checkpoint.parameters == 115_008
    assert "other.safetensors" not in [file.path for file in found.files]


@pytest.mark.parametrize(
    ("token", "code"),
    [("", "token_needed"), (STRANGER, "terms_not_accepted"), (NARROW, "token_too_narrow")],
)
def test_a_gated_repository_says_what_its_visitor_must_do(
    hub: HubApi, token: str, code: str
) -> None:
    add_checkpoint(hub, GATED, configs.TINY, weights.dense(configs.TINY), gated="manual")
    if token:
        save_token(token)
    error = expect_failure(code, lambda: checkpoint(GATED))
    assert hub.url in getattr(error, "url", "")


@pytest.mark.parametrize(
    ("repo", "code"),
    [("acme/missing", "repository_not_found"), ("acme/limited", "rate_limited")],
)
def test_the_hubs_own_troubles_keep_their_words(hub: HubApi, repo: str, code: str) -> None:
    expect_failure(code, lambda: checkpoint(repo))


def test_what_cannot_be_served_is_refused_before_any_header_is_read(hub: HubApi) -> None:
    config = quantized(configs.LLAMA_8B, configs.BNB)
    add_checkpoint(hub, REPO, config, weights.dense(configs.LLAMA_8B), parts=4)
    assert "bitsandbytes" in expect_failure("bad_input", lambda: checkpoint(REPO)).message
    assert asked(hub) == ["config.json"]


def test_a_repository_of_other_formats_names_what_it_was_made_of(hub: HubApi) -> None:
    error = expect_failure("bad_input", lambda: checkpoint("acme/Anvil-1B-GGUF"))
    assert error.message == "It has GGUF files alone, which vLLM does not serve."
    assert error.fix.endswith("It says that it was made of acme/Anvil-1B.")
    assert asked(hub) == []


def test_a_file_that_was_cut_on_the_hub_is_noticed(hub: HubApi) -> None:
    shapes = weights.dense(configs.TINY)
    add_checkpoint(hub, REPO, configs.TINY, shapes)
    hub.add_file(REPO, "model.safetensors", header_of(shapes), size=5_000)
    error = expect_failure("broken_file", lambda: checkpoint(REPO))
    assert "has 5,000 bytes, its header asks for" in error.message


@pytest.mark.parametrize(
    ("data", "words"),
    [(b"[]", "does not hold what it should"), (b"{", "is not JSON"), (b'"\xff', "is not JSON")],
)
def test_a_config_that_is_none_is_said_to_be_so(hub: HubApi, data: bytes, words: str) -> None:
    add_checkpoint(hub, REPO, configs.TINY, weights.dense(configs.TINY))
    hub.add_small_file(REPO, "config.json", data)
    assert words in expect_failure("broken_file", lambda: checkpoint(REPO)).message


def test_the_first_failure_ends_what_has_not_begun(hub: HubApi) -> None:
    add_checkpoint(
        hub, REPO, configs.LLAMA_70B, weights.dense(configs.LLAMA_70B), parts=60,
        manner=Manner(status=500),
    )  # fmt: skip
    expect_failure("hub_failed", lambda: checkpoint(REPO))
    assert len(hub.asked_for(".safetensors")) < 30


def test_a_hub_that_is_gone_does_not_matter_for_what_is_known(hub: HubApi) -> None:
    add_checkpoint(hub, REPO, configs.TINY, weights.dense(configs.TINY))
    sha = checkpoint(REPO).sha
    hub.faults[REPO] = Fault(status=503)
    assert checkpoint(REPO, sha).checkpoint.parameters == 115_008


def test_a_folder_is_judged_alike(hub: HubApi, tmp_path: Path) -> None:
    shapes = weights.dense(configs.QWEN25_7B)
    folder = write_checkpoint(tmp_path / "model", configs.QWEN25_7B, shapes, parts=4)
    add_checkpoint(hub, REPO, configs.QWEN25_7B, shapes, parts=4)
    found = local_checkpoint(folder)
    assert found.checkpoint == checkpoint(REPO).checkpoint
    assert found.paths == tuple(file.path for file in checkpoint(REPO).files)


def test_a_folder_that_is_no_model_says_so(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    assert "no folder" in expect_failure("bad_input", lambda: local_checkpoint(gone)).message
    assert (
        "no config.json" in expect_failure("bad_input", lambda: local_checkpoint(tmp_path)).message
    )
    folder = write_checkpoint(tmp_path / "model", configs.TINY, weights.dense(configs.TINY))
    (folder / "model.safetensors").write_bytes(b"PK\x03\x04 zip")
    with pytest.raises(BrokenFile, match="zip archive"):
        local_checkpoint(folder)


def test_an_index_in_a_folder_is_followed(tmp_path: Path) -> None:
    shapes = weights.dense(configs.TINY)
    folder = write_checkpoint(tmp_path / "model", configs.TINY, shapes)
    write_checkpoint(tmp_path / "other", configs.TINY, shapes)
    (tmp_path / "other" / "model.safetensors").rename(folder / "second.safetensors")
    index = {"weight_map": dict.fromkeys(shapes, "model.safetensors")}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    assert local_checkpoint(folder).checkpoint.parameters == 115_008
