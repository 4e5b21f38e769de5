"""Drafts: kept for their browser and conversation alone, bounded, and gone with the message."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lib.chat import attachments
from lib.chat.attachments import Attachment, NoRoom
from lib.chat.documents import Unreadable
from lib.core.access import Role, acting
from lib.core.errors import BadInput, NoSpace, NotFound
from lib.fit.picture import Picture
from lib.sharing import logins
from tests.support import files

ME, OTHER, TALK = "a" * 32, "b" * 32, "c" * 32
NOBODY = "0" * 32


def by_words(text: str) -> int | None:
    return len(text.split())


def unknown(_text: str) -> int | None:
    return None


@pytest.fixture(autouse=True)
def _nobody_signed_in() -> Iterator[None]:
    yield
    logins.forget()


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


COARSE, FINE = Picture(pixels=336**2, tokens=576), Picture(pixels=802_816, tokens=1_024)


@pytest.mark.parametrize(
    ("size", "sees", "told"),
    [
        ((40, 30), None, ""),
        ((40, 30), FINE, ""),
        ((40, 30), COARSE, "This model looks at 0.1 megapixels: small text in it is lost."),
        ((2_000, 3_000), None, "Made smaller, from 2,000 × 3,000 to 1,265 × 1,897."),
        (
            (3_000, 2_000),
            FINE,
            "Made smaller, from 3,000 × 2,000 to 1,254 × 836. This model looks at 0.8 megapixels.",
        ),
    ],
)
def test_a_picture_says_what_is_seen_of_it(
    size: tuple[int, int], sees: Picture | None, told: str
) -> None:
    data = files.picture(size, "JPEG")
    draft = attachments.add(ME, TALK, "page.jpg", data, unknown, "m", sees)
    assert draft.problem == told
    assert draft.tokens == (sees.tokens if sees else 576)
    assert draft.is_estimate


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


def as_guest(login: str, name: str = "theirs.txt") -> Attachment:
    with acting(Role.GUEST, login):
        return added(name, b"x" * 100, login)


def names_of_guest(login: str) -> list[str]:
    with acting(Role.GUEST, login):
        return names(login)


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Room for five files of the owner's, two of a guest's, three of all guests'."""
    monkeypatch.setattr(attachments, "LEAST_BYTES", 100)
    monkeypatch.setattr(attachments, "MOST_BYTES_OF_OWNER", 500)
    monkeypatch.setattr(attachments, "MOST_BYTES_OF_GUEST", 200)
    monkeypatch.setattr(attachments, "MOST_BYTES_OF_GUESTS", 300)


@pytest.mark.usefixtures("narrow")
def test_guests_push_out_nothing_of_the_owners_and_nothing_of_one_another(home: Path) -> None:
    added("mine.txt", b"x" * 100)
    age(home, "mine.txt", 60)  # older than all that follows
    as_guest("1" * 32, "a.txt")
    as_guest("1" * 32, "b.txt")
    with pytest.raises(NoRoom, match="Your files that wait"):
        as_guest("1" * 32, "c.txt")
    as_guest("2" * 32)
    with pytest.raises(NoRoom, match="All guests' files"):
        as_guest("3" * 32)
    assert names() == ["mine.txt"]
    assert names_of_guest("1" * 32) == ["a.txt", "b.txt"]
    assert names_of_guest("2" * 32) == ["theirs.txt"]
    for number in range(4):
        added(f"{number}.txt", b"x" * 100)  # the owner has room as before


@pytest.mark.usefixtures("narrow")
def test_the_owner_has_one_total_in_all_browsers_and_is_told_what_to_do() -> None:
    for number in range(5):
        added(f"{number}.txt", b"x" * 100, (ME, OTHER)[number % 2])
    with pytest.raises(NoRoom, match="is the most") as refused:
        added("more.txt", b"x" * 100, NOBODY)
    assert "take them out" in refused.value.fix and "after a day" in refused.value.fix
    attachments.take(OTHER, TALK)
    added("more.txt", b"x" * 100, NOBODY)
    assert names(NOBODY) == ["more.txt"]


@pytest.mark.usefixtures("narrow")
def test_signing_in_again_from_one_address_gives_no_more_room() -> None:
    for number in "12":
        logins.seen(number * 32, "127.0.0.2", 0.0)
        as_guest(number * 32)
    logins.seen("3" * 32, "127.0.0.2", 0.0)
    with pytest.raises(NoRoom, match="Your files"):
        as_guest("3" * 32)


@pytest.mark.usefixtures("narrow")
def test_what_is_a_day_old_makes_room(home: Path) -> None:
    for number in range(5):
        added(f"{number}.txt", b"x" * 100)
        age(home, f"{number}.txt", 86_500)
    added("new.txt", b"x" * 100)
    assert names() == ["new.txt"]


def test_small_files_come_to_an_end_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attachments, "MOST_BYTES_OF_OWNER", 2 * attachments.LEAST_BYTES)
    added("1.txt", b"x")
    added("2.txt", b"x")
    with pytest.raises(NoRoom):
        added("3.txt", b"x")


def test_what_a_guest_has_not_sent_goes_with_the_login() -> None:
    added("mine.txt")
    as_guest("1" * 32)
    as_guest("2" * 32)
    attachments.forget_guests("1" * 32)
    assert (names_of_guest("1" * 32), names_of_guest("2" * 32)) == ([], ["theirs.txt"])
    attachments.forget_guests()
    assert names_of_guest("2" * 32) == []
    assert names() == ["mine.txt"]


def test_a_guest_with_the_id_of_an_owners_browser_has_none_of_its_files() -> None:
    added("mine.txt")
    assert names_of_guest(ME) == []


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
