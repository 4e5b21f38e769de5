"""Look-ups on the Hugging Face Hub: what a repository holds, which ones there are, what files say.

The Hub's own client waits a rate limit out in the caller's thread and lists without a time-out,
which a page cannot do; so these are plain requests through core/http.py, and tests hold the fake
they run against to the official client.
"""

from lib.hub.cards import Card, Found, RepoFile
from lib.hub.checkpoints import (
    HubCheckpoint,
    LocalCheckpoint,
    checkpoint,
    checkpoint_of,
    local_checkpoint,
)
from lib.hub.headers import beginning, header
from lib.hub.inventory import Contents, contents
from lib.hub.lookups import gguf_repositories, look_up, search
from lib.hub.reference import Reference, parse_reference
from lib.hub.token import (
    TokenOrigin,
    forget_token,
    has_login,
    save_token,
    token_origin,
    use_login,
)

__all__ = [
    "Card",
    "Contents",
    "Found",
    "HubCheckpoint",
    "LocalCheckpoint",
    "Reference",
    "RepoFile",
    "TokenOrigin",
    "beginning",
    "checkpoint",
    "checkpoint_of",
    "contents",
    "forget_token",
    "gguf_repositories",
    "has_login",
    "header",
    "local_checkpoint",
    "look_up",
    "parse_reference",
    "save_token",
    "search",
    "token_origin",
    "use_login",
]
