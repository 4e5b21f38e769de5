"""What can be read of a file: texts of any age, PDFs, pictures; and what cannot, in words."""

import base64
import io
import subprocess
import sys

import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from lib.chat import documents, documents_child
from lib.chat.conversations import LONGEST_TEXT
from lib.chat.documents import Content, Unreadable, read
from tests.conftest import ROOT
from tests.support import files

GERMAN = "Die Straße führt über die Brücke, größer als früher, für alle schönen Mädchen.\n" * 5
RUSSIAN = "Привет, это обычный русский текст, который написан давно, и он довольно длинный.\n" * 5


def text_of(data: bytes, name: str = "notes.txt") -> str:
    found = read(name, data)
    assert found.kind == "text"
    return found.text


def image_of(data: bytes) -> tuple[str, Image.Image]:
    """Media type and picture of what becomes of an image file."""
    found = read("picture", data)
    assert found.kind == "image"
    head, _, body = found.image.partition(",")
    return head, Image.open(io.BytesIO(base64.b64decode(body)))


def refusal(data: bytes, name: str = "file") -> str:
    with pytest.raises(Unreadable) as caught:
        read(name, data)
    assert caught.value.fix
    return caught.value.message


@given(st.text(st.characters(exclude_categories=("Cs", "Cc", "Cn", "Co")), min_size=1))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_utf_8_text_stays_as_it_is(text: str) -> None:
    found = documents.decoded(text.encode())
    assert found == (text.removeprefix("\ufeff"), "")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_a_mark_at_the_start_tells_the_encoding(encoding: str) -> None:
    assert read("x", "Grüße 🚢".encode(encoding)) == Content(kind="text", text="Grüße 🚢")


@pytest.mark.parametrize(
    ("text", "encoding"), [(GERMAN, "cp1252"), (RUSSIAN, "cp1251"), (RUSSIAN, "koi8-r")]
)
def test_a_text_from_before_unicode_is_read_and_said_to_be_a_guess(
    text: str, encoding: str
) -> None:
    found = read("old.txt", text.encode(encoding))
    assert found.text == text
    assert "a guess" in found.problem


def test_a_log_with_a_few_wrong_bytes_stays_utf_8() -> None:
    found = read("x.log", "Größe\n".encode() * 50 + b"\xff\n")
    assert found.text == "Größe\n" * 50 + "\ufffd\n"
    assert "not UTF-8" in found.problem


def test_terminal_colours_and_line_ends_of_other_systems_are_tidied() -> None:
    assert text_of(b"\x1b[31mred\x1b[0m\r\nnext\rlast") == "red\nnext\nlast"


@pytest.mark.parametrize(
    "data", [b"\0", b"a\0b", b"abc\1\2", bytes(range(1, 256)), b"\xff\xfe\x00"]
)
def test_a_binary_file_is_refused(data: bytes) -> None:
    assert "no text and no image" in refusal(data)


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("letter.docx", "office document"),
        ("sheet.XLSX", "spreadsheet"),
        ("talk.pptx", "presentation"),
        ("song.mp3", "audio"),
        ("film.mp4", "video"),
        ("all.zip", "archive"),
        ("photo.heic", "another kind of image"),
    ],
)
def test_what_cannot_be_read_is_named(name: str, word: str) -> None:
    assert word in refusal(b"PK\x03\x04\x00\x01", name)


def test_a_name_does_not_make_a_text_something_else() -> None:
    assert text_of(b"a,b\n1,2\n", "really.xlsx") == "a,b\n1,2\n"


def test_rich_text_is_no_text_to_read() -> None:
    assert "office document" in refusal(rb"{\rtf1 hello}", "letter.txt")


@pytest.mark.parametrize(
    "start", [b"", b"<?xml version='1.0'?>\n", b"<!-- x -->\n<!DOCTYPE svg>", b"\xef\xbb\xbf \n"]
)
def test_a_drawing_with_scripts_is_refused_whatever_its_name(start: bytes) -> None:
    assert "SVG" in refusal(start + b"<svg onload='alert(1)'></svg>", "harmless.png")


@pytest.mark.parametrize("data", [b"", b" \n\t\n", b"\xef\xbb\xbf"])
def test_an_empty_file_is_refused(data: bytes) -> None:
    assert "empty" in refusal(data) or "white space" in refusal(data)


def test_too_large_and_too_long_are_refused() -> None:
    assert "20 MB is the most" in refusal(b"a" * 20_000_001)
    assert "2,000,000 characters" in refusal(b"a" * 2_000_001)
    assert len(text_of(b"a" * 2_000_000)) == 2_000_000


def test_a_pdf_gives_the_text_of_its_pages_in_order() -> None:
    found = read("x.pdf", files.pdf("First page", "Second page"))
    assert found == Content(kind="text", text="First page\n\nSecond page")


def test_pages_without_text_are_told() -> None:
    found = read("x.pdf", files.pdf("Only this", "", ""))
    assert found.text == "Only this"
    assert "2 of 3 pages have no text" in found.problem


def test_a_scanned_pdf_is_told_to_be_pictures() -> None:
    assert "its pages are pictures" in refusal(files.pdf("", ""))


ALGORITHMS = pytest.mark.parametrize(
    "algorithm", ["RC4-40", "RC4-128", "AES-128", "AES-256-R5", "AES-256"]
)


@ALGORITHMS
def test_a_locked_pdf_is_told_to_need_a_password(algorithm: str) -> None:
    assert "needs a password" in refusal(files.locked_pdf("secret", algorithm))


@ALGORITHMS
def test_a_pdf_that_anybody_may_open_is_read_however_it_is_encrypted(algorithm: str) -> None:
    found = read("x.pdf", files.locked_pdf("", algorithm, "Balance: 1234"))
    assert found == Content(kind="text", text="Balance: 1234")


def test_what_is_missing_here_is_not_told_as_a_fault_of_the_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(documents, "_answer", lambda *_: b'{"refused": "library"}')
    assert "the file itself is well" in refusal(files.locked_pdf(""))
    without = [f"sys.modules[{name!r}] = None" for name in ("cryptography", "Crypto")]
    read_it = "documents_child.read_pdf(sys.stdin.buffer.read())"
    asks = (
        f"import sys; {'; '.join(without)}; from lib.chat import documents_child; print({read_it})"
    )
    told = subprocess.run(
        [sys.executable, "-c", asks],
        input=files.locked_pdf("", "AES-256"),
        stdout=subprocess.PIPE,
        check=True,
        cwd=ROOT,
    )
    assert told.stdout.strip() == b"{'refused': 'library'}"


def test_what_is_filled_into_a_form_is_read() -> None:
    form: dict[str, str | bool] = {"Name": "Ada", "City": "", "Member": True, "Student": False}
    found = read("x.pdf", files.form_pdf("Application", form))
    assert found.text == "Application\n\nFilled in:\nName: Ada\nMember: Yes"


def test_a_pdf_with_too_many_pages_is_refused() -> None:
    assert "more than 2,000 pages" in refusal(files.pdf(*[""] * 2_001))


def test_a_pdf_with_too_much_text_is_refused() -> None:
    assert "2,000,000 characters" in refusal(files.pdf(*["x" * 50_000] * 41))


def test_a_pdf_that_swells_is_refused() -> None:
    assert "swells" in refusal(files.swelling_pdf(400))


def test_a_pdf_that_never_ends_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "DEADLINE_SECONDS", 1.0)
    endless = b"BT /F 12 Tf 1 0 0 1 5 5 Tm ( ) Tj ET\n" * 500_000
    assert "longer than" in refusal(files.pdf_of(endless))
    assert not psutil.Process().children()


@given(st.data())
@settings(max_examples=15, deadline=None)
def test_a_damaged_pdf_or_picture_is_an_answer_never_a_crash(data: st.DataObject) -> None:
    whole = data.draw(st.sampled_from([files.pdf("Hello"), files.picture(), *PICTURES.values()]))
    at = data.draw(st.integers(8, len(whole) - 1))
    cut = data.draw(st.sampled_from([whole[:at], whole[:at] + b"\xff\x00\x7f" + whole[at + 3 :]]))
    try:
        assert read("x", cut).kind in ("text", "image")
    except Unreadable as error:
        assert error.fix


PICTURES: dict[str, bytes] = {
    "PNG": files.picture(kind="PNG"),
    "JPEG": files.picture(kind="JPEG"),
    "WEBP": files.picture(kind="WEBP"),
    "GIF": files.picture(kind="GIF", mode="P"),
    "16 bit": files.picture(mode="I;16"),
    "CMYK": files.picture(kind="JPEG", mode="CMYK"),
    "one bit": files.picture(mode="1"),
}


@pytest.mark.parametrize("data", PICTURES.values(), ids=PICTURES)
def test_a_picture_of_every_kind_becomes_a_jpeg(data: bytes) -> None:
    head, image = image_of(data)
    assert head == "data:image/jpeg;base64"
    assert image.size == (40, 30)


@pytest.mark.parametrize("size", [(3_000, 2_000), (2_000, 3_000)])
def test_a_large_picture_is_made_smaller_and_says_so(size: tuple[int, int]) -> None:
    found = read("x", files.picture(size, "JPEG"))
    _, image = image_of(files.picture(size, "JPEG"))
    assert 0.98 * documents.USUAL_PIXELS < image.width * image.height <= documents.USUAL_PIXELS
    assert image.width / image.height == pytest.approx(size[0] / size[1], rel=0.01)
    less = f"{image.width:,} × {image.height:,}"
    assert found.problem == f"Made smaller, from {size[0]:,} × {size[1]:,} to {less}."


@pytest.mark.parametrize("size", [(40, 30), (1_500, 1_600)])
def test_a_picture_that_is_small_enough_stays_as_it_is(size: tuple[int, int]) -> None:
    assert image_of(files.picture(size, "JPEG"))[1].size == size
    assert read("x", files.picture(size, "JPEG")).problem == ""


def test_a_picture_of_noise_is_small_enough_to_be_kept_with_its_conversation() -> None:
    output = io.BytesIO()
    Image.effect_noise((2_400, 2_000), 120).save(output, "PNG")
    found = read("x", output.getvalue(), documents.MOST_PIXELS)
    assert len(found.image) < LONGEST_TEXT


def test_a_picture_has_no_more_pixels_than_are_asked_for_and_no_side_without_end() -> None:
    found = read("x", files.picture((2_000, 2_000), "JPEG"), most_pixels=1_000_000)
    assert "to 1,000 × 1,000." in found.problem
    assert "to 4,096 ×" in read("x", files.picture((20_000, 100), "JPEG")).problem


def test_a_transparent_drawing_stays_a_png_and_a_transparent_photo_lies_on_white() -> None:
    head, _ = image_of(files.picture(mode="RGBA", color=(255, 0, 0, 0)))
    assert head == "data:image/png;base64"
    noise = Image.effect_noise((200, 200), 100).convert("RGBA")
    noise.putalpha(Image.effect_noise((200, 200), 100).point(lambda value: value // 20))
    output = io.BytesIO()
    noise.save(output, "PNG")
    head, image = image_of(output.getvalue())
    assert head == "data:image/jpeg;base64"
    assert image.convert("L").resize((1, 1)).tobytes()[0] > 220


def test_a_picture_is_turned_upright_and_says_nothing_about_itself() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees
    exif.get_ifd(0x8825)[1] = "N"  # where it was taken
    photo = files.picture((60, 20), "JPEG", exif=exif, comment=b"secret", icc_profile=b"profile")
    assert b"secret" in photo
    _, image = image_of(photo)
    assert image.size == (20, 60)
    assert not image.getexif()
    assert not {"comment", "icc_profile", "exif"} & set(image.info)


def test_what_is_hidden_behind_a_picture_is_gone() -> None:
    polyglot = files.picture(kind="GIF", mode="P") + b"PK\x03\x04<script>alert(1)</script>"
    found = read("x.zip", polyglot)
    assert b"script" not in base64.b64decode(found.image.partition(",")[2])


def test_an_animation_is_its_first_picture() -> None:
    output = io.BytesIO()
    first, second = (Image.new("RGB", (30, 30), color) for color in ("white", "black"))
    first.save(output, "GIF", save_all=True, append_images=[second])
    _, image = image_of(output.getvalue())
    assert image.convert("L").getpixel((5, 5)) == 255


@pytest.mark.parametrize("size", [(60_000, 60_000), (2**31 - 1, 2**31 - 1), (8_001, 8_000)])
def test_a_picture_that_swells_is_refused_before_it_does(size: tuple[int, int]) -> None:
    assert "64 megapixels" in refusal(files.declared_png(*size))


def test_another_picture_format_behind_the_right_bytes_is_refused() -> None:
    assert "damaged" in refusal(b"\x89PNG\r\n\x1a\n" + b"BM" + b"\0" * 100)


def test_the_child_takes_no_more_memory_than_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents_child, "MOST_BYTES", 30_000_000)  # as its parent sees it
    assert "swells" in refusal(files.picture((7_900, 8_000), "PNG", "RGBA"))


def test_a_file_arrives_whole_however_often_its_child_is_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(documents, "LOOK_SECONDS", 0.001)
    large = files.picture((1_000, 1_000), compress_level=0)
    assert len(large) > 1_000_000
    assert read("x.png", large).kind == "image"
