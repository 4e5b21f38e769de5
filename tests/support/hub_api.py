"""The Hub's API for tests: FakeHub, which serves files, with answers, searches and refusals.

    with HubApi() as hub:
        hub.add_file("acme/Anvil-1B-GGUF", "Anvil-1B-Q4_K_M.gguf", data)
        hub.faults["acme/Anvil-1B"] = Fault(status=503)
        ... hub.url, hub.requests

The answers in tests/support/hub_answers/ have the shape of the real ones: those to
`/api/models/REPO?blobs=true`. Tokens stand for visitors: OWNER may read everything, STRANGER has
accepted no terms and sees nothing private, NARROW may not read gated files, others are refused.

As a process, until it is ended: `python -m tests.support.hub_api`, which prints its address first.
"""

import contextlib
import copy
import hashlib
import json
import re
import signal
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from tests.support.fake_hub import FakeHub, Handler, Manner

ANSWERS = Path(__file__).parent / "hub_answers"
OWNER, STRANGER, NARROW = (f"hf_{name * 5}" for name in ("owner", "stranger", "narrow"))
SEARCH = "search"  # the name in `faults` of every list
ALWAYS = ("_id", "id", "modelId")
BRIEF = (*ALWAYS, "private", "pipeline_tag", "library_name", "tags", "downloads", "likes")

Query = Mapping[str, list[str]]


@dataclass
class Fault:
    """What goes wrong instead of an answer, after a delay, or in drops with pauses between."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b"{}"
    delay_seconds: float = 0.0
    drop_seconds: float = 0.0


FAULTS = {
    "acme/limited": Fault(429, {"RateLimit": '"api";r=0;t=55', "RateLimit-Policy": '"api";q=500'}),
    "acme/slow": Fault(delay_seconds=30),
    "acme/malformed": Fault(body=b"<html>Sign in to this network</html>"),
    "acme/broken": Fault(500, {}, b'{"error":"Internal Error - we are working hard to fix this"}'),
}


class HubApi(FakeHub):
    """The server; repositories and faults may be changed while it runs."""

    def __init__(self, port: int = 0) -> None:
        super().__init__(port)
        answers = (json.loads(path.read_text("utf-8")) for path in sorted(ANSWERS.glob("*.json")))
        self.repositories: dict[str, dict[str, Any]] = {answer["id"]: answer for answer in answers}
        self.faults = dict(FAULTS)
        self.earlier: dict[tuple[str, str], dict[str, Any]] = {}  # answers by repository and commit
        self._file_page = self.routes[-1][1]
        self.routes[:0] = [
            (re.compile(r"/api/models"), self._list),
            (re.compile(r"/api/models/([^/]+/[^/]+)(?:/revision/(.+))?"), self._model),
            (re.compile(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)"), self._resolve),
        ]

    def add_file(
        self, repo: str, name: str, data: bytes, manner: Manner | None = None, size: int = 0
    ) -> None:
        """Serve the file, and let the repository's card tell its checksum and size."""
        answer = self.repositories[repo]
        sha256 = hashlib.sha256(data).hexdigest()
        lfs = {"sha256": sha256, "size": size or len(data), "pointerSize": 134}
        others = [row for row in answer["siblings"] if row["rfilename"] != name]
        row = {"rfilename": name, "blobId": sha256[:40], "size": lfs["size"], "lfs": lfs}
        answer["siblings"] = [*others, row]
        for revision in ("main", answer["sha"]):
            self.add(repo, revision, name, data, manner)

    def add_small_file(self, repo: str, name: str, data: bytes) -> None:
        """Serve a file that is not in large-file storage: the card tells no checksum of it."""
        answer = self.repositories[repo]
        others = [row for row in answer["siblings"] if row["rfilename"] != name]
        blob = hashlib.sha256(data).hexdigest()[:40]
        answer["siblings"] = [*others, {"rfilename": name, "blobId": blob, "size": len(data)}]
        for revision in ("main", answer["sha"]):
            self.add(repo, revision, name, data)

    def push(self, repo: str, sha: str, changed: str = "2026-11-01T10:00:00.000Z") -> None:
        """A new commit, whose files are added after this; the one before is kept."""
        before = self.repositories[repo]
        self.earlier[repo, before["sha"]] = copy.deepcopy(before)
        before |= {"sha": sha, "lastModified": changed}

    def copy_repository(self, source: str, target: str, **changes: Any) -> None:
        """One more repository, like another but for the changes."""
        answer = copy.deepcopy(self.repositories[source])
        self.repositories[target] = answer | {"id": target, "modelId": target} | changes

    def _list(self, handler: Handler, _: re.Match[str]) -> None:
        if self._has_failed(handler, SEARCH) or _is_refused(handler):
            return
        query = parse_qs(handler.path.partition("?")[2])
        found = sorted(_matching(self.repositories.values(), query), key=lambda a: -a["downloads"])
        limit = int(query.get("limit", ["1000"])[0])
        more = {"Link": f'<{self.url}/api/models?cursor=next>; rel="next"'}
        rows = [_row(answer, query) for answer in found[:limit]]
        _send_json(handler, rows, more if len(found) > limit else {})

    def _model(self, handler: Handler, match: re.Match[str]) -> None:
        repo, revision = match[1], match[2] or "main"
        if self._has_failed(handler, repo) or not self._may_see(handler, repo):
            return
        answer = self.earlier.get((repo, revision)) or self.repositories[repo]
        if revision not in ("main", answer["sha"]):
            _refuse(handler, 404, "RevisionNotFound", f"Invalid rev id: {revision}")
        elif "blobs" in parse_qs(handler.path.partition("?")[2]):
            _send_json(handler, answer)
        else:
            names = [{"rfilename": row["rfilename"]} for row in answer["siblings"]]
            _send_json(handler, answer | {"siblings": names})

    def _resolve(self, handler: Handler, match: re.Match[str]) -> None:
        repo, revision = match[1], match[2]
        if repo not in self.repositories:  # FakeHub alone knows it
            self._file_page(handler, match)
        elif self._has_failed(handler, repo) or not self._may_read(handler, repo):
            return
        elif revision not in ("main", self.repositories[repo]["sha"]):
            _refuse(handler, 404, "RevisionNotFound", f"Invalid rev id: {revision}")
        elif match[0] not in self.files:
            _refuse(handler, 404, "EntryNotFound", "Entry not found")
        else:
            self._file_page(handler, match)

    def _has_failed(self, handler: Handler, name: str) -> bool:
        """Serve the fault of this name, if there is one."""
        fault = self.faults.get(name)
        if fault is None:
            return False
        self.stopping.wait(fault.delay_seconds)
        if not fault.drop_seconds:
            handler.reply(fault.status, fault.body, fault.headers)
            return True
        handler.head(fault.status, {"Content-Length": str(len(fault.body))})
        with contextlib.suppress(OSError):  # who left does not hear the rest
            for at in range(len(fault.body)):
                handler.wfile.write(fault.body[at : at + 1])
                self.stopping.wait(fault.drop_seconds)
        return True

    def _may_see(self, handler: Handler, repo: str) -> bool:
        """False where a refusal was sent: the Hub gives missing and private ones the same."""
        if _is_refused(handler):
            return False
        answer = self.repositories.get(repo)
        if answer is None or (answer["private"] and _token(handler) != OWNER):
            if _token(handler):
                _refuse(handler, 404, "RepoNotFound", "Repository not found")
            else:
                _refuse(handler, 401, "RepoNotFound", "Invalid username or password.")
            return False
        if answer["disabled"]:
            _refuse(handler, 403, "", "Access to this resource is disabled.")
            return False
        return True

    def _may_read(self, handler: Handler, repo: str) -> bool:
        """The same for files, which a gated repository keeps for some."""
        if not self._may_see(handler, repo):
            return False
        token, start = _token(handler), f"Access to model {repo} is restricted"
        if not self.repositories[repo]["gated"] or token == OWNER:
            return True
        if not token:
            said = f"{start}. You must have access to it and be authenticated. Please log in."
            _refuse(handler, 401, "GatedRepo", said)
        elif token == STRANGER:
            said = f"{start} and you are not in the authorized list. Visit {self.url}/{repo}."
            _refuse(handler, 403, "GatedRepo", said)
        else:
            said = "Please enable access to public gated repositories in your fine-grained token."
            _refuse(handler, 403, "", said)
        return False


def _token(handler: Handler) -> str:
    token: str = handler.headers.get("Authorization", "").removeprefix("Bearer ")
    return token


def _is_refused(handler: Handler) -> bool:
    if _token(handler) in ("", OWNER, STRANGER, NARROW):
        return False
    _refuse(handler, 401, "", "Invalid credentials in Authorization header")
    return True


def _refuse(handler: Handler, status: int, code: str, said: str) -> None:
    headers = {"X-Error-Message": said, **({"X-Error-Code": code} if code else {})}
    _send_json(handler, {"error": said}, headers, status)


def _send_json(
    handler: Handler, value: Any, headers: Mapping[str, str] | None = None, status: int = 200
) -> None:
    kind = {"Content-Type": "application/json; charset=utf-8"}
    handler.reply(status, json.dumps(value).encode(), {**kind, **(headers or {})})


def _matching(answers: Iterable[dict[str, Any]], query: Query) -> Iterator[dict[str, Any]]:
    """Those with every tag of `filter` and every word of `search` in their name."""
    tags, words = set(query.get("filter", [])), " ".join(query.get("search", [])).lower().split()
    for answer in answers:
        is_hidden = answer["private"] or answer["disabled"]
        is_too_gated = query.get("gated") == ["false"] and answer["gated"]
        has_words = all(word in answer["id"].lower() for word in words)
        if has_words and tags <= set(answer["tags"]) and not (is_hidden or is_too_gated):
            yield answer


def _row(answer: dict[str, Any], query: Query) -> dict[str, Any]:
    """What a list shows of a repository: what `expand` names, or the little it shows of itself."""
    wanted = (*ALWAYS[:2], *query["expand"]) if "expand" in query else BRIEF
    return {name: value for name, value in answer.items() if name in wanted}


def main() -> None:
    """Serve until SIGTERM."""
    with HubApi() as hub:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        print(hub.url, flush=True)
        while True:
            time.sleep(3600)


if __name__ == "__main__":
    main()
