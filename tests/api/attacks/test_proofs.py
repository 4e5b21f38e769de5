"""Cookies, codes and keys that somebody has forged, copied or guessed."""

import base64
import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from itsdangerous import Serializer, URLSafeSerializer, URLSafeTimedSerializer

from lib.core import owner_key
from lib.sharing.guests import TRIES
from tests.api.attacks.test_foreign_pages import SOCKETS
from tests.support.attacks import CLIENT, JSON, Place, websocket_status
from tests.support.guests import CODE, login, shared_server, signed_in
from tests.support.session import opened

KEY, LOGIN = "0" * 64, "a" * 32  # of the server that tests share


def payload(value: str) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def signed_otherwise() -> dict[str, str]:
    """Cookies as somebody could make them who knows how they are made, and not with what."""
    good = URLSafeTimedSerializer(KEY, salt="berth_guest").dumps(LOGIN)
    middle, signature = good.rsplit(".", 2)[1:]
    return {
        "another key": URLSafeTimedSerializer("1" * 64, salt="berth_guest").dumps(LOGIN),
        "no key": URLSafeTimedSerializer("", salt="berth_guest").dumps(LOGIN),
        "another salt": URLSafeTimedSerializer(KEY, salt="berth_browser").dumps(LOGIN),
        "the usual salt": URLSafeTimedSerializer(KEY).dumps(LOGIN),
        "no time": URLSafeSerializer(KEY, salt="berth_guest").dumps(LOGIN),
        "plain": str(Serializer(KEY, salt="berth_guest").dumps(LOGIN)).strip('"'),
        "another login": f"{payload('b' * 32)}.{middle}.{signature}",
        "a later time": f"{payload(LOGIN)}.fzzzzQ.{signature}",
        "no signature": f"{payload(LOGIN)}.{middle}.",
        "half a signature": good[: -len(signature) // 2],
        "no algorithm": f"{payload(LOGIN)}.{payload('none')}.",
        "the id itself": LOGIN,
        "the key itself": KEY,
        "the code": CODE,
        "nothing": "",
    }


@pytest.mark.parametrize("kind", signed_otherwise())
def test_a_forged_cookie_signs_nobody_in(place: Place, kind: str) -> None:
    cookie = f"berth_guest={signed_otherwise()[kind]}"
    assert CLIENT.get(f"{place.url}/api/health", headers={"Cookie": cookie}).status_code == 401
    shown = (f"Host: {place.host}", f"Origin: {place.url}", f"Cookie: {cookie}")
    assert [websocket_status(place.url, path, *shown) for path in SOCKETS] == [403] * 3


@pytest.mark.parametrize(
    "cookie",
    [f"berth_browser={'a' * 32}", f"berth_key_00000000={'0' * 64}", "role=owner", "who=owner"],
)
def test_the_cookies_of_an_owners_browser_are_nothing_to_the_guests_listener(
    place: Place, cookie: str
) -> None:
    for sent in (cookie, f"{cookie}; {place.cookie}"):
        answer = CLIENT.get(f"{place.url}/api/deploy", headers={"Cookie": sent})
        assert answer.status_code == (403 if place.cookie in sent else 401)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Another shared Berth, whose owner changes things."""
    with shared_server(tmp_path_factory.mktemp("berth")) as (server, url):
        yield Place(server, url)


@pytest.fixture
def with_key(own: Place, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """The same, which asks its owner for the key."""
    monkeypatch.setenv("BERTH_HOME", str(own.server.home))
    owner_key.choose(True)
    yield own
    owner_key.choose(False)


def copied(own: Place) -> str:
    """A guest's cookie that holds now."""
    key = json.loads((own.server.home / "guests.json").read_text())["key"]
    return f"berth_guest={URLSafeTimedSerializer(key, salt='berth_guest').dumps(LOGIN)}"


def test_a_copied_cookie_is_worth_nothing_once_its_guest_has_signed_out(place: Place) -> None:
    mine, other = signed_in(place.url), signed_in(place.url)
    left = CLIENT.post(f"{place.url}/api/logout", headers={**place.guest, "Cookie": mine})
    assert left.status_code == 200
    shown = (f"Host: {place.host}", f"Origin: {place.url}")
    for path in SOCKETS:
        assert websocket_status(place.url, path, *shown, f"Cookie: {mine}") == 403
        assert websocket_status(place.url, path, *shown, f"Cookie: {other}") == 101
    for path in ("/", "/api/health", "/api/models", "/_stcore/health"):
        assert CLIENT.get(place.url + path, headers={"Cookie": mine}).status_code == 401


def test_a_copied_cookie_is_worth_nothing_once_the_owner_has_ended_the_logins(own: Place) -> None:
    cookie = copied(own)
    shown = (f"Host: {own.host}", f"Origin: {own.url}", f"Cookie: {cookie}")
    assert [websocket_status(own.url, path, *shown) for path in SOCKETS] == [101] * 3
    with opened(own.server) as owner:
        owner.run("System")
        owner.press("New code")
    assert [websocket_status(own.url, path, *shown) for path in SOCKETS] == [403] * 3
    for path in ("/", "/api/health", "/api/models", "/_stcore/health"):
        assert CLIENT.get(own.url + path, headers={"Cookie": cookie}).status_code == 401


def test_a_copied_key_and_its_cookie_are_worth_nothing_once_there_is_another(
    with_key: Place,
) -> None:
    url, old = f"{with_key.server.url}/api/deploy", owner_key.authorization()
    cookie = {"Cookie": "=".join(owner_key.cookie(os.geteuid()))}
    assert [CLIENT.get(url, headers=proof).status_code for proof in (old, cookie)] == [200, 200]
    (with_key.server.home / "owner.key").unlink()
    assert [CLIENT.get(url, headers=proof).status_code for proof in (old, cookie)] == [401, 401]
    assert CLIENT.get(url, headers=owner_key.authorization()).status_code == 200


def test_what_is_nearly_the_key_is_not(with_key: Place) -> None:
    url = with_key.server.url
    key = owner_key.authorization()["Authorization"].removeprefix("Bearer ")
    for one in (key[:-1], f"{key}x", key.swapcase(), f"{key},{key}", f'"{key}"', "*", "0"):
        for header in ({"Authorization": f"Bearer {one}"}, {"X-Api-Key": one}, {"Cookie": key}):
            assert CLIENT.get(f"{url}/api/deploy", headers=header).status_code == 401
        answer = CLIENT.get(url, params={"key": one})
        assert answer.status_code == 401
        assert "set-cookie" not in answer.headers


def test_many_wrong_codes_at_once_are_no_more_tries_than_one_after_the_other(own: Place) -> None:
    def one(number: int) -> int:
        headers = {"Origin": own.url, **JSON}
        body = json.dumps({"code": f"wrong-{number:03}"}).encode()
        return CLIENT.post(f"{own.url}/api/login", content=body, headers=headers).status_code

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(one, range(32)))
    assert set(found) <= {403, 429}
    assert found.count(403) <= TRIES + 1  # two are looked at side by side
    code = json.loads((own.server.home / "guests.json").read_text())["code"]
    assert login(own.url, code).status_code == 429
    health = CLIENT.get(f"{own.url}/api/health", headers={"Cookie": copied(own)})
    assert health.status_code == 200


def test_every_login_has_a_cookie_of_its_own_that_tells_no_secret(place: Place) -> None:
    cookies = {signed_in(place.url) for _ in range(4)}
    assert len(cookies) == 4
    for cookie in cookies:
        told = URLSafeTimedSerializer("any", salt="berth_guest").loads_unsafe(cookie[12:])
        assert len(told[1][0]) == 32
        assert all(secret not in str(told) for secret in (KEY, CODE, CODE.replace("-", "")))
