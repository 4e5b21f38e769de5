"""The events of /v1/responses with their places, which the built-in engine leaves out.

OpenAI's own client puts a stream together by them, and fails without. They are put in as bytes:
a token's event is not parsed.
"""

import re

_DATA = b'data: {"type":"response.'
_NUMBER = b'"sequence_number":'
_KIND = re.compile(rb'data: \{"type":"response\.([a-z_.]+)"')
_BEGUN = b'"status":"in_progress"'
_FIRST = {b"created", b"in_progress"}
_WITH_CONTENT = (b"output_text.", b"content_part.", b"refusal.", b"reasoning_text.")
_WITH_SUMMARY = (b"reasoning_summary",)
_WITHOUT_PLACE = (b"completed", b"incomplete", b"failed", b"created", b"in_progress", b"queued")


class Numbers:
    """Counts the events of one stream, and the parts of its reply."""

    def __init__(self) -> None:
        self._events = 0
        self._item = -1

    def put_in(self, lines: bytes) -> bytes:
        """Whole lines, each event with its number and its place in the reply."""
        if _DATA not in lines:
            return lines
        return b"\n".join(map(self._line, lines.split(b"\n")))

    def _line(self, line: bytes) -> bytes:
        if not line.startswith(_DATA) or _NUMBER in line:
            return line
        found = _KIND.match(line)
        kind = found[1] if found else b""
        if kind == b"output_item.added":
            self._item += 1
        if kind in _FIRST:  # a reply that has begun has an empty list of parts
            line = line.replace(_BEGUN, _BEGUN + b',"output":[]', 1)
        made = b"data: {" + self._places(kind) + line.removeprefix(b"data: {")
        self._events += 1
        return made

    def _places(self, kind: bytes) -> bytes:
        said = b'"sequence_number":%d,' % self._events
        if kind in _WITHOUT_PLACE:
            return said
        said += b'"output_index":%d,' % max(0, self._item)
        if kind.startswith(_WITH_CONTENT):
            said += b'"content_index":0,'
        if kind.startswith(_WITH_SUMMARY):
            said += b'"summary_index":0,'
        return said
