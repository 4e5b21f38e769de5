"""A file that comes as a form with parts (RFC 7578): written to the disk while it comes."""

import asyncio
from typing import Any, BinaryIO

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import Request

from lib.api.errors import TooLarge
from lib.api.shield import WrongField

MOST_PARTS = 16
LONGEST_FIELD = 1_024  # bytes, also of a part's headers
FORM_BYTES = 64 * 2**10  # what stands around the file
WRITE_BYTES = 2**20  # are written at once, in a thread
FORM = "multipart/form-data"


class Form:
    """What has come so far: fields by name, the name of the file, and its bytes not yet written."""

    def __init__(self, content_type: bytes) -> None:
        media_type, options = parse_options_header(content_type)
        if media_type != FORM.encode() or not options.get(b"boundary"):
            raise WrongField("A file comes as a form with parts.", f"Send it as {FORM}.", "file")
        self.fields: dict[str, str] = {}
        self.filename: str | None = None
        self.pending = bytearray()
        self.is_whole = False
        self._parts = 0
        self._parser = MultipartParser(options[b"boundary"], self._callbacks())

    def feed(self, data: bytes) -> None:
        """The next bytes; WrongField where they are no form."""
        try:
            self._parser.write(data)
        except FormParserError as error:
            raise _broken() from error

    def _callbacks(self) -> Any:
        return {
            "on_part_begin": self._begin_part,
            "on_header_begin": self._begin_header,
            "on_header_field": self._header_name,
            "on_header_value": self._header_value,
            "on_header_end": self._end_header,
            "on_headers_finished": self._end_headers,
            "on_part_data": self._data,
            "on_part_end": self._end_part,
            "on_end": self._end,
        }

    def _begin_part(self) -> None:
        self._parts += 1
        if self._parts > MOST_PARTS:
            raise _broken()
        self._disposition = b""
        self._field, self._value, self._is_file = "", bytearray(), False

    def _begin_header(self) -> None:
        self._name, self._told = bytearray(), bytearray()

    def _header_name(self, data: bytes, start: int, end: int) -> None:
        self._name += _bounded(self._name, data[start:end])

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._told += _bounded(self._told, data[start:end])

    def _end_header(self) -> None:
        if self._name.lower() == b"content-disposition":
            self._disposition = bytes(self._told)

    def _end_headers(self) -> None:
        _, options = parse_options_header(self._disposition)
        self._field = options.get(b"name", b"").decode("utf-8", "replace")
        self._is_file = b"filename" in options
        if self._is_file and (self._field != "file" or self.filename is not None):
            raise WrongField("One file is sent at a time, as the part “file”.", param="file")
        if self._is_file:
            self.filename = options[b"filename"].decode("utf-8", "replace")

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._is_file:
            self.pending += data[start:end]
        else:
            self._value += _bounded(self._value, data[start:end])

    def _end_part(self) -> None:
        if not self._is_file:
            self.fields[self._field] = self._value.decode("utf-8", "replace")

    def _end(self) -> None:
        self.is_whole = True


async def receive(request: Request, into: BinaryIO, limit_bytes: int) -> Form:
    """Write the file of this form there; TooLarge as soon as that is known, WrongField for none."""
    form = Form(request.headers.get("content-type", "").encode("latin-1"))
    left = limit_bytes + FORM_BYTES
    require_length(request, limit_bytes)
    async for chunk in request.stream():
        left -= len(chunk)
        if left < 0:
            raise _too_large(limit_bytes)
        form.feed(chunk)
        if len(form.pending) >= WRITE_BYTES:
            await asyncio.to_thread(_write, form, into)
    await asyncio.to_thread(_write, form, into)
    if not form.is_whole:
        raise _broken()
    if form.filename is None:
        raise WrongField("There is no file in the form.", "Send it as the part “file”.", "file")
    if into.tell() > limit_bytes:
        raise _too_large(limit_bytes)
    return form


def require_length(request: Request, limit_bytes: int) -> int:
    """What the client says that it sends, at most, in bytes; TooLarge where that is too much."""
    told = request.headers.get("content-length", "")
    length = int(told) if told.isascii() and told.isdigit() and len(told) < 16 else 0
    if length > limit_bytes + FORM_BYTES:
        raise _too_large(limit_bytes)
    return length


def _write(form: Form, into: BinaryIO) -> None:
    into.write(form.pending)
    form.pending.clear()


def _bounded(so_far: bytearray, more: bytes) -> bytes:
    if len(so_far) + len(more) > LONGEST_FIELD:
        raise WrongField("A field of the form is too long.", "Send the file as the part “file”.")
    return more


def _broken() -> WrongField:
    return WrongField("The form is broken.", "Send the file again, with any client.", "file")


def _too_large(limit_bytes: int) -> TooLarge:
    return TooLarge(f"A file has at most {limit_bytes // 10**6} MB.", "Divide it into several.")
