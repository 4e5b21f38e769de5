"""Ollama's library as far as Berth asks it: manifests by name, and the files they name."""

import hashlib
import json
import re

from tests.support.fake_hub import FakeHub, Handler


class OllamaLibrary(FakeHub):
    """The registry; models may be added while it runs."""

    def __init__(self) -> None:
        super().__init__()
        self.blobs: dict[str, bytes] = {}
        self.manifests: dict[str, bytes] = {}
        self.routes[:0] = [
            (re.compile(r"/v2/library/([^/]+/manifests/[^/]+)"), self._manifest),
            (re.compile(r"/v2/library/[^/]+/blobs/(sha256:[0-9a-f]{64})"), self._blob),
        ]

    def add_model(self, name: str, data: bytes) -> None:
        """A model of this name and tag."""
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        kinds = {"model": len(data), "template": 120}
        layers = [
            {"mediaType": f"application/vnd.ollama.image.{kind}", "digest": digest, "size": size}
            for kind, size in kinds.items()
        ]
        self.blobs[digest] = data
        self.manifests[name.replace(":", "/manifests/")] = json.dumps({"layers": layers}).encode()

    def _manifest(self, handler: Handler, match: re.Match[str]) -> None:
        body = self.manifests.get(match[1])
        handler.reply(200 if body else 404, body or b'{"errors":[{"code":"MANIFEST_UNKNOWN"}]}')

    def _blob(self, handler: Handler, match: re.Match[str]) -> None:
        handler.reply(200, self.blobs[match[1]])
