#!/usr/bin/env bash
#
# aiohttp 3.14.5 (client), Python 3.11.
#
# Expected: what a server sent before it broke a streamed answer off is read first, then the error;
# a reader who comes a moment later sees the same, as with a file or a plain socket.
# Seen: whoever reads at once gets all three events and then ClientPayloadError. Whoever begins to
# read after the end of the connection gets ClientPayloadError alone: the events are in the buffer,
# and the error that is noted beside it goes before them.
#
# Berth: the task that asks an engine is the one that reads its answer, with nothing awaited in
# between (lib/api/gateway.py), so that the last words of an engine that dies are passed on.

set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check aiohttp==3.14.5

"$folder/venv/bin/python" - <<'PY'
import asyncio

import aiohttp

EVENTS = [b"data: one\n\n", b"data: two\n\n", b"data: three\n\n"]
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


async def serve(reader, writer):
    """Three events of a stream that has no end."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(HEAD + b"".join(b"%x\r\n%s\r\n" % (len(one), one) for one in EVENTS))
    await writer.drain()
    await asyncio.sleep(0.1)
    writer.close()


async def read(after_seconds):
    """What is read of it, beginning so long after the header."""
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = "http://127.0.0.1:%d/" % server.sockets[0].getsockname()[1]
    got = b""
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        await asyncio.sleep(after_seconds)
        try:
            async for piece in answer.content.iter_any():
                got += piece
        except aiohttp.ClientPayloadError:
            pass
    server.close()
    return got


at_once, later = asyncio.run(read(0)), asyncio.run(read(0.5))
print(f"aiohttp {aiohttp.__version__}: at once {len(at_once)} bytes, later {len(later)} bytes")
assert at_once == b"".join(EVENTS)
assert later == b""
PY
