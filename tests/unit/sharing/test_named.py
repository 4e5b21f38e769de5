"""Hosts and origins that the owner names for /v1."""

import pytest
from starlette.datastructures import Headers
from starlette.types import Scope

from lib.core.errors import BadInput
from lib.core.preferences import preferences
from lib.sharing import named

V1: Scope = {"type": "http", "path": "/v1/models"}


def test_names_are_kept_small_once_and_in_order() -> None:
    named.save([" Host.Docker.Internal ", "", "nas", "nas"], ["app://Obsidian.md"])
    assert preferences().v1_hosts == ["host.docker.internal", "nas"]
    assert preferences().v1_origins == ["app://obsidian.md"]


@pytest.mark.parametrize(
    "host", ["http://nas", "nas:8501", "a b", "*", "nas/", "-nas", "a" * 300, "nas\nevil", "ä"]
)
def test_what_is_no_host_is_refused(host: str) -> None:
    with pytest.raises(BadInput, match="no host name"):
        named.save([host], [])


@pytest.mark.parametrize(
    "origin", ["obsidian.md", "https://a.example/path", "https://", "javascript:x", "a b://c"]
)
def test_what_is_no_origin_is_refused(origin: str) -> None:
    with pytest.raises(BadInput, match="no origin"):
        named.save([], [origin])


@pytest.mark.parametrize("origin", ["*", "null", "NULL"])
def test_an_origin_that_every_website_can_have_is_refused(origin: str) -> None:
    with pytest.raises(BadInput, match="every website"):
        named.save([], [origin])


def test_more_than_a_few_are_refused_and_the_old_ones_stay() -> None:
    named.save(["nas"], [])
    with pytest.raises(BadInput, match="more than 16"):
        named.save([f"h{number}" for number in range(17)], [])
    assert preferences().v1_hosts == ["nas"]


@pytest.mark.parametrize("path", ["/", "/api/system", "/v1x/models", "/_stcore/stream"])
def test_a_name_opens_nothing_but_the_models(path: str) -> None:
    named.save(["nas"], ["app://x"])
    scope: Scope = {"type": "http", "path": path}
    assert not named.is_host(scope, ["nas"])
    assert named.origin(scope, Headers({"origin": "app://x"})) == ""
    assert named.is_host(V1, ["nas:8501"]) and not named.is_host(V1, ["nas", "nas"])
    assert named.origin(V1, Headers({"origin": "app://x"})) == "app://x"


def test_two_origins_are_none() -> None:
    named.save([], ["app://x"])
    two = Headers(raw=[(b"origin", b"app://x"), (b"origin", b"http://evil.example")])
    assert named.origin(V1, two) == ""
