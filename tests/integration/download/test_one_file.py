"""Downloads from a real server: whole, resumed after any end, verified, shared."""

import contextlib
import hashlib
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from lib.core.errors import BrokenFile, NetworkError
from lib.download.one_file import Source, download
from tests.conftest import ROOT
from tests.support.download import DATA, HASTE, SHA256, Seen, begun, files, offer, ranges
from tests.support.fake_hub import FakeHub, Manner

FETCH = """
import sys
from pathlib import Path
from lib.download.one_file import Source, download
download(Source(sys.argv[1], int(sys.argv[3]), sys.argv[4]), Path(sys.argv[2]),
         progress=lambda done, total: print(done, flush=True))
"""


def test_a_file_arrives_whole_and_leaves_nothing_beside_it(hub: FakeHub, target: Path) -> None:
    seen = Seen()
    download(offer(hub), target, progress=seen)
    assert target.read_bytes() == DATA
    assert files(target) == ["model.gguf"]
    assert seen[-1] == (len(DATA), len(DATA))
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_a_file_that_is_there_is_not_asked_for_again(hub: FakeHub, target: Path) -> None:
    source = offer(hub)
    download(source, target, progress=Seen())
    download(source, target, progress=Seen())
    assert len(hub.requests) == 1


def test_an_interrupted_download_goes_on_where_it_stopped(hub: FakeHub, target: Path) -> None:
    begun(target, DATA[:1_000_000], {"sha256": SHA256})
    seen = Seen()
    download(offer(hub), target, progress=seen)
    assert target.read_bytes() == DATA
    assert ranges(hub) == ["bytes=1000000-"]
    assert seen[0][0] > 1_000_000


def test_a_part_of_another_file_is_not_continued(hub: FakeHub, target: Path) -> None:
    begun(target, b"other" * 1000, {"sha256": "0" * 64})
    download(offer(hub), target, progress=Seen())
    assert target.read_bytes() == DATA
    assert ranges(hub) == [""]


@pytest.mark.parametrize("note", [b"", b"{", b"[1]", b'"\xff"'])
def test_a_part_without_a_readable_note_is_not_trusted(
    hub: FakeHub, target: Path, note: bytes
) -> None:
    begun(target, DATA[:1000], {})
    target.with_name("model.gguf.part.json").write_bytes(note)
    download(offer(hub), target, progress=Seen())
    assert target.read_bytes() == DATA


def test_a_part_that_is_longer_than_the_file_is_thrown_away(hub: FakeHub, target: Path) -> None:
    begun(target, DATA + b"more", {"sha256": SHA256})
    download(offer(hub), target, progress=Seen())
    assert target.read_bytes() == DATA


def test_a_complete_part_is_verified_and_not_fetched(hub: FakeHub, target: Path) -> None:
    begun(target, DATA, {"sha256": SHA256})
    download(offer(hub), target, progress=Seen())
    assert target.read_bytes() == DATA
    assert hub.requests == []


def test_a_server_without_ranges_sends_it_all_again(hub: FakeHub, target: Path) -> None:
    begun(target, DATA[:1_000_000], {"sha256": SHA256})
    download(offer(hub, Manner(has_ranges=False)), target, progress=Seen())
    assert target.read_bytes() == DATA


def test_an_empty_file_is_a_file(hub: FakeHub, target: Path) -> None:
    url = hub.add("org/name", "main", "model.gguf", b"")
    download(Source(url, 0, hashlib.sha256(b"").hexdigest()), target, progress=Seen())
    assert target.read_bytes() == b""


def test_the_checksum_the_hub_names_is_enough(hub: FakeHub, target: Path) -> None:
    url = hub.add("org/name", "main", "model.gguf", DATA, Manner(is_wrong=True, times=1))
    with pytest.raises(BrokenFile):
        download(Source(url), target, progress=Seen())
    download(Source(url), target, progress=Seen())
    assert target.read_bytes() == DATA


def test_a_file_that_changed_on_the_server_starts_anew(hub: FakeHub, target: Path) -> None:
    source = Source(hub.add("org/name", "main", "model.gguf", DATA, Manner(die_after=1000)))
    with pytest.raises(NetworkError):
        download(source, target, progress=Seen(), patience=HASTE)
    newer = DATA[::-1]
    hub.add("org/name", "main", "model.gguf", newer)
    download(source, target, progress=Seen(), patience=HASTE)
    assert target.read_bytes() == newer


def test_a_file_without_checksum_is_known_by_etag_and_size(hub: FakeHub, target: Path) -> None:
    source = Source(hub.add_wheel("a", "a.whl", DATA, Manner(die_after=1000)))
    with pytest.raises(NetworkError):
        download(source, target, progress=Seen(), patience=HASTE)
    hub.add_wheel("a", "a.whl", DATA)
    download(source, target, progress=Seen())
    assert target.read_bytes() == DATA
    assert ranges(hub)[-1] == "bytes=3000-"


def test_the_token_goes_to_the_hub_and_to_nobody_else(
    hub: FakeHub, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret_of_this_test")
    with FakeHub() as storage:
        kept = storage.add("org/name", "main", "stored", DATA)
        source = offer(hub, Manner(redirect_to=kept))
        download(source, target, progress=Seen())
        other = Source(storage.add_wheel("a", "a.whl", DATA), len(DATA), SHA256)
        download(other, target.with_name("other"), progress=Seen())
        assert target.read_bytes() == DATA
        assert [r.headers.get("Authorization") for r in storage.requests] == [None, None]
    assert [r.headers.get("Authorization") for r in hub.requests] == [
        "Bearer hf_secret_of_this_test"
    ]


def test_two_downloads_of_one_file_share_one(hub: FakeHub, target: Path) -> None:
    source = offer(hub, Manner(bytes_per_second=3_000_000))
    seen = [Seen(), Seen()]
    threads = [
        threading.Thread(target=download, args=(source, target), kwargs={"progress": each})
        for each in seen
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert target.read_bytes() == DATA
    assert len(hub.requests) == 1
    assert all(seen)  # the one that waits tells how far the other is
    assert files(target) == ["model.gguf"]


def fetching(source: Source, target: Path) -> subprocess.Popen[str]:
    """A process that downloads, and has begun to."""
    process = subprocess.Popen(
        [sys.executable, "-c", FETCH, source.url, str(target), str(source.size), source.sha256],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    while int(process.stdout.readline()) < 200_000:
        pass
    return process


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_download_that_is_killed_can_be_resumed(
    hub: FakeHub, target: Path, number: signal.Signals
) -> None:
    source = offer(hub, Manner(bytes_per_second=1_000_000, times=1))
    process = fetching(source, target)
    process.send_signal(number)
    with contextlib.closing(process.stdout or sys.stdout):
        process.wait()
    kept = target.with_name("model.gguf.part").stat().st_size
    assert 200_000 <= kept < len(DATA)
    assert not target.exists()
    download(source, target, progress=Seen())
    assert target.read_bytes() == DATA
    assert ranges(hub) == ["", f"bytes={kept}-"]


def test_whoever_waits_goes_on_when_the_other_is_killed(hub: FakeHub, target: Path) -> None:
    source = offer(hub, Manner(bytes_per_second=1_000_000, times=1))
    process = fetching(source, target)
    waiting = threading.Thread(target=download, args=(source, target), kwargs={"progress": Seen()})
    waiting.start()
    process.kill()
    with contextlib.closing(process.stdout or sys.stdout):
        process.wait()
    waiting.join()
    assert target.read_bytes() == DATA
