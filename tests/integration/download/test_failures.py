"""Downloads from a server that breaks off, refuses or lies, and onto disks without room."""

import resource
import time
from pathlib import Path

import pytest

from lib.core.errors import (
    BadInput,
    BrokenFile,
    NetworkError,
    NoSpace,
    NotFound,
)
from lib.download.one_file import Patience, Source, download
from lib.download.partial import RESERVE_BYTES
from tests.support.download import DATA, HASTE, SHA256, Seen, begun, files, offer, ranges
from tests.support.fake_hub import FakeHub, Manner


def test_a_connection_that_breaks_is_taken_up_again(hub: FakeHub, target: Path) -> None:
    source = offer(hub, Manner(die_after=1_000_000, times=2))
    download(source, target, progress=Seen(), patience=HASTE)
    assert target.read_bytes() == DATA
    assert ranges(hub) == ["", "bytes=1000000-", "bytes=2000000-"]


def test_a_connection_that_falls_silent_is_taken_up_again(hub: FakeHub, target: Path) -> None:
    source = offer(hub, Manner(stall_after=500_000, times=1))
    download(source, target, progress=Seen(), patience=HASTE)
    assert target.read_bytes() == DATA
    assert ranges(hub) == ["", "bytes=500000-"]


def test_tries_without_news_are_bounded_and_the_part_stays(hub: FakeHub, target: Path) -> None:
    source = offer(hub, Manner(die_after=1000))
    with pytest.raises(NetworkError, match="retry") as caught:
        download(source, target, progress=Seen(), patience=HASTE)
    assert caught.value.exit_code == 6
    assert len(hub.requests) == HASTE.retries + 1
    part = target.with_name("model.gguf.part")
    assert part.read_bytes() == DATA[: 1000 * (HASTE.retries + 1)]


def test_tries_that_bring_much_are_not_counted(hub: FakeHub, target: Path) -> None:
    source = offer(hub, Manner(die_after=1_000_000))
    impatient = Patience(1.0, 0.3, retries=1, pause_seconds=0.01)
    download(source, target, progress=Seen(), patience=impatient)
    assert target.read_bytes() == DATA


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 503])
def test_a_refusal_of_the_storage_asks_the_hub_for_a_new_address(
    hub: FakeHub, target: Path, status: int
) -> None:
    with FakeHub() as storage:
        kept = storage.add("bucket/of", "main", "blob", DATA, Manner(status=status, times=1))
        source = offer(hub, Manner(redirect_to=kept))
        told: list[str] = []
        download(
            source, target, progress=Seen(), patience=HASTE,
            retrying=lambda error, _: told.append(error.message),
        )  # fmt: skip
    assert target.read_bytes() == DATA
    assert len(hub.requests) == 2
    assert len(told) == 1
    assert "private" not in told[0]
    assert str(status) in told[0]


def test_an_address_that_expires_in_the_middle_of_a_file_is_renewed(
    hub: FakeHub, target: Path
) -> None:
    with FakeHub() as storage:
        kept = storage.add("bucket/of", "main", "blob", DATA, Manner(die_after=500_000, times=1))
        source = offer(hub, Manner(redirect_to=kept))

        def expire(error: NetworkError, seconds: float) -> None:
            served = storage.files[kept.removeprefix(storage.url)]
            if not served.manner.status:
                served.asked, served.manner = 0, Manner(status=403, times=1)

        download(source, target, progress=Seen(), patience=HASTE, retrying=expire)
        offsets = ranges(storage)
    assert target.read_bytes() == DATA
    assert offsets == ["", "bytes=500000-", "bytes=500000-"]


def test_a_storage_that_always_refuses_is_named_and_rights_are_not(
    hub: FakeHub, target: Path
) -> None:
    with FakeHub() as storage:
        kept = storage.add("bucket/of", "main", "blob", DATA, Manner(status=403))
        source = offer(hub, Manner(redirect_to=kept.replace("127.0.0.1", "localhost")))
        with pytest.raises(NetworkError) as caught:
            download(source, target, progress=Seen(), patience=HASTE)
    assert "localhost, where 127.0.0.1 keeps" in caught.value.message
    assert "private" not in str(caught.value)
    assert caught.value.exit_code == 6


@pytest.mark.parametrize("status", [401, 403])
def test_only_the_hubs_own_refusal_is_about_rights(hub: FakeHub, target: Path, status: int) -> None:
    with pytest.raises(NotFound, match="private, gated or missing"):
        download(offer(hub, Manner(status=status)), target, progress=Seen(), patience=HASTE)
    assert len(hub.requests) == 1


def test_wrong_bytes_are_removed(hub: FakeHub, target: Path) -> None:
    with pytest.raises(BrokenFile, match="damaged"):
        download(offer(hub, Manner(is_wrong=True)), target, progress=Seen())
    assert files(target) == []


def test_a_damaged_part_is_found_out_and_removed(hub: FakeHub, target: Path) -> None:
    begun(target, bytes(1_000_000), {"sha256": SHA256})
    with pytest.raises(BrokenFile, match="damaged"):
        download(offer(hub), target, progress=Seen())
    assert files(target) == []


def test_a_file_of_another_size_is_refused_before_it_is_fetched(hub: FakeHub, target: Path) -> None:
    url = hub.add("org/name", "main", "model.gguf", DATA)
    with pytest.raises(BrokenFile, match="3,000,000 bytes under this name, not 1,000"):
        download(Source(url, 1000, SHA256), target, progress=Seen())
    assert files(target) == []


@pytest.mark.parametrize(
    ("status", "error", "says"),
    [
        (401, NotFound, "private, gated or missing"),
        (403, NotFound, "private, gated or missing"),
        (404, NotFound, "has no model.gguf"),
        (410, NotFound, "has no model.gguf"),
        (429, NetworkError, "limits downloads"),
        (500, NetworkError, "answered 500"),
        (503, NetworkError, "answered 503"),
    ],
)
def test_a_refusal_is_explained(
    hub: FakeHub, target: Path, status: int, error: type[NotFound], says: str
) -> None:
    with pytest.raises(error, match=says) as caught:
        download(offer(hub, Manner(status=status)), target, progress=Seen(), patience=HASTE)
    assert caught.value.fix
    assert files(target) == []
    assert len(hub.requests) == (1 if error is NotFound else HASTE.retries + 1)


def test_a_busy_server_is_asked_again_later(hub: FakeHub, target: Path) -> None:
    source = offer(hub, Manner(status=429, headers={"Retry-After": "1"}, times=1))
    began = time.monotonic()
    download(source, target, progress=Seen(), patience=HASTE)
    assert target.read_bytes() == DATA
    assert time.monotonic() - began >= 1.0  # a promise to the server, not a measure of speed


def test_a_server_that_does_not_exist_is_named(target: Path) -> None:
    with pytest.raises(NetworkError, match=r"127\.0\.0\.1 cannot be reached"):
        download(Source("http://127.0.0.1:9/f", 10), target, progress=Seen(), patience=HASTE)


@pytest.mark.parametrize("url", ["", "nonsense", "ftp://example.org/f", "http://[::", "http://"])
def test_an_odd_address_is_a_network_error(target: Path, url: str) -> None:
    with pytest.raises(NetworkError):
        download(Source(url, 10), target, progress=Seen(), patience=HASTE)


def test_a_full_disk_is_told_before_one_byte_is_fetched(hub: FakeHub, target: Path) -> None:
    with pytest.raises(NoSpace, match=r"500 kB free, 103 MB needed\. Free some space, then resume"):
        download(offer(hub), target, progress=Seen(), free=lambda _: 500_000)
    assert hub.requests == []


def test_what_is_there_already_needs_no_room(hub: FakeHub, target: Path) -> None:
    begun(target, DATA[:2_900_000], {"sha256": SHA256})
    room = RESERVE_BYTES + 100_000
    download(offer(hub), target, progress=Seen(), free=lambda _: room)
    assert target.read_bytes() == DATA


def test_a_disk_that_fills_up_keeps_the_part(hub: FakeHub, target: Path) -> None:
    source = offer(hub)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, before[1]))  # Python ignores SIGXFSZ
    try:
        with pytest.raises(NoSpace, match="what has arrived is kept"):
            download(source, target, progress=Seen())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert target.with_name("model.gguf.part").stat().st_size == 1_000_000
    download(source, target, progress=Seen())
    assert target.read_bytes() == DATA
    assert ranges(hub) == ["", "bytes=1000000-"]


def test_a_disk_that_is_really_full_is_named(hub: FakeHub, target: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this machine has no /dev/full")
    target.parent.mkdir(parents=True)
    target.with_name("model.gguf.part").symlink_to("/dev/full")
    with pytest.raises(NoSpace, match="became full"):
        download(offer(hub), target, progress=Seen())


def test_a_folder_in_the_place_of_the_file_is_named(hub: FakeHub, target: Path) -> None:
    target.mkdir(parents=True)
    with pytest.raises(BadInput, match="cannot be written"):
        download(offer(hub), target, progress=Seen())


def test_a_file_in_the_place_of_a_folder_is_named(hub: FakeHub, home: Path) -> None:
    home.mkdir()
    (home / "models").write_text("a file")
    with pytest.raises(BadInput, match="cannot be written"):
        download(offer(hub), home / "models" / "model.gguf", progress=Seen())
