"""GGUF headers from the Hub, and who gets to see the token on the way."""

import logging
import re
from pathlib import Path

import pytest

from lib.core.errors import BrokenFile
from lib.core.settings import settings
from lib.fit import gguf, gguf_jumps
from lib.fit.file_names import Variant
from lib.hub import Card, header, look_up, pieces, save_token
from lib.hub import headers as hub_headers
from tests.support.expect import expect_failure
from tests.support.fake_hub import FakeHub, Manner
from tests.support.hub_api import NARROW, OWNER, STRANGER, HubApi
from tests.support.tiny_gguf import write_tiny
from tests.support.vocabularies import TOKENS, grown, header_of

STARTER = "Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF"
GATED = "acme/Gated-1B-GGUF"


@pytest.mark.parametrize(
    ("token", "code"),
    [("", "token_needed"), (STRANGER, "terms_not_accepted"), (NARROW, "token_too_narrow")],
)
def test_a_gated_card_can_be_seen_and_its_files_cannot(hub: HubApi, token: str, code: str) -> None:
    hub.add_file(GATED, "Gated-1B-Q4_K_M.gguf", b"GGUF")
    if token:
        save_token(token)
    card = look_up(GATED)
    assert card.gated == "manual"
    error = expect_failure(code, lambda: header(card, card.variants[-1]))
    assert hub.url in getattr(error, "url", "")


def test_the_token_goes_to_the_hub_and_nowhere_else(
    hub: HubApi, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    [whole] = write_tiny(tmp_path / "tiny-Q8_0.gguf")
    data = whole.read_bytes()
    save_token(OWNER)
    with FakeHub() as storage:
        elsewhere = storage.add("bucket/of", "main", "tiny.gguf", data)
        hub.add_file(STARTER, "tiny-Q8_0.gguf", data, Manner(redirect_to=elsewhere))
        card = look_up(STARTER)
        header(card, variant_of(card, "tiny-Q8_0.gguf"))
        assert [sent(request.headers) for request in hub.requests] == [f"Bearer {OWNER}"] * 2
        assert [sent(request.headers) for request in storage.requests] == [""]
    assert OWNER not in caplog.text
    assert OWNER not in "".join(request.path for request in hub.requests)


def sent(headers: object) -> str:
    assert isinstance(headers, dict)
    return str(headers.get("authorization") or headers.get("Authorization") or "")


def variant_of(card: Card, path: str) -> Variant:
    [found] = [variant for variant in card.variants if path in variant.paths]
    return found


def serve_tiny(hub: HubApi, folder: Path, manner: Manner | None = None, size: int = 0) -> Path:
    [whole] = write_tiny(folder / "tiny-Q8_0.gguf")
    hub.add_file("acme/Notes", whole.name, whole.read_bytes(), manner, size)
    return whole


def ranges(hub: HubApi) -> list[str]:
    return [
        r.headers.get("range") or r.headers.get("Range") or "" for r in hub.asked_for("resolve")
    ]


def tiny_header() -> gguf.Header:
    card = look_up("acme/Notes")
    return header(card, card.variants[0])


def test_a_header_is_read_without_the_file(hub: HubApi, tmp_path: Path) -> None:
    whole = serve_tiny(hub, tmp_path)
    assert tiny_header() == gguf.read_file(whole)
    assert ranges(hub) == [f"bytes=0-{min(gguf_jumps.FIRST_READ, whole.stat().st_size) - 1}"]


def read_bytes(hub: HubApi) -> int:
    """How much of files was asked for in all."""
    ends = [re.findall(r"\d+", one) for one in ranges(hub)]
    return sum(int(end) - int(start) + 1 for start, end in ends)


def serve_vocabulary(hub: HubApi) -> gguf.Header:
    """A repository of one file with a large vocabulary; its header."""
    pairs = [f"{word} {word[::-1]}" for word in grown(TOKENS, 1)]
    start, size = header_of(grown(TOKENS), merges=pairs)
    hub.copy_repository("acme/Notes", "acme/Large", siblings=[])
    hub.add_file("acme/Large", "Large-Q4_K_M.gguf", start.ljust(size, b"\0"))
    return gguf.parse(start)


def test_of_a_header_with_a_large_vocabulary_much_is_never_read(hub: HubApi) -> None:
    whole = serve_vocabulary(hub)
    card = look_up("acme/Large")
    assert header(card, card.variants[0]) == whole
    asked = read_bytes(hub)
    assert asked <= 4 * 2**20
    assert asked < 0.8 * whole.data_offset
    assert header(card, card.variants[0]) == whole
    assert read_bytes(hub) == asked


def test_where_the_vocabulary_cannot_be_passed_over_it_is_read_whole(
    hub: HubApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = serve_vocabulary(hub)
    monkeypatch.setattr(gguf_jumps, "MOST_WINDOWS", 1)
    card = look_up("acme/Large")
    assert header(card, card.variants[0]) == whole
    assert ranges(hub)[-1].startswith("bytes=1048576-")


def test_a_long_header_is_read_in_growing_pieces(
    hub: HubApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, count in (("FIRST_READ", 1_000), ("MOST_WINDOWS", 0)):
        monkeypatch.setattr(gguf_jumps, name, count)
    monkeypatch.setattr(gguf, "FIRST_READ", 1_000)
    whole = serve_tiny(hub, tmp_path)
    assert tiny_header() == gguf.read_file(whole)
    assert ranges(hub)[:3] == ["bytes=0-999", "bytes=1000-1999", "bytes=2000-3999"]


def test_a_server_without_ranges_is_left_when_there_is_enough(
    hub: HubApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gguf_jumps, "FIRST_READ", 1_000)
    monkeypatch.setattr(gguf, "FIRST_READ", 1_000)
    whole = serve_tiny(hub, tmp_path, Manner(has_ranges=False))
    assert tiny_header() == gguf.read_file(whole)


def test_a_header_is_read_once(hub: HubApi, tmp_path: Path) -> None:
    serve_tiny(hub, tmp_path)
    first = tiny_header()
    asked = len(hub.requests)
    assert tiny_header() == first
    assert len(hub.requests) == asked


def test_a_kept_header_that_is_broken_is_read_again(hub: HubApi, tmp_path: Path) -> None:
    whole = serve_tiny(hub, tmp_path)
    tiny_header()
    for file in settings().hub_cache.iterdir():
        file.write_text('{"version": 3, "architec')
    assert tiny_header() == gguf.read_file(whole)


def test_a_divided_model_has_one_header(
    hub: HubApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = write_tiny(tmp_path / "tiny-Q8_0.gguf", parts=3)
    for part in parts:
        hub.add_file("acme/Notes", part.name, part.read_bytes())
    monkeypatch.setattr(hub_headers, "FIRST_OF_LATER_PARTS", 200)
    assert tiny_header() == gguf.read_model(parts[0])
    assert ranges(hub).count("bytes=0-199") == 2  # later parts are short


def test_a_file_of_any_name_is_found(hub: HubApi, tmp_path: Path) -> None:
    [whole] = write_tiny(tmp_path / "tiny.gguf")
    hub.add_file("acme/Notes", "sub dir/50% #1? é-Q8_0.gguf", whole.read_bytes())
    assert tiny_header().architecture == "llama"


@pytest.mark.parametrize("first_part", [b"<html>Sign in</html>", b"", b"GGUF", b"\0" * 500])
def test_what_is_no_gguf_file_is_said_to_be_none(
    hub: HubApi, tmp_path: Path, first_part: bytes
) -> None:
    hub.add_file("acme/Notes", "odd-Q8_0.gguf", first_part)
    with pytest.raises(BrokenFile) as caught:
        tiny_header()
    assert "odd-Q8_0.gguf" in caught.value.message


def test_a_file_that_was_cut_on_the_hub_is_broken(hub: HubApi, tmp_path: Path) -> None:
    [whole] = write_tiny(tmp_path / "tiny-Q8_0.gguf")
    hub.add_file("acme/Notes", whole.name, whole.read_bytes()[:-1000])
    with pytest.raises(BrokenFile) as caught:
        tiny_header()
    assert "cut short on the Hub" in caught.value.message


@pytest.mark.parametrize(
    ("manner", "code"),
    [
        (Manner(status=206, headers={"Content-Range": "bytes 7-9/100"}), "hub_unreadable"),
        (Manner(status=206), "hub_unreadable"),
        (Manner(status=416), "hub_failed"),
        (Manner(status=503), "hub_failed"),
        (Manner(status=404, headers={"X-Error-Code": "EntryNotFound"}), "file_missing"),
        (Manner(die_after=300), "network"),
    ],
)
def test_a_piece_that_does_not_come_is_explained(
    hub: HubApi, tmp_path: Path, manner: Manner, code: str
) -> None:
    serve_tiny(hub, tmp_path, manner)
    expect_failure(code, tiny_header)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
@pytest.mark.parametrize("token", ["", OWNER])
def test_a_header_whose_address_has_expired_is_asked_for_anew(
    hub: HubApi, tmp_path: Path, status: int, token: str
) -> None:
    if token:
        save_token(token)
    [whole] = write_tiny(tmp_path / "tiny-Q8_0.gguf")
    with FakeHub() as storage:
        manner = Manner(status=status, times=1)
        kept = storage.add("bucket/of", "main", "blob", whole.read_bytes(), manner)
        hub.add_file("acme/Notes", whole.name, whole.read_bytes(), Manner(redirect_to=kept))
        assert tiny_header() == gguf.read_file(whole)
    assert len(hub.asked_for("resolve")) == 2


def test_a_storage_that_always_refuses_a_header_is_named(hub: HubApi, tmp_path: Path) -> None:
    [whole] = write_tiny(tmp_path / "tiny-Q8_0.gguf")
    with FakeHub() as storage:
        kept = storage.add("bucket/of", "main", "blob", whole.read_bytes(), Manner(status=403))
        elsewhere = kept.replace("127.0.0.1", "localhost")
        hub.add_file("acme/Notes", whole.name, whole.read_bytes(), Manner(redirect_to=elsewhere))
        error = expect_failure("storage_refused", tiny_header)
    assert "localhost, where 127.0.0.1 keeps" in error.message


def test_a_stalling_file_server_is_given_up(
    hub: HubApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pieces, "PIECE_SECONDS", 0.6)
    serve_tiny(hub, tmp_path, Manner(stall_after=300))
    expect_failure("timed_out", tiny_header)


def test_a_file_that_a_card_does_not_have_is_missing(hub: HubApi) -> None:
    card = look_up(STARTER)
    gone = Variant(quantization="Q4_0", paths=("gone-Q4_0.gguf",), bytes=1)
    expect_failure("file_missing", lambda: header(card, gone))
