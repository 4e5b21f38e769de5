"""Drafts: kept for their browser and conversation alone, bounded, and gone with the message."""

import os
import time
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lib.chat import attachments
from lib.chat.attachments import Attachment
from lib.chat.documents import Unreadable
from lib.core.errors import BadInput, NoSpace, NotFound
from tests.support import files

ME, OTHER, TALK = "a" * 32, "b" * 32, "c" * 32
NOBODY = "0" * 32


def by_words(text: str) -> int | None:
    return len(text.split())


def unknown(_text: str) -> int | None:
    return None


def added(name: str = "notes.txt", data: bytes = b"one two three", owner: str = ME) -> Attachment:
    return attachments.add(owner, TALK, name, data, by_words)


def names(owner: str = ME, talk: str = TALK) -> list[str]:
    return [draft.name for draft in attachments.drafts(owner, talk)]


def age(home: Path, name: str, seconds: float) -> None:
    """Make a draft as old as that."""
    draft = next(d for d in attachments.drafts(ME, TALK) if d.name == name)
    then = time.time() - seconds
    folder = home / "drafts" / ME / TALK
    record = draft.model_copy(update={"created": then}).model_dump_json()
    (folder / f"{draft.id}.json").write_text(record)
    os.utime(folder / f"{draft.id}.txt", (then, then))


def left(home: Path) -> list[Path]:
    return [path for path in (home / "drafts").rglob("*") if path.is_file()]


def test_a_text_is_counted_by_the_tokenizer_that_is_given() -> None:
    draft = added()
    assert (draft.kind, draft.tokens, draft.is_estimate, draft.characters) == ("text", 3, False, 13)


def test_without_a_tokenizer_the_count_is_an_estimate() -> None:
    draft = attachments.add(ME, TALK, "x", b"x" * 3_600, unknown)
    assert (draft.tokens, draft.is_estimate) == (1_000, True)
    assert attachments.add(ME, TALK, "x", b"x", unknown).tokens == 1


def test_an_image_is_an_estimate_whatever_counts() -> None:
    draft = added("photo.png", files.picture())
    assert (draft.kind, draft.tokens, draft.is_estimate) == ("image", 576, True)


def test_the_message_takes_the_drafts_in_their_order_and_once(home: Path) -> None:
    added("b.txt")
    added("a.png", files.picture())
    text, image = attachments.take(ME, TALK)
    assert text == {"name": "b.txt", "text": "one two three", "image": "", "tokens": 3}
    assert (image["name"], image["text"]) == ("a.png", "")
    assert image["image"].startswith("data:image/jpeg;base64,")
    assert attachments.take(ME, TALK) == []
    assert left(home) == []


def test_a_draft_is_kept_on_disk_for_its_owner_alone(home: Path) -> None:
    added()
    assert {path.stat().st_mode & 0o777 for path in left(home)} == {0o600}
    assert (home / "drafts").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(("owner", "talk"), [(OTHER, TALK), (ME, "d" * 32)])
def test_nobody_else_and_no_other_conversation_has_it(owner: str, talk: str) -> None:
    draft = added()
    assert attachments.drafts(owner, talk) == []
    assert attachments.take(owner, talk) == []
    with pytest.raises(NotFound):
        attachments.remove(owner, talk, draft.id)
    assert names() == ["notes.txt"]


@pytest.mark.parametrize("odd", ["", "..", "../" + "a" * 29, "A" * 32, "a" * 33, "a" * 31 + "\n"])
def test_an_id_that_is_none_leads_nowhere(odd: str) -> None:
    for owner, talk in ((odd, TALK), (ME, odd)):
        with pytest.raises(NotFound):
            attachments.add(owner, talk, "x", b"x", unknown)
        with pytest.raises(NotFound):
            attachments.drafts(owner, talk)
    with pytest.raises(NotFound):
        attachments.remove(ME, TALK, odd)


def test_a_removed_draft_is_gone(home: Path) -> None:
    attachments.remove(ME, TALK, added().id)
    assert names() == []
    assert left(home) == []


def test_a_file_of_no_use_leaves_nothing_behind(home: Path) -> None:
    with pytest.raises(Unreadable):
        added("x.bin", b"\0\1")
    assert left(home) == []


def test_a_message_has_at_most_twenty_files() -> None:
    for number in range(20):
        added(f"{number}.txt")
    with pytest.raises(BadInput, match="at most 20 files"):
        added("one more.txt")
    assert names() == [f"{number}.txt" for number in range(20)]


def test_another_model_counts_the_tokens_again() -> None:
    added("notes.txt")
    added("photo.png", files.picture())
    text, image = attachments.recounted(ME, TALK, "engine/other", len)
    assert (text.tokens, text.is_estimate, image.tokens) == (13, False, 576)
    assert attachments.drafts(ME, TALK)[0].tokens == 13


def test_an_estimate_is_counted_as_soon_as_the_model_can_and_a_count_stays() -> None:
    attachments.add(ME, TALK, "x.txt", b"one two", unknown, "engine/m")
    assert attachments.recounted(ME, TALK, "engine/m", by_words)[0].tokens == 2
    assert attachments.recounted(ME, TALK, "engine/m", len)[0].tokens == 2


def test_a_draft_is_forgotten_after_a_day(home: Path) -> None:
    added("old.txt")
    age(home, "old.txt", 86_500)
    assert names() == []
    added("new.txt")
    assert names() == ["new.txt"]
    assert len(left(home)) == 2


def test_the_oldest_give_way_when_a_browser_keeps_too_much(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attachments, "MOST_BYTES_OF_ONE", 250)
    for number in range(3):
        added(f"{number}.txt", b"x" * 100)
        age(home, f"{number}.txt", 60 - number)
    added("theirs.txt", b"x" * 100, OTHER)
    added("last.txt", b"x" * 100)
    assert names() == ["1.txt", "2.txt", "last.txt"]
    assert names(OTHER) == ["theirs.txt"]


def test_the_oldest_of_all_give_way_when_all_keep_too_much(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attachments, "MOST_BYTES_OF_ALL", 150)
    added("mine.txt", b"x" * 100)
    age(home, "mine.txt", 60)
    added("theirs.txt", b"x" * 100, OTHER)
    added("more.txt", b"x" * 100, NOBODY)
    assert names() == []
    assert names(OTHER) == ["theirs.txt"]


def test_a_record_that_is_damaged_is_no_draft(home: Path) -> None:
    added("good.txt")
    added("bad.txt")
    record = next(
        path for path in left(home) if path.suffix == ".json" and "bad.txt" in path.read_text()
    )
    record.write_text(record.read_text()[:20])
    assert names() == ["good.txt"]
    assert [file["name"] for file in attachments.take(ME, TALK)] == ["good.txt"]


def test_a_disk_that_refuses_is_told(home: Path) -> None:
    home.mkdir()
    (home / "drafts").write_text("a file where the folder should be")
    with pytest.raises(NoSpace, match="could not be kept"):
        added()


@pytest.mark.parametrize(
    ("given_name", "shown"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\me\\notes.txt", "notes.txt"),
        ("folder/", "folder"),
        ("in\u202etxt.exe", "intxt.exe"),
        ("a\0b\nc.txt", "abc.txt"),
        ("", "file"),
        ("../..", ".."),
        ("\u200b", "file"),
        ("\ud800.txt", ".txt"),
        ("<img src=x onerror=alert(1)>", "<img src=x onerror=alert(1)>"),
        ("רשימה.txt", "רשימה.txt"),
    ],
)
def test_a_name_is_shown_without_paths_and_tricks(given_name: str, shown: str) -> None:
    assert attachments.file_name(given_name) == shown


@given(st.text(max_size=300))
@example("x" * 10_000 + ".tar.gz")
@example("." * 10_000)
def test_every_name_is_short_and_visible(given_name: str) -> None:
    name = attachments.file_name(given_name)
    assert 1 <= len(name) <= 120
    assert not {"\n", "\0", "/", "\\", "\u202e"} & set(name)


def test_a_long_name_keeps_its_ending() -> None:
    assert attachments.file_name("x" * 500 + ".csv").endswith("x….csv")
