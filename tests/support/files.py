"""Files that people attach, and files that attackers do, made here byte by byte."""

import io
import struct
import zlib
from typing import Any

from PIL import Image
from pypdf import PdfWriter
from pypdf.generic import ArrayObject, DictionaryObject, NameObject, TextStringObject


def picture(
    size: tuple[int, int] = (40, 30), kind: str = "PNG", mode: str = "RGB", **how: Any
) -> bytes:
    """An image of one colour."""
    output = io.BytesIO()
    Image.new(mode, size, how.pop("color", 0)).save(output, kind, **how)
    return output.getvalue()


def declared_png(width: int, height: int) -> bytes:
    """A PNG of some bytes that says it has this size."""
    header = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(b"\0" * 1_000)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, body) for name, body in chunks)


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def pdf(*pages: str) -> bytes:
    """A PDF with a page for each text; an empty one stays blank."""
    return pdf_of(*(_drawn(text) for text in pages))


def pdf_of(*streams: bytes, filters: str = "") -> bytes:
    """A PDF whose pages are drawn by these streams, encoded by `filters`."""
    font = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"
    kids = " ".join(f"{4 + 2 * n} 0 R" for n in range(len(streams)))
    tree = f"<< /Type /Pages /Count {len(streams)} /Kids [{kids}] >>"
    objects = [b"<< /Type /Catalog /Pages 2 0 R >>", tree.encode(), font]
    for n, stream in enumerate(streams):
        page = f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents {5 + 2 * n} 0 R"
        objects.append(f"{page} /Resources << /Font << /F 3 0 R >> >> >>".encode())
        head = f"<< /Length {len(stream)} {filters} >>\nstream\n"
        objects.append(head.encode() + stream + b"\nendstream")
    return _assembled(objects)


def _assembled(objects: list[bytes]) -> bytes:
    body, starts = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, start=1):
        starts.append(len(body))
        body += b"%d 0 obj\n%b\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % start for start in starts)
    count = len(objects) + 1
    head = b"xref\n0 %d\n0000000000 65535 f \n" % count
    trailer = b"trailer\n<< /Size %d /Root 1 0 R >>\n" % count
    return body + head + table + trailer + b"startxref\n%d\n%%%%EOF\n" % len(body)


def _drawn(text: str) -> bytes:
    return f"BT /F 12 Tf 50 700 Td ({text}) Tj ET".encode("latin-1") if text else b""


def locked_pdf(password: str, algorithm: str = "RC4-128", text: str = "") -> bytes:
    """A PDF that opens with this password, with none where it is empty; its owner has another."""
    writer = PdfWriter()
    writer.append(io.BytesIO(pdf(text)))
    writer.encrypt(password, "the owner's", algorithm=algorithm)
    output = io.BytesIO()
    writer.write(output)
    return output.getvalue()


def form_pdf(text: str, fields: dict[str, str | bool]) -> bytes:
    """A page with a form that is filled in: texts, and boxes that are ticked or not."""
    writer = PdfWriter()
    writer.append(io.BytesIO(pdf(text)))
    kinds = ArrayObject()
    for name, value in fields.items():
        is_box = isinstance(value, bool)
        said = NameObject("/Yes" if value else "/Off") if is_box else TextStringObject(str(value))
        field = DictionaryObject()
        field[NameObject("/FT")] = NameObject("/Btn" if is_box else "/Tx")
        field[NameObject("/T")] = TextStringObject(name)
        field[NameObject("/V")] = said
        kinds.append(writer._add_object(field))
    form = DictionaryObject({NameObject("/Fields"): kinds})
    writer.root_object[NameObject("/AcroForm")] = writer._add_object(form)
    output = io.BytesIO()
    writer.write(output)
    return output.getvalue()


def swelling_pdf(megabytes: int) -> bytes:
    """A small PDF whose page has that many megabytes, packed twice."""
    page = zlib.compress(zlib.compress(b"\n" * megabytes * 10**6))
    return pdf_of(page, filters="/Filter [/FlateDecode /FlateDecode]")
