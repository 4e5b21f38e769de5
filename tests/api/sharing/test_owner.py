"""Who may do what from where on one machine: a real server, other users' programs, forwarders."""

import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import InvalidStatus

from lib.core import owner_key
from tests.support.guests import shared_server, signed_in
from tests.support.other_user import NOBODY, forwarder, hit_and_run
from tests.support.server import Server, running_server
from tests.support.session import opened
from tests.support.tiny_gguf import write_tiny

JSON = {"Content-Type": "application/json"}
PROXY = "X-Forwarded-For: 203.0.113.7"
ME = None


class Place:
    """A shared server, and what proves the owner and a guest to it."""

    def __init__(self, server: Server, url: str) -> None:
        self.server, self.url = server, url
        self.guest = signed_in(url)

    def asked(self, port: int, proof: dict[str, str]) -> tuple[int, int, int]:
        """The statuses of a look at the owner's own, of the gateway, and of a removal.

        Each by a connection of its own: a forwarder puts its header into the first request.
        """
        base, headers = f"http://127.0.0.1:{port}", {**proof, **JSON}
        looks = [httpx.get(base + path, headers=headers) for path in ("/api/deploy", "/v1/models")]
        removal = httpx.delete(f"{base}/api/models/no-such-model", headers=headers)
        return looks[0].status_code, looks[1].status_code, removal.status_code


OWNER, NOBODY_KNOWN = (200, 200, 404), (401, 401, 401)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    home = tmp_path_factory.mktemp("berth")
    write_tiny(home / "models" / "asleep.gguf")
    with shared_server(home) as (server, url):
        yield Place(server, url)


@pytest.fixture
def proofs(place: Place, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, dict[str, str]]]:
    """Berth asks for its key; what may be sent as one."""
    monkeypatch.setenv("BERTH_HOME", str(place.server.home))
    owner_key.choose(True)
    yield {
        "nothing": {},
        "key": owner_key.authorization(),
        "wrong key": {"Authorization": "Bearer " + "x" * 43},
        "cookie": {"Cookie": "=".join(owner_key.cookie(os.geteuid()))},
        "its cookie": {"Cookie": "=".join(owner_key.cookie(NOBODY))},
        "guest": {"Cookie": place.guest},
    }
    owner_key.choose(False)


@pytest.mark.parametrize(
    ("user", "header", "expected"),
    [
        (ME, "", OWNER),  # one's own ssh -L
        (ME, PROXY, NOBODY_KNOWN),
        (NOBODY, "", NOBODY_KNOWN),  # a plain proxy_pass, a container's forwarder
        (NOBODY, PROXY, NOBODY_KNOWN),
        (NOBODY, "X-Berth-Role: owner", NOBODY_KNOWN),
    ],
)
def test_without_a_key_a_forwarder_is_the_owner_as_the_owners_user_alone(
    place: Place, user: int | None, header: str, expected: tuple[int, int, int]
) -> None:
    with forwarder(place.server.port, header, user) as port:
        assert place.asked(port, {}) == expected


def test_the_owners_own_programs_need_nothing(place: Place) -> None:
    assert place.asked(place.server.port, {}) == OWNER
    assert place.asked(place.server.port, {"Authorization": "Bearer any"}) == OWNER


def test_another_user_is_told_what_can_be_done(place: Place) -> None:
    with forwarder(place.server.port) as port:
        told = httpx.get(f"http://127.0.0.1:{port}/api/health").json()["error"]
    assert told["code"] == "other_user"
    assert "Run the program as " in told["fix"]
    assert "ask for its key (System, Sharing;" in told["fix"]


def test_another_user_opens_no_websocket(place: Place) -> None:
    with forwarder(place.server.port) as port:
        url = f"http://127.0.0.1:{port}"
        with pytest.raises(InvalidStatus, match="403"), opened(place.server, url=url):
            pass
    with (
        forwarder(place.server.port, user=ME) as port,
        opened(place.server, url=f"http://127.0.0.1:{port}") as tab,
    ):
        tab.run()


@pytest.mark.parametrize("is_reset", [False, True], ids=["closed", "reset"])
def test_another_user_who_sends_and_is_gone_has_done_nothing(place: Place, is_reset: bool) -> None:
    request = f"DELETE /api/models/asleep HTTP/1.1\r\nHost: 127.0.0.1:{place.server.port}\r\n\r\n"
    for _ in range(20):
        hit_and_run(place.server.port, request.encode(), is_reset)
    assert httpx.get(f"{place.server.url}/api/models/asleep").status_code == 200


@pytest.mark.parametrize(
    ("user", "header", "proof", "expected"),
    [
        (ME, "", "nothing", NOBODY_KNOWN),
        (ME, "", "key", OWNER),
        (ME, "", "wrong key", NOBODY_KNOWN),
        (ME, "", "cookie", OWNER),
        (ME, "", "guest", NOBODY_KNOWN),
        (ME, PROXY, "key", NOBODY_KNOWN),
        (NOBODY, "", "nothing", NOBODY_KNOWN),
        (NOBODY, "", "key", OWNER),
        (NOBODY, "", "cookie", NOBODY_KNOWN),
        (NOBODY, "", "its cookie", OWNER),
        (ME, "", "its cookie", NOBODY_KNOWN),
        (NOBODY, PROXY, "its cookie", NOBODY_KNOWN),
        (NOBODY, PROXY, "key", NOBODY_KNOWN),
    ],
)
def test_with_the_key_asked_for_it_alone_decides(
    place: Place,
    proofs: dict[str, dict[str, str]],
    user: int | None,
    header: str,
    proof: str,
    expected: tuple[int, int, int],
) -> None:
    with forwarder(place.server.port, header, user) as port:
        assert place.asked(port, proofs[proof]) == expected


def test_the_key_counts_for_nothing_where_guests_come_in(
    place: Place, proofs: dict[str, dict[str, str]]
) -> None:
    for proof in ("key", "cookie"):
        assert httpx.get(f"{place.url}/api/deploy", headers=proofs[proof]).status_code == 401
    assert httpx.get(f"{place.url}/api/health", headers=proofs["guest"]).status_code == 200
    assert httpx.get(f"{place.url}/api/deploy", headers=proofs["guest"]).status_code == 403


@pytest.mark.parametrize("user", [ME, NOBODY])
def test_a_browser_comes_in_by_the_link(
    place: Place, proofs: dict[str, dict[str, str]], user: int | None
) -> None:
    with forwarder(place.server.port, user=user) as port:
        _come_in(place, f"http://127.0.0.1:{port}")


def _come_in(place: Place, url: str) -> None:
    with httpx.Client(follow_redirects=True) as browser:
        assert browser.get(url).status_code == 401
        page = browser.get(owner_key.link(url))
        assert (page.status_code, str(page.url)) == (200, f"{url}/")
        cookie = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
        with opened(place.server, cookie, url=url) as tab:
            tab.run("System")
            assert any("Only who has the key gets in" in text for text in tab.texts)


def test_the_page_says_that_the_system_tells_users_apart(place: Place) -> None:
    with opened(place.server) as tab:
        tab.run("System")
        assert any("Only programs of the user " in text for text in tab.texts)


def test_neither_key_nor_link_is_in_what_the_server_prints(home: Path) -> None:
    owner_key.choose(True)
    key = (home / "owner.key").read_text().strip()
    with running_server(home) as server:
        assert httpx.get(owner_key.link(server.url)).status_code == 303
        assert "Berth is ready" in server.output
        assert key not in server.output
