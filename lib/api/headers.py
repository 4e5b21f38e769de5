"""What every answer tells the browser: load, run and send nothing that is not Berth's own.

Model output may name any image or address; the policy is what keeps the browser from fetching it.
"""

import base64
import hashlib
import re

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_INLINE = re.compile(rb"<script(?: data-[a-z]+=\"[^\"]*\")*>(.*?)</script>", re.DOTALL)


def content_policy(*pages: bytes) -> str:
    """The Content-Security-Policy for these pages; their own inline scripts go by their hash.

    Components come as blobs, styles are made while the page runs; charts need no eval, because
    Streamlit interprets their expressions.
    """
    scripts = [script for page in pages for script in _INLINE.findall(page)]
    hashes = list(dict.fromkeys(f"'sha256-{_digest(script)}'" for script in scripts))
    rules = {
        "default-src": ["'self'"],
        "script-src": ["'self'", "blob:", *hashes],
        "style-src": ["'self'", "'unsafe-inline'"],
        "img-src": ["'self'", "data:", "blob:"],
        "media-src": ["'self'", "data:", "blob:"],
        "font-src": ["'self'", "data:"],
        "connect-src": ["'self'"],
        "worker-src": ["'self'", "blob:"],
        "frame-src": ["'none'"],
        "frame-ancestors": ["'none'"],
        "object-src": ["'none'"],
        "base-uri": ["'self'"],
        "form-action": ["'self'"],
    }
    return "; ".join(f"{name} {' '.join(sources)}" for name, sources in rules.items())


def _digest(script: bytes) -> str:
    return base64.b64encode(hashlib.sha256(script).digest()).decode()


class SecurityHeaders:
    """Pure ASGI: adds the headers to every answer, refusals too."""

    def __init__(self, app: ASGIApp, policy: str) -> None:
        self.app = app
        self.headers = {
            "content-security-policy": policy,
            "x-content-type-options": "nosniff",
            "referrer-policy": "no-referrer",
            "cross-origin-opener-policy": "same-origin",
            "cross-origin-resource-policy": "same-origin",
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, and add the headers when the answer starts."""

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(self.headers)
            await send(message)

        await self.app(scope, receive, sending)
