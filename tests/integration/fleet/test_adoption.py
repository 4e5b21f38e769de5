"""Models of other tools: found where they lie, used without a copy, never changed."""

import os
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lib.core.access import Role, acting
from lib.core.errors import BadInput, Forbidden
from lib.core.preferences import preferences
from lib.engines import find_model
from lib.engines.base import StartOptions, State
from lib.engines.llamacpp import ENGINE
from lib.fit.memory import Room
from lib.fleet import elsewhere
from lib.fleet.adoption import Adoption, add_folder, objection, remove_folder, verdict
from tests.support.adoption import SECONDS, looked, names, use
from tests.support.by_products import write_by_product
from tests.support.stores import listing
from tests.support.tiny_gguf import write_tiny, write_truncated

pytestmark = pytest.mark.usefixtures("no_ollama", "models", "ours")

ROOM = Room(free_bytes=8 * 2**30, total_bytes=16 * 2**30)
SMALL_ROOM = Room(free_bytes=2**20, total_bytes=2**21)


def test_the_models_of_every_tool_are_found_with_what_they_are(tools: Path, ours: Adoption) -> None:
    rows = looked(ours)
    assert names(rows) == [
        ("Hugging Face", "Anvil-1B-Q4_K_M"),
        ("Ollama", "forge-1b"),
        ("LM Studio", "VL-1B-Q8_0"),
    ]
    for row in rows:
        assert row.found.quantization == "F32"
        assert row.found.size_bytes > 400_000
        assert row.found.context_trained == 1024
        found = verdict(row.found, ours.seen(), ROOM)
        assert found is not None and found.word == "Fits"
        tight = verdict(row.found, ours.seen(), SMALL_ROOM)
        assert tight is not None and tight.word == "Does not fit"
        assert objection(row.found) == ""
    assert [bool(row.found.seen_by) for row in rows] == [False, True, True]
    assert ours.seen().said == []


def test_what_is_used_runs_from_where_it_lies_and_no_byte_changes(
    tools: Path, home: Path, ours: Adoption
) -> None:
    before = listing(tools)
    rows = looked(ours)
    use(ours, *(row.found.path for row in rows))
    rows = ours.rows()
    assert {row.is_here_as for row in rows} == {"Anvil-1B-Q4_K_M", "forge-1b", "VL-1B-Q8_0"}
    assert sum(not path.is_symlink() for path in (home / "models").rglob("*.gguf")) == 0
    for row in rows:
        ENGINE.start(row.is_here_as, StartOptions(context=256))
        model = find_model(row.is_here_as)
        assert model.state == State.READY
        assert (model.stays_at, model.frees_bytes) == (row.found.path, 0)
        ENGINE.remove(row.is_here_as)
    assert list((home / "models").rglob("*.gguf")) == []
    looked(ours)
    assert listing(tools) == before


def test_copies_and_other_names_of_a_file_are_told(tools: Path, ours: Adoption) -> None:
    copies = tools / ".lmstudio/models/acme/Copies"
    copies.mkdir(parents=True)
    original = tools / ".lmstudio/models/acme/VL-GGUF/VL-1B-Q8_0.gguf"
    write_tiny(original, context=2048)
    shutil.copy(original, copies / "Copied-1B.gguf")
    os.link(original, copies / "Linked-1B.gguf")
    (copies / "Pointing-1B.gguf").symlink_to(original)
    shutil.copy(original, tools / ".lmstudio/models/Zz-1B.gguf")
    rows = {row.found.name: row for row in looked(ours)}
    assert "Pointing-1B" not in rows or "VL-1B-Q8_0" not in rows  # one file, listed once
    same = [row for row in rows.values() if row.found.context_trained == 2048]
    first = [row for row in same if row.same_as is None]
    assert len(same) == 4 and len(first) == 1
    assert {row.same_as.path for row in same if row.same_as} == {first[0].found.path}
    use(ours, first[0].found.path)
    after = [row for row in ours.rows() if row.found.context_trained == 2048]
    assert {row.is_here_as for row in after} == {first[0].found.name}
    after = [row for row in looked(ours) if row.found.context_trained == 2048]
    assert {row.is_here_as for row in after} == {first[0].found.name}


def test_a_model_with_other_weights_is_no_copy(tools: Path, ours: Adoption) -> None:
    [one] = write_tiny(tools / ".lmstudio/models/acme/One/one.gguf", context=4096)
    [other] = write_tiny(tools / ".lmstudio/models/acme/Two/two.gguf", context=4096)
    data = bytearray(other.read_bytes())
    data[-1] ^= 1
    other.write_bytes(data)
    rows = {row.found.name: row for row in looked(ours)}
    assert rows["one"].same_as is None and rows["two"].same_as is None
    assert one.stat().st_size == other.stat().st_size


def test_one_that_berth_has_downloaded_itself_is_known(
    tools: Path, models: Path, ours: Adoption
) -> None:
    theirs = tools / ".lmstudio/models/acme/VL-GGUF/VL-1B-Q8_0.gguf"
    write_tiny(theirs, context=2048)
    (models / "acme").mkdir()
    shutil.copy(theirs, models / "acme" / "mine.gguf")
    row = next(row for row in looked(ours) if row.found.path == str(theirs))
    assert (row.is_here_as, row.can_be_used) == ("mine", False)


def test_what_is_no_whole_model_is_left_out_or_told(tools: Path, ours: Adoption) -> None:
    folder = tools / ".lmstudio/models/acme/Odd"
    write_truncated(folder / "cut.gguf")
    write_tiny(folder / "whole.gguf.part")
    write_tiny(folder / "downloading_x.gguf.incomplete")
    write_by_product(folder / "lora.gguf", "adapter")
    parts = write_tiny(folder / "divided.gguf", parts=3)
    parts[1].unlink()
    (folder / "pointer.gguf").write_text("version https://git-lfs.github.com/spec/v1\n")
    os.mkfifo(folder / "pipe.gguf")
    rows = {row.found.name: row for row in looked(ours) if "/Odd/" in row.found.path}
    assert set(rows) == {"cut", "divided", "pointer"}
    assert not any(row.can_be_used for row in rows.values())
    assert "cut short" in objection(rows["cut"].found)
    assert "Part 2 of 3 is missing" in objection(rows["divided"].found)
    assert "Git LFS pointer" in objection(rows["pointer"].found)


def test_a_divided_model_is_one_row_and_is_linked_whole(
    tools: Path, models: Path, ours: Adoption
) -> None:
    parts = write_tiny(tools / ".lmstudio/models/acme/Big/Big-Q8_0.gguf", parts=3)
    [row] = [row for row in looked(ours) if "/Big/" in row.found.path]
    assert row.found.size_bytes == sum(part.stat().st_size for part in parts)
    use(ours, row.found.path)
    assert len(list(models.rglob("Big*.gguf"))) == 3


def test_models_for_graphics_cards_are_counted_and_not_listed(tools: Path, ours: Adoption) -> None:
    cache = tools / ".cache/huggingface/hub"
    for name in ("One", "Two"):
        snapshot = cache / f"models--acme--{name}" / "snapshots" / ("e" * 40)
        snapshot.mkdir(parents=True)
        (snapshot / "model.safetensors").write_bytes(b"x")
    assert len(looked(ours)) == 3
    assert ours.known().beside == [
        f"In {cache}, 2 models are stored as safetensors: graphics cards alone run these."
    ]


def test_a_look_is_kept_for_the_next_start_and_reads_no_header_again(
    tools: Path, ours: Adoption, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = looked(ours)
    monkeypatch.setattr("lib.fit.gguf.read_model", lambda path: pytest.fail("read again"))
    again = Adoption()
    again.look()
    assert again.rows() == before
    assert all(verdict(row.found, again.seen(), ROOM) for row in again.rows())
    third = Adoption()
    third.seen()
    deadline = time.monotonic() + SECONDS
    while third.is_looking() and time.monotonic() < deadline:
        threading.Event().wait(0.01)
    assert third.seen().at == again.seen().at, "what is fresh is not looked for again"


def test_headers_for_which_there_was_no_time_are_read_by_the_next_look(
    tools: Path, ours: Adoption, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(elsewhere, "READ_SECONDS", -1.0)
    rows = looked(ours)
    assert len(rows) == 3
    assert [verdict(row.found, ours.seen(), ROOM) for row in rows] == [None] * 3
    monkeypatch.undo()
    monkeypatch.setenv("HOME", str(tools))
    assert all(verdict(row.found, ours.seen(), ROOM) for row in looked(ours))


@pytest.mark.parametrize("kept", ["", "{", "[]", '{"at": "x"}', '{"places": [{}]}'])
def test_a_broken_note_counts_as_none(home: Path, tools: Path, ours: Adoption, kept: str) -> None:
    (home / "cache").mkdir(parents=True)
    (home / "cache" / "found.json").write_text(kept)
    assert len(looked(ours)) == 3


def test_a_folder_of_ones_own_is_looked_through_from_then_on(
    tools: Path, tmp_path: Path, ours: Adoption
) -> None:
    write_tiny(tmp_path / "disk two" / "mine.gguf")
    add_folder(f" {tmp_path / 'disk two'} ")
    add_folder(str(tmp_path / "disk two"))
    assert preferences().model_folders == [str(tmp_path / "disk two")]
    assert ("Your folder", "mine") in names(looked(ours))
    shutil.rmtree(tmp_path / "disk two")
    assert len(looked(ours)) == 3
    assert ours.seen().said == [f"{tmp_path / 'disk two'} is not there."]
    remove_folder(str(tmp_path / "disk two"))
    assert preferences().model_folders == []
    looked(ours)
    assert ours.seen().said == []


@pytest.mark.parametrize(
    "path", ["", "models", "~nobody-of-this-name/x", "/no/such/folder", "/" + "a" * 5_000, "/a\0b"]
)
def test_what_is_no_folder_is_refused(path: str) -> None:
    with pytest.raises(BadInput):
        add_folder(path)
    assert preferences().model_folders == []


def test_berths_own_folder_is_refused(models: Path) -> None:
    with pytest.raises(BadInput, match="among Berth's models already"):
        add_folder(str(models))


def test_berths_own_models_are_no_strangers(models: Path, ours: Adoption, tools: Path) -> None:
    write_tiny(models / "own.gguf")
    add_folder(str(models.parent))
    assert "own" not in [name for _, name in names(looked(ours))]


def test_what_was_not_found_is_not_linked(tmp_path: Path, models: Path, ours: Adoption) -> None:
    [file] = write_tiny(tmp_path / "x" / "secret.gguf")
    assert ours.use([str(file)]).wait(SECONDS)
    assert list(models.rglob("*.gguf")) == []


def test_why_a_file_cannot_be_linked_is_kept(tools: Path, ours: Adoption) -> None:
    row = next(row for row in looked(ours) if row.found.tool == "LM Studio")
    Path(row.found.path).write_bytes(b"GGUF")
    assert ours.use([row.found.path]).wait(SECONDS)
    error = ours.failure(row.found.path)
    assert error is not None and error.message
    assert not ours.is_using()


def test_a_guest_may_do_none_of_it(tools: Path, ours: Adoption) -> None:
    asked: list[Callable[[], object]] = [
        ours.seen,
        ours.look_again,
        ours.rows,
        lambda: ours.use(["/x"]),
        lambda: add_folder("/tmp"),
        lambda: remove_folder("/tmp"),
    ]
    with acting(Role.GUEST, "g"):
        for act in asked:
            with pytest.raises(Forbidden):
                act()
