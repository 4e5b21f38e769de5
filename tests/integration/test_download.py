"""Downloads from a real server that is slow, rude or broken as each test wishes."""

import contextlib
import hashlib
import json
import os
import random
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lib import pypi
from lib.download import Patience, Source, download
from lib.errors import BadInput, BrokenFile, NetworkError, NoSpace, NotFound
from lib.partial import RESERVE_BYTES
from tests.conftest import ROOT
from tests.support.fake_hub import FakeHub, Manner

DATA = random.Random(1).randbytes(3_000_000)
SHA256 = hashlib.sha256(DATA).hexdigest()
HASTE = Patience(connect_seconds=1.0, silence_seconds=0.3, retries=2, pause_seconds=0.01)
FETCH = """
import sys
from pathlib import Path
from lib.download import Source, download
download(Source(sys.argv[1], int(sys.argv[3]), sys.argv[4]), Path(sys.argv[2]),
         progress=lambda done, total: print(done, flush=True))
"""


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    with FakeHub() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        yield server


@pytest.fixture
def target(home: Path) -> Path:
    return home / "models" / "org" / "name" / "main" / "model.gguf"


class Seen(list[tuple[int, int]]):
    """What a download told of its progress."""

    def __call__(self, done: int, total: int) -> None:
        self.append((done, total))


def offer(hub: FakeHub, manner: Manner | None = None) -> Source:
    return Source(hub.add("org/name", "main", "model.gguf", DATA, manner), len(DATA), SHA256)


def begun(target: Path, data: bytes, identity: dict[str, object]) -> None:
    """What an earlier download has left."""
    target.parent.mkdir(parents=True)
    target.with_name("model.gguf.part").write_bytes(data)
    target.with_name("model.gguf.part.json").write_text(json.dumps(identity))


def files(target: Path) -> list[str]:
    return sorted(path.name for path in target.parent.iterdir())


def ranges(hub: FakeHub) -> list[str]:
    return [request.headers.get("Range", "") for request in hub.requests]


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


def test_a_server_without_ranges_sends_it_all_again(hub: FakeHub, target: Path) -> None:
    begun(target, DATA[:1_000_000], {"sha256": SHA256})
    download(offer(hub, Manner(has_ranges=False)), target, progress=Seen())
    assert target.read_bytes() == DATA


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


def test_the_index_that_pip_is_set_to_use_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PIP_INDEX_URL", raising=False)
    settings = tmp_path / "pip.conf"
    settings.write_text("[global]\nindex-url = https://mirror.example.org/simple/\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(settings))
    assert pypi.index_url() == "https://mirror.example.org/simple"
    settings.write_text("[install]\nindex-url = https://u:p@own.example.org/simple\n")
    assert pypi.index_host() == "own.example.org"
    monkeypatch.setenv("PIP_INDEX_URL", "https://named.example.org/simple/")
    assert pypi.index_url() == "https://named.example.org/simple"


@pytest.mark.parametrize("text", ["", "[global", "index-url = x", "\0\udcff", "[global]\nx=%(y)s"])
def test_odd_settings_of_pip_are_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.delenv("PIP_INDEX_URL", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "pip").mkdir()
    (tmp_path / "pip" / "pip.conf").write_bytes(text.encode("utf-8", "surrogateescape"))
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "missing"))
    assert pypi.index_url().startswith("https://")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    assert pypi.index_url() == pypi.PUBLIC_INDEX


@pytest.mark.parametrize("html_index", [False, True], ids=["json", "html"])
def test_a_wheel_is_found_on_either_form_of_index(
    monkeypatch: pytest.MonkeyPatch, html_index: bool
) -> None:
    with FakeHub(html_index=html_index) as index:
        monkeypatch.setenv("PIP_INDEX_URL", index.index_url)
        index.add_wheel("some-parts", "some_parts-1.0-py3-none-any.whl", b"one")
        address = index.add_wheel("some-parts", "some_parts-2.0-py3-none-any.whl", b"two")
        assert pypi.find_file("some-parts", "some_parts-2.0-py3-none-any.whl") == address
        with pytest.raises(NotFound, match=r"does not have some_parts-3\.0"):
            pypi.find_file("some-parts", "some_parts-3.0-py3-none-any.whl")
        with pytest.raises(NotFound, match="does not have x"):
            pypi.find_file("other", "x")
