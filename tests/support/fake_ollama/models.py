"""The routes of the fake Ollama about what is on its disk."""

import hashlib
import time
from dataclasses import replace
from typing import Any

from aiohttp import web

from tests.support.fake_ollama import go
from tests.support.fake_ollama.go import Answer
from tests.support.fake_ollama.store import DIGEST, short_name
from tests.support.fake_ollama.streams import Lines, last, ndjson
from tests.support.fake_ollama.world import World


class Models:
    """List, describe, pull, create, copy, delete."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.store = world.store

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/api/tags", self.tags),
            web.post("/api/show", self.show),
            web.post("/api/pull", self.pull),
            web.post("/api/create", self.create),
            web.post("/api/copy", self.copy),
            web.delete("/api/delete", self.delete),
            web.head("/api/blobs/{digest}", self.has_blob),
            web.post("/api/blobs/{digest}", self.take_blob),
        ]

    async def tags(self, _: web.Request) -> web.Response:
        newest = sorted(self.store.entries.values(), key=lambda e: e.modified, reverse=True)
        return go.answer({"models": [entry.tag() for entry in newest]})

    async def show(self, request: web.Request) -> web.Response:
        name = (await self.world.body(request)).get("model") or ""
        if not name:
            raise Answer(400, "model is required")
        if short_name(name) is None:
            raise Answer(400, "invalid model name")
        return go.answer(self.world.found(name).shown())

    async def pull(self, request: web.Request) -> web.StreamResponse:
        body = await self.world.body(request)
        name = short_name(body.get("model") or "")
        if name is None:
            raise Answer(400, "invalid model name")
        return await progress(request, body, self.world.pulls.lines(name))

    async def create(self, request: web.Request) -> web.StreamResponse:
        body = await self.world.body(request)
        name = short_name(body.get("model") or "")
        files = body.get("files")
        if name is None:
            raise Answer(400, "invalid model name")
        if any(path.startswith(("/", "../")) for path in files or ()):
            raise Answer(400, "file path must be relative")
        if body.get("from"):
            return await progress(request, body, self._from_model(name, body))
        if files:
            return await progress(request, body, self._from_file(name, body))
        raise Answer(
            400, "neither 'from' or 'files' was specified" if files is None else "unknown type"
        )

    async def _from_file(self, name: str, body: dict[str, Any]) -> Lines:
        yield {"status": "parsing GGUF"}
        entry, trouble = self.store.entry_of_file(name, next(iter(body["files"].values())))
        if entry is None:
            yield {"error": trouble}
            return
        yield {"status": "verifying conversion"}
        others = [self.store.entry_of_file(name, d)[0] for d in list(body["files"].values())[1:]]
        if any(other and other.family == "clip" for other in others):
            entry = replace(entry, capabilities=(*entry.capabilities, "vision"))
        size = entry.size + sum(other.file_size for other in others if other)
        self.store.add(replace(entry, size=size, parameters=body.get("parameters") or {}))
        yield {"status": f"creating new layer sha256:{entry.digest}"}
        yield {"status": "writing manifest"}
        yield {"status": "success"}

    async def _from_model(self, name: str, body: dict[str, Any]) -> Lines:
        source = self.store.find(body["from"])
        if source is None:  # the real one pulls it then
            async for line in self.world.pulls.lines(short_name(body["from"]) or body["from"]):
                yield line
            return
        parameters = {**source.parameters, **(body.get("parameters") or {})}
        digest = hashlib.sha256(f"{source.digest}{parameters}".encode()).hexdigest()
        made = replace(source, name=name, digest=digest, modified=time.time())
        self.store.add(replace(made, parameters=parameters, parent=source.name))
        yield {"status": f"using existing layer {source.file_digest}"}
        yield {"status": "writing manifest"}
        yield {"status": "success"}

    async def copy(self, request: web.Request) -> web.Response:
        body = await self.world.body(request)
        for role in ("source", "destination"):
            if short_name(str(body.get(role, ""))) is None:
                raise Answer(400, f'{role} "{body.get(role, "")}" is invalid')
        source = self.store.find(body["source"])
        if source is None:
            raise Answer(404, f'model "{body["source"]}" not found')
        name = short_name(body["destination"]) or ""
        self.store.add(replace(source, name=name, modified=time.time()))
        return web.Response()

    async def delete(self, request: web.Request) -> web.Response:
        name = (await self.world.body(request)).get("model") or ""
        if not name:
            raise Answer(400, "model is required")
        if short_name(name) is None:
            raise Answer(400, f'name "{name}" is invalid')
        del self.store.entries[self.world.found(name).name.casefold()]
        return web.Response()

    async def has_blob(self, request: web.Request) -> web.Response:
        digest = checked_digest(request)
        if digest not in self.store.blobs:
            raise Answer(404, f'blob "{digest}" not found')
        return web.Response()

    async def take_blob(self, request: web.Request) -> web.Response:
        wanted = checked_digest(request)
        checksum, path = hashlib.sha256(), self.store.folder / f"blob-{time.time_ns()}"
        with path.open("wb") as file:
            async for piece in request.content.iter_chunked(1 << 20):
                checksum.update(piece)
                file.write(piece)
        got = f"sha256:{checksum.hexdigest()}"
        if got != wanted:
            raise Answer(400, f'digest mismatch, expected "{wanted}", got "{got}"')
        self.store.blobs[got] = path
        return web.Response(status=201)


def checked_digest(request: web.Request) -> str:
    digest = request.match_info["digest"]
    if not DIGEST.fullmatch(digest):
        raise Answer(400, "invalid digest format")
    return digest


async def progress(request: web.Request, body: dict[str, Any], lines: Lines) -> web.StreamResponse:
    """A pull or creation, streamed unless the request says no."""
    if body.get("stream", True):
        return await ndjson(request, lines)
    return await last(lines)
