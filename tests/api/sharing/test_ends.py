"""Sharing over the owner's API: it begins, goes on after a restart, and ends by itself."""

import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import ConnectionClosed

from tests.support.guests import guests_url, lan_address, lay_sharing, login, signed_in, websocket
from tests.support.server import Server, running_server
from tests.support.waiting import until


def lay_closed(home: Path) -> None:
    """A home where nothing is shared, and an address was chosen before."""
    lay_sharing(home)
    chosen = home / "settings.toml"
    chosen.write_text(chosen.read_text().replace("share_at_start = true", ""))


def begin(server: Server, **wanted: str) -> dict[str, object]:
    answer = httpx.post(f"{server.url}/api/sharing", json=wanted, timeout=30)
    assert answer.status_code == 200, answer.text
    told: dict[str, object] = answer.json()
    return told


def told(server: Server) -> dict[str, object]:
    answer: dict[str, object] = httpx.get(f"{server.url}/api/sharing").json()
    return answer


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("berth")
    lay_closed(home)
    with running_server(home) as server:
        yield server


def test_it_begins_and_ends_by_a_program_of_the_owners(home: Path) -> None:
    lay_closed(home)
    with running_server(home) as server:
        assert told(server)["is_shared"] is False
        found = begin(server, lasting="1h")
        assert found["url"] == guests_url(server)
        assert 3_500 < float(str(found["until"])) - time.time() <= 3_600
        assert login(str(found["url"]), str(found["code"])).status_code == 200
        again = httpx.post(f"{server.url}/api/sharing", json={})
        assert (again.status_code, again.json()["error"]["code"]) == (409, "conflict")
        assert httpx.delete(f"{server.url}/api/sharing").json()["is_shared"] is False
        assert not (home / "sharing.json").exists()


@pytest.mark.parametrize(
    ("wanted", "status"),
    [
        ({"address": "0.0.0.0"}, 422),
        ({"address": "192.0.2.254"}, 422),
        ({"address": "fe80::1"}, 422),
        ({"address": "x" * 65}, 422),
        ({"lasting": "2h"}, 422),
        ({"lasting": 1}, 422),
        ({"other": 1}, 422),
        ([], 422),
    ],
)
def test_what_cannot_be_shared_is_refused(closed: Server, wanted: object, status: int) -> None:
    answer = httpx.post(f"{closed.url}/api/sharing", json=wanted)
    assert answer.status_code == status, answer.text
    assert told(closed)["is_shared"] is False


def test_guests_and_foreign_pages_cannot_share(home: Path) -> None:
    lay_sharing(home)
    with running_server(home) as server:
        url = guests_url(server)
        cookie = {"Cookie": signed_in(url)}
        for method, path in (
            ("GET", "/api/sharing"),
            ("POST", "/api/sharing"),
            ("DELETE", "/api/sharing"),
            ("DELETE", f"/api/sharing/guests/{'a' * 32}"),
        ):
            kind = {"Content-Type": "application/json", "Origin": url}
            answer = httpx.request(method, url + path, headers={**cookie, **kind}, content=b"{}")
            assert answer.status_code == 403
        evil = {"Origin": "http://evil.example", "Content-Type": "application/json"}
        answer = httpx.post(f"{server.url}/api/sharing", headers=evil, content=b"{}")
        assert answer.status_code == 403
        assert httpx.post(f"{server.url}/api/logout", json={}).status_code == 422


def test_a_restart_goes_on_with_it_until_its_end(home: Path) -> None:
    lay_closed(home)
    with running_server(home) as server:
        until_before = begin(server, lasting="8h")["until"]
        cookie = signed_in(guests_url(server), str(told(server)["code"]), "Ada")
        assert server.stop(signal.SIGKILL) == -9
    with running_server(home) as server:
        url = guests_url(server)
        assert told(server)["until"] == until_before
        answer = httpx.get(f"{url}/api/health", headers={"Cookie": cookie})
        assert answer.status_code == 200
        names = [one["name"] for one in httpx.get(f"{server.url}/api/sharing").json()["guests"]]
        assert names == ["Ada"]
    (home / "sharing.json").write_text(json.dumps({"address": lan_address(), "until": 1.0}))
    with running_server(home) as server:
        assert told(server)["is_shared"] is False


def test_it_ends_by_itself_and_guests_are_told(home: Path) -> None:
    lay_closed(home)
    ends_at = time.time() + 12
    kept = {"address": lan_address(), "until": ends_at}
    (home / "sharing.json").write_text(json.dumps(kept))
    with running_server(home) as server:
        url = guests_url(server)
        cookie = signed_in(url)
        with websocket(url, "/api/guests/watch", cookie) as watching:
            with pytest.raises(ConnectionClosed) as ended:
                watching.recv(timeout=30)
            assert ended.value.rcvd is not None
            assert ended.value.rcvd.code == 1008
        assert time.time() >= ends_at
        assert "has stopped sharing" in httpx.get(url).text
        until(lambda: told(server)["is_shared"] is False, "the end")
        assert "its time was over" in str(told(server)["problem"])
        assert not (home / "sharing.json").exists()
        begin(server)
        answer = httpx.get(f"{guests_url(server)}/api/health", headers={"Cookie": cookie})
        assert answer.status_code == 401


def test_a_guest_is_named_and_signed_out(home: Path) -> None:
    lay_sharing(home)
    with running_server(home) as server:
        url = guests_url(server)
        wild = "<img src=x>\n\x00**Bob**"
        cookies = [signed_in(url, name=name) for name in ("Ada", wild, "Ada")]
        found = httpx.get(f"{server.url}/api/sharing").json()["guests"]
        assert [one["name"] for one in found] == ["Ada 2", "<img src=x> **Bob**", "Ada"]
        assert {one["address"] for one in found} <= {"127.0.0.1", lan_address()}
        with websocket(url, "/api/guests/watch", cookies[0]) as leaving:
            place = f"{server.url}/api/sharing/guests/{found[2]['id']}"
            assert len(httpx.delete(place).json()["guests"]) == 2
            with pytest.raises(ConnectionClosed):
                leaving.recv(timeout=10)
        assert httpx.delete(place).status_code == 404
        alive = [httpx.get(f"{url}/api/health", headers={"Cookie": one}) for one in cookies]
        assert [one.status_code for one in alive] == [401, 200, 200]
        assert "Bob" not in server.output


def test_a_name_that_is_no_text_is_refused(home: Path) -> None:
    lay_sharing(home)
    with running_server(home) as server:
        url = guests_url(server)
        for name in (1, None, ["a"], "a" * 201):
            told_name = {"code": "abcd-efgh", "name": name}
            answer = httpx.post(f"{url}/api/login", json=told_name, headers={"Origin": url})
            assert (answer.status_code, answer.headers.get("set-cookie")) == (422, None)
