"""API keys for tests: made in this process, or over the API of a running server."""

from typing import Any

import httpx

from lib.keys import store
from lib.keys.key import Key, NewKey
from tests.support.server import Server

UNKNOWN = "berth-" + "a" * 52  # of the right shape, and nobody's


def make(name: str = "laptop", **limits: Any) -> tuple[Key, str]:
    """A key of this process's own store, and its secret."""
    return store.create(NewKey(name=name, **limits))


def made(server: Server, name: str, **limits: Any) -> tuple[str, str]:
    """Id and secret of a key that the server has made."""
    answer = httpx.post(f"{server.url}/api/keys", json={"name": name, **limits}, headers=server.key)
    assert answer.status_code == 201, answer.text
    return answer.json()["key"]["id"], answer.json()["secret"]


def changed(server: Server, key_id: str, **fields: Any) -> httpx.Response:
    """What the owner changes of it."""
    url = f"{server.url}/api/keys/{key_id}"
    return httpx.patch(url, json=fields, headers=server.key)


def listed(server: Server, key_id: str) -> dict[str, Any]:
    """The key as the owner sees it."""
    answer = httpx.get(f"{server.url}/api/keys", headers=server.key)
    [found] = [key for key in answer.json()["keys"] if key["id"] == key_id]
    return dict(found)


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


def x_api_key(secret: str) -> dict[str, str]:
    return {"x-api-key": secret}
