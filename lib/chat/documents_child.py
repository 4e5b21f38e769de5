"""The process behind documents.py: reads one file of a stranger's and prints what is in it.

It gets the file by stdin and its kind as an argument, and answers one JSON object: `text`, or
`image` (a data URL), or the reason why neither (`refused`). Run by path and alone, so that a file
that makes a parser crash, hang or swell takes nothing else with it.
"""

import base64
import contextlib
import io
import json
import sys
import warnings
from collections.abc import Callable
from typing import Any

SECONDS = 60  # of work, should nobody end it
MOST_BYTES = 2**30  # of memory; on macOS nothing enforces this, so the parent watches as well
MOST_PAGES = 2_000
MOST_CHARACTERS = 2_000_000
MOST_PIXELS = 64_000_000
MOST_ENCODED = 1_400_000  # bytes; a conversation keeps two million characters of it
LONGEST_SIDE = 4_096  # pixels
JPEG_QUALITY = 82

Found = dict[str, Any]


def read_pdf(data: bytes) -> Found:
    """The text of all pages; how many there are, and how many of them have none."""
    from pypdf import PdfReader
    from pypdf.errors import DependencyError, FileNotDecryptedError, LimitReachedError

    try:
        reader = PdfReader(io.BytesIO(data))
        if reader.is_encrypted and not reader.decrypt(""):
            return {"refused": "encrypted"}
        if len(reader.pages) > MOST_PAGES:
            return {"refused": "pages", "pages": len(reader.pages)}
        return _pages_text(reader)
    except DependencyError:  # nothing is wrong with the file
        return {"refused": "library"}
    except FileNotDecryptedError:
        return {"refused": "encrypted"}
    except LimitReachedError:
        return {"refused": "swells"}


def _pages_text(reader: Any) -> Found:
    texts: list[str] = []
    characters = 0
    for page in reader.pages:
        texts.append(page.extract_text().strip())
        characters += len(texts[-1])
        if characters > MOST_CHARACTERS:
            return {"refused": "long"}
    with_text = [text for text in texts if text]
    filled = _fields_text(reader)
    if characters + len(filled) > MOST_CHARACTERS:
        return {"refused": "long"}
    whole = "\n\n".join([*with_text, filled] if filled else with_text)
    return {"text": whole, "pages": len(texts), "empty": texts.count("")}


def _fields_text(reader: Any) -> str:
    """What is filled in where the PDF is a form: its pages do not have that in their text."""
    lines = []
    for name, field in (reader.get_fields() or {}).items():
        value = field.get("/V")
        if isinstance(value, list):  # several choices
            value = ", ".join(str(one) for one in value)
        said = "" if value is None else str(value).strip()
        if said.startswith("/"):  # a box: ticked, or not
            said = {"/Off": ""}.get(said, said[1:])
        if said:
            title = field.get("/TU") or name  # as its viewer calls it
            lines.append(f"{title}: {said}")
    return "\n".join(["Filled in:", *lines]) if lines else ""


def read_image(data: bytes, most_pixels: str) -> Found:
    """The picture upright, not too large, and without anything that it said about itself."""
    from PIL import Image, ImageOps

    Image.MAX_IMAGE_PIXELS = MOST_PIXELS
    warnings.simplefilter("error", Image.DecompressionBombWarning)
    try:
        image = Image.open(io.BytesIO(data), formats=("PNG", "JPEG", "WEBP", "GIF"))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        return {"refused": "pixels"}
    width, height = image.size
    side = _longer_side(width, height, int(most_pixels))
    image.draft("RGB", (side, side))  # spares a JPEG's memory
    ImageOps.exif_transpose(image, in_place=True)
    if (image.width < image.height) != (width < height):  # it was lying on its side
        width, height = height, width
    small = image.convert("RGBA" if image.has_transparency_data else "RGB")
    small.thumbnail((side, side))
    small.info.clear()  # the place where it was taken, comments, profiles
    media_type, encoded = _encoded(small)
    while len(encoded) > MOST_ENCODED:  # noise, which no encoding makes smaller
        small.thumbnail((small.width * 4 // 5, small.height * 4 // 5))
        media_type, encoded = _encoded(small)
    url = f"data:{media_type};base64,{base64.b64encode(encoded).decode()}"
    return {"image": url, "from": [width, height], "to": list(small.size)}


def _longer_side(width: int, height: int, most_pixels: int) -> int:
    """Of the largest picture in this shape that has no more pixels."""
    share = (most_pixels / (width * height)) ** 0.5
    return max(1, min(LONGEST_SIDE, int(max(width, height) * min(1.0, share))))


def _encoded(image: Any) -> tuple[str, bytes]:
    """As JPEG; as PNG where it has transparency and is smaller so."""
    jpeg = _saved(_on_white(image), format="JPEG", quality=JPEG_QUALITY, optimize=True)
    if image.mode == "RGBA":
        png = _saved(image, format="PNG", optimize=True)
        if len(png) < len(jpeg):
            return "image/png", png
    return "image/jpeg", jpeg


def _on_white(image: Any) -> Any:
    from PIL import Image

    if image.mode != "RGBA":
        return image
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")


def _saved(image: Any, **how: Any) -> bytes:
    output = io.BytesIO()
    image.save(output, **how)
    return output.getvalue()


def limit() -> None:
    """Stay small and leave no core file, as far as the system knows how."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
        resource.setrlimit(resource.RLIMIT_DATA, (MOST_BYTES, MOST_BYTES))


if __name__ == "__main__":
    limit()
    READERS: dict[str, Callable[..., Found]] = {"pdf": read_pdf, "image": read_image}
    try:
        json.dump(READERS[sys.argv[1]](sys.stdin.buffer.read(), *sys.argv[2:]), sys.stdout)
    except MemoryError:
        json.dump({"refused": "swells"}, sys.stdout)
