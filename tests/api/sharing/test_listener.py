"""Sharing begins and ends, and so does what guests have open."""

import json
import re
import time
from pathlib import Path

import httpx
import pytest
from itsdangerous import TimestampSigner, URLSafeTimedSerializer
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection

from lib.sharing.guests import LOGIN_SECONDS
from tests.support.guests import guests_url, lay_sharing, login, shared_server, signed_in, websocket
from tests.support.server import running_server
from tests.support.session import Session, opened
from tests.support.waiting import until


def test_a_new_code_ends_what_guests_have_open(home: Path) -> None:
    with shared_server(home) as (server, url):
        cookie = signed_in(url)
        with opened(server) as owner, _watching(url, cookie) as guest:
            owner.run("System")
            owner.press("New code")
            assert _closed(guest) == 1008
        assert httpx.get(f"{url}/api/health", headers={"Cookie": cookie}).status_code == 401
        assert login(url).status_code == 403
        code = json.loads((home / "guests.json").read_text())["code"]
        assert login(url, code).status_code == 200


def test_stopping_ends_every_login_and_the_listener(home: Path) -> None:
    with shared_server(home) as (server, url):
        cookie = signed_in(url)
        with opened(server) as owner, _watching(url, cookie) as guest:
            owner.run("System")
            owner.press("Stop sharing")
            assert _closed(guest) == 1008
            assert "The owner has stopped sharing" in httpx.get(url).text
            assert login(url).status_code == 401
            _wait_until_closed(url)
            assert "Share" in owner.buttons
            owner.press("Share")
            assert guests_url(server) == url
        assert httpx.get(f"{url}/api/health", headers={"Cookie": cookie}).status_code == 401
        assert login(url).status_code == 200


def test_sharing_does_not_begin_by_itself_unless_chosen(home: Path) -> None:
    lay_sharing(home)
    chosen = home / "settings.toml"
    chosen.write_text(chosen.read_text().replace("true", "false"))
    with running_server(home) as server, opened(server) as owner:
        owner.run("System")
        assert "Share" in owner.buttons
        assert "Stop sharing" not in owner.buttons


def test_the_server_ends_with_guests_connected(home: Path) -> None:
    with shared_server(home) as (server, url):
        cookie = signed_in(url)
        with _watching(url, cookie), opened(server, cookie, url=url) as tab:
            tab.run()
            assert server.stop() == -15
            assert "Traceback" not in server.output
            assert "ERROR" not in server.output


def _watching(url: str, cookie: str) -> ClientConnection:
    return websocket(url, "/api/guests/watch", cookie)


def _closed(watching: ClientConnection) -> int:
    """The code with which the server closes it."""
    with pytest.raises(ConnectionClosed) as ended:
        watching.recv(timeout=10)
    return ended.value.rcvd.code if ended.value.rcvd else 0


def _wait_until_closed(url: str) -> None:
    give_up_at = time.monotonic() + 15
    while time.monotonic() < give_up_at:
        try:
            httpx.get(url)
        except httpx.ConnectError:
            return
        except httpx.ReadError:  # it closed just now
            continue
        time.sleep(0.1)
    raise AssertionError(f"{url} still answers")


class _Earlier(TimestampSigner):
    """Signs as it would have been done almost as long ago as a login lasts."""

    def get_timestamp(self) -> int:
        return super().get_timestamp() - LOGIN_SECONDS + 4


def test_a_login_ends_its_sockets_when_it_ends(home: Path) -> None:
    with shared_server(home) as (_, url):
        signer = URLSafeTimedSerializer("0" * 64, salt="berth_guest", signer=_Earlier)
        cookie = f"berth_guest={signer.dumps('a' * 32)}"
        with _watching(url, cookie) as guest, _watching(url, signed_in(url)) as other:
            assert _closed(guest) == 1008
            with pytest.raises(TimeoutError):
                other.recv(timeout=0.1)
        assert httpx.get(f"{url}/api/health", headers={"Cookie": cookie}).status_code == 401


def test_one_guest_is_put_out_and_the_others_stay(home: Path) -> None:
    with shared_server(home) as (server, url):
        first, second = signed_in(url), signed_in(url)
        with (
            opened(server) as owner,
            _watching(url, second) as staying,
            _watching(url, first) as leaving,
        ):
            for cookie in (first, second):
                _attach(url, cookie)
            assert len(_attached(home)) == 2
            owner.run("System")
            owner.press("Put out", widget=_put_out_buttons(owner)[-1])
            assert _closed(leaving) == 1008
            until(lambda: len(_attached(home)) == 1, "the end of what nobody can send any more")
            with pytest.raises(TimeoutError):
                staying.recv(timeout=0.1)
        assert httpx.get(f"{url}/api/health", headers={"Cookie": first}).status_code == 401
        assert httpx.get(f"{url}/api/health", headers={"Cookie": second}).status_code == 200
        refused = login(url)
        assert refused.status_code == 403
        assert refused.json()["error"]["code"] == "put_out"


def _attach(url: str, cookie: str) -> None:
    place, body = f"{url}/api/attachments?c={'c' * 32}", {"name": "a.txt", "data": "eA=="}
    answer = httpx.post(place, json=body, headers={"Cookie": cookie, "Origin": url}, timeout=60)
    assert answer.status_code == 200, answer.text


def _attached(home: Path) -> list[Path]:
    """What guests have attached and not sent."""
    return list((home / "drafts" / "guests").glob("*/*/*.txt"))


def _put_out_buttons(owner: Session) -> list[str]:
    """Their ids, of the guest who came last first."""
    found = re.findall(r'id: "([^"]*sharing_out_[^"]*)"', "\n".join(owner.texts))
    return list(dict.fromkeys(found))
