"""What a model can be given of a file: its text, or a small picture.

The content tells what a file is; the name only helps to say what to do with one that is of no use.
Text is decoded here. PDFs and pictures are read by a child process with a deadline and a limit of
memory, because they come from strangers and what reads them is large.
"""

import codecs
import json
import re
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, Literal

import psutil
from charset_normalizer import from_bytes
from pydantic import BaseModel, ConfigDict

from lib.chat import documents_child, encodings
from lib.core import words
from lib.core.errors import BadInput
from lib.processes.helper import Helper, helper

LARGEST_FILE = 20_000_000  # bytes
MOST_CHARACTERS = documents_child.MOST_CHARACTERS
USUAL_PIXELS = 2_400_000  # an A4 page at 160 dpi: print can still be read
LEAST_PIXELS = 1_050_000
MOST_PIXELS = 4_000_000  # browsers keep about five million characters
DEADLINE_SECONDS = 60.0
LOOK_SECONDS = 0.1
CONTROL_SHARE = 0.01  # a text with more control characters than that is none
TITLES = {  # of encodings, as programs that save in them say
    "cp1252": "Western European (Windows)",
    "cp1250": "Central European (Windows)",
    "cp1251": "Cyrillic (Windows)",
    "cp1254": "Turkish (Windows)",
    "gb18030": "Chinese (GB 18030)",
    "cp932": "Japanese (Shift JIS)",
    "cp949": "Korean (EUC-KR)",
}
READABLE = "text of any kind, PDF, PNG, JPEG, WebP and GIF"

_CHILDREN = threading.BoundedSemaphore(2)
_PDF = re.compile(rb"\s*%PDF-")
_IMAGE = re.compile(rb"\x89PNG\r\n\x1a\n|\xff\xd8\xff|GIF8[79]a|RIFF....WEBP", re.DOTALL)
_RICH = re.compile(r"\s*\{\\rtf")
_SVG = re.compile(r"\s*(<[?!][^>]*>\s*){0,9}<svg[\s>]", re.IGNORECASE)
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")  # colours of a terminal
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # begins like the next one
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_FOREIGN = (
    (".docx .doc .odt .rtf .pages", "an office document", "Save it as PDF or plain text."),
    (".xlsx .xls .xlsm .ods .numbers", "a spreadsheet", "Save the sheet as CSV."),
    (".pptx .ppt .odp .key", "a presentation", "Save it as PDF."),
    (".epub .mobi .azw3 .djvu", "a book", "Save it as PDF or plain text."),
    (".zip .gz .tgz .tar .bz2 .xz .zst .7z .rar", "an archive", "Unpack it, attach what is in it."),
    (".mp3 .wav .m4a .flac .ogg .opus .aac", "an audio file", "Attach what is said in it as text."),
    (".mp4 .mov .mkv .avi .webm .m4v", "a video", "Attach pictures from it, or its words as text."),
    (".heic .heif .avif .tif .tiff .bmp .ico .psd", "another kind of image", "Save it as JPEG."),
)
_DRAWING = (
    "This is an SVG drawing, which may hold scripts.",
    "Save it as PNG and attach that, or paste its code into the message.",
)
_DAMAGED = {
    "pdf": ("This PDF is damaged.", "Open it in a viewer, print it as PDF, and attach that."),
    "image": ("This image is damaged.", "Open it, save it as PNG or JPEG, and attach that."),
}
_TOO_MUCH = "Attach the part that matters, or its text."
_REFUSED = {
    "encrypted": (
        "This PDF needs a password.",
        "Open it in a viewer, print it as PDF, and attach that.",
    ),
    "library": (
        "This PDF is encrypted, and what opens it is missing here: the file itself is well.",
        "Run ./setup.sh again, then attach it once more.",
    ),
    "pages": (f"This PDF has more than {documents_child.MOST_PAGES:,} pages.", _TOO_MUCH),
    "long": (f"This file has more than {MOST_CHARACTERS:,} characters.", _TOO_MUCH),
    "pixels": (
        f"This image has more than {documents_child.MOST_PIXELS // 10**6} megapixels.",
        "Make it smaller and attach that.",
    ),
    "swells": ("This file swells when it is opened, more than is allowed.", _TOO_MUCH),
    "slow": (f"This file takes longer than {DEADLINE_SECONDS:.0f} s to read.", _TOO_MUCH),
}


class Unreadable(BadInput, code="unreadable"):
    """A file that a model cannot be given."""


class Content(BaseModel):
    """What is in a file; `problem` is what may be missing."""

    model_config = ConfigDict(frozen=True)

    kind: Literal["text", "image"]
    text: str = ""
    image: str = ""  # a data URL
    problem: str = ""


def read(name: str, data: bytes, most_pixels: int = USUAL_PIXELS) -> Content:
    """The file's text or picture, or Unreadable; takes up to DEADLINE_SECONDS.

    A picture has at most so many pixels.
    """
    if not data:
        raise Unreadable("This file is empty.", "Choose another one.")
    if len(data) > LARGEST_FILE:
        most = words.disk(LARGEST_FILE)
        raise Unreadable(f"This file has {words.disk(len(data))}; {most} is the most.", _TOO_MUCH)
    if _PDF.match(data):
        return _pdf(data)
    if _IMAGE.match(data):
        return _picture(data, most_pixels)
    return _plain(name, data)


def _plain(name: str, data: bytes) -> Content:
    found = decoded(data)
    if found is None:
        raise _foreign(Path(name).suffix.lower())
    text, problem = found
    if _RICH.match(text):
        raise _foreign(".rtf")
    if _SVG.match(text):
        raise Unreadable(*_DRAWING)
    return Content(kind="text", text=_bounded(text), problem=problem)


def decoded(data: bytes) -> tuple[str, str] | None:
    """The text, every line ended by a line feed, and what may be wrong with it; None for none."""
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return _tidy(_in(encoding, data[len(mark) :]), "")
    if b"\0" in data:
        return None
    text = _in("utf-8", data)
    return _mended(data) or _guessed(data) if text is None else _tidy(text, "")


def _in(encoding: str, data: bytes) -> str | None:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        return None


def _mended(data: bytes) -> tuple[str, str] | None:
    """UTF-8 with a few wrong bytes, as a log has them that was cut; None for anything else."""
    text = data.decode("utf-8", "replace")
    wrong = text.count("\ufffd")
    good = len(text) - len(text.encode("ascii", "ignore")) - wrong
    return _tidy(text, "Some bytes are not UTF-8 and were replaced.") if good > wrong else None


def _guessed(data: bytes) -> tuple[str, str] | None:
    """A text from before Unicode: in a usual encoding, else in what it looks most like."""
    found = encodings.guessed(data)
    if found is None:
        best = from_bytes(encodings.sample(data)).best()
        text = _in(best.encoding, data) if best else None
        found = (best.encoding, text) if best and text is not None else None
    if found is None:
        return None
    name, text = found
    return _tidy(
        text, f"Read as {TITLES.get(name, name)}, which is a guess: look for wrong letters."
    )


def _tidy(text: str | None, problem: str) -> tuple[str, str] | None:
    """Without terminal colours and stray control characters; None where those are too many."""
    if text is None:
        return None
    plain = _ESCAPE.sub("", text).replace("\r\n", "\n").replace("\r", "\n")
    clean, removed = _CONTROL.subn("", plain)
    return (clean, problem) if removed <= CONTROL_SHARE * len(text) else None


def _bounded(text: str) -> str:
    if len(text) > MOST_CHARACTERS:
        raise Unreadable(*_REFUSED["long"])
    if not text.strip():
        raise Unreadable("This file holds nothing but white space.", "Choose another one.")
    return text


def _foreign(suffix: str) -> Unreadable:
    """Why this binary file is of no use, and what would be."""
    for suffixes, kind, fix in _FOREIGN:
        if suffix in suffixes.split():
            return Unreadable(f"This is {kind}, which cannot be read here.", fix)
    return Unreadable("This is no text and no image.", f"What can be attached: {READABLE}.")


def _pdf(data: bytes) -> Content:
    found = _found("pdf", data)
    text = _CONTROL.sub("", found["text"])
    empty = found["empty"]
    if not text.strip():
        raise Unreadable(
            "This PDF has no text: its pages are pictures, as a scanner makes them.",
            "Have its text recognized first, or attach the pages as images.",
        )
    problem = f"{empty:,} of {found['pages']:,} pages have no text and are left out."
    return Content(kind="text", text=_bounded(text), problem=problem if empty else "")


def _picture(data: bytes, most_pixels: int) -> Content:
    found = _found("image", data, str(most_pixels))
    (width, height), (less_wide, less_high) = found["from"], found["to"]
    problem = ""
    if less_wide < width:
        problem = f"Made smaller, from {width:,} × {height:,} to {less_wide:,} × {less_high:,}."
    return Content(kind="image", image=found["image"], problem=problem)


def _found(kind: str, data: bytes, *limits: str) -> dict[str, Any]:
    """What the child found in the file, or Unreadable."""
    try:
        found = json.loads(_answer(kind, data, *limits))
    except ValueError:  # it crashed
        raise Unreadable(*_DAMAGED[kind]) from None
    if "refused" in found:
        raise Unreadable(*_REFUSED[found["refused"]])
    return dict(found)


def _answer(kind: str, data: bytes, *limits: str) -> bytes:
    """The child's output. It reads a file, because a pipe stays half filled when nobody waits."""
    command = [sys.executable, "-I", str(Path(documents_child.__file__)), kind, *limits]
    with _CHILDREN, tempfile.TemporaryFile() as file:
        file.write(data)
        file.seek(0)
        with helper(command, {}, stdin=file) as child:
            return _watched(child)


def _watched(child: Helper) -> bytes:
    """The child's output, unless it takes too long or too much memory."""
    give_up_at = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < give_up_at:
        answer = child.output(LOOK_SECONDS)
        if answer is not None:
            return answer
        if _memory_bytes(child.pid) > documents_child.MOST_BYTES:
            raise Unreadable(*_REFUSED["swells"])
    raise Unreadable(*_REFUSED["slow"])


def _memory_bytes(pid: int) -> int:
    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return 0
