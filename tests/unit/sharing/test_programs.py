"""Programs at the gate: with a key they get in to /v1 from everywhere, and nowhere else."""

import os
from typing import Any

import pytest

from lib.core import owner_key
from lib.core.access import Role
from lib.keys import store
from lib.keys.key import KeyChange
from lib.sharing import guests, programs
from lib.sharing.gate import LISTENER
from lib.sharing.programs import TRIES
from tests.support.gate import HOST, JSON, LAN, Header, Visit, visit
from tests.support.keys import UNKNOWN, make

MODELS = "/v1/models"
DUMMIES = ["sk-no-key-required", "not-needed", "dummy", "x" * 300, "berthold"]


@pytest.fixture(autouse=True)
def nobody_has_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    for rate in (programs._tries, programs._shown):
        monkeypatch.setattr(rate, "_times", {})
    monkeypatch.setattr(programs, "_met", {})


def bearer(secret: str) -> Header:
    return ("Authorization", f"Bearer {secret}")


def x_api_key(secret: str) -> Header:
    return ("X-Api-Key", secret)


def far(*headers: Header, peer: str = "192.168.1.7", path: str = MODELS, **more: Any) -> Visit:
    return visit(("Host", LAN), *headers, peer=peer, path=path, **{LISTENER: LAN}, **more)


def near(*headers: Header, path: str = MODELS, **more: Any) -> Visit:
    return visit(HOST, *headers, path=path, **more)


def header(seen: Visit, name: str) -> str:
    return str(dict(seen.sent[0]["headers"]).get(name.encode(), b""), "ascii")


@pytest.mark.parametrize("sent", [bearer, x_api_key])
@pytest.mark.parametrize("where", [far, near])
def test_a_key_makes_a_program_of_whoever_sends_it(sent: Any, where: Any) -> None:
    key, secret = make()
    seen = where(sent(secret))
    assert seen.actors == [(Role.PROGRAM, key.id)]
    assert (b"x-berth-role", b"program") in seen.inner_headers


def test_how_the_header_is_written_does_not_matter() -> None:
    _, secret = make()
    for name, value in (
        ("authorization", f"bearer  {secret}"),
        ("AUTHORIZATION", f" Bearer {secret} "),
        ("x-API-key", f" {secret} "),
    ):
        assert len(far((name, value)).actors) == 1


def test_the_one_that_is_ours_counts_where_two_were_sent() -> None:
    key, secret = make()
    for pair in ((bearer("dummy"), x_api_key(secret)), (bearer(secret), x_api_key("dummy"))):
        assert [actor.who for actor in far(*pair).actors] == [key.id]


@pytest.mark.parametrize(
    "path", ["/", "/api/models", "/api/keys", "/api/health", "/v1x", "/Chat", "/_stcore/health"]
)
def test_a_key_opens_nothing_else_from_other_machines(path: str) -> None:
    _, secret = make()
    seen = far(bearer(secret), path=path)
    assert (seen.app_saw, len(seen.lobby_saw)) == ([], 1)


def test_a_key_opens_no_websocket() -> None:
    _, secret = make()
    seen = far(bearer(secret), ("Origin", f"http://{LAN}"), kind="websocket")
    assert (seen.app_saw, seen.lobby_saw) == ([], [])
    assert seen.sent[0]["type"] == "websocket.close"


def test_a_guests_cookie_opens_no_model() -> None:
    cookie = guests.sign_in(guests.access_code(), "192.168.1.7")
    seen = far(("Cookie", f"{guests.COOKIE}={cookie}"))
    assert (seen.status, seen.code, seen.app_saw) == (401, "api_key_needed", [])
    seen = far(("Cookie", f"{guests.COOKIE}={cookie}"), bearer(UNKNOWN))
    assert (seen.status, seen.code, seen.app_saw) == (401, "invalid_api_key", [])


def test_the_owners_own_key_opens_nothing_from_other_machines() -> None:
    owner_key.choose(True)
    [sent] = owner_key.authorization().items()
    assert (far(sent).status, far(sent).code) == (401, "invalid_api_key")


@pytest.mark.parametrize("name", ["Authorization", "X-Api-Key", "Cookie"])
def test_another_machine_without_a_key_is_told_where_to_get_one(name: str) -> None:
    make()
    seen = far((name, "")) if name != "Cookie" else far()
    assert (seen.status, seen.code) == (401, "api_key_needed")
    assert header(seen, "www-authenticate") == "Bearer"
    assert b"makes one on the Connect page" in seen.sent[1]["body"]


@pytest.mark.parametrize("sent", ["Basic YTpi", "Bearer", "Bearer ", "Token x"])
def test_what_is_no_bearers_header_is_no_key(sent: str) -> None:
    assert far(("Authorization", sent)).code == "api_key_needed"


@pytest.mark.parametrize("dummy", DUMMIES)
def test_on_this_machine_a_dummy_is_as_good_as_none(dummy: str) -> None:
    make()
    for seen in (near(), near(bearer(dummy)), near(x_api_key(dummy))):
        assert [actor.role for actor in seen.actors] == [Role.OWNER]


@pytest.mark.parametrize("wrong", [UNKNOWN, "berth-", "berth-nope", "berth-" + "x" * 400])
def test_on_this_machine_what_is_sent_as_one_of_our_keys_has_to_be_one(wrong: str) -> None:
    seen = near(bearer(wrong))
    assert (seen.status, seen.code) == (401, "invalid_api_key")
    assert b"mistyped, or deleted" in seen.sent[1]["body"]


@pytest.mark.parametrize("where", [far, near])
def test_a_disabled_an_expired_and_a_deleted_key_are_told_so(
    where: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, secret = make()
    store.change(key.id, KeyChange(is_disabled=True))
    seen = where(bearer(secret))
    assert (seen.status, seen.code) == (401, "api_key_disabled")
    store.delete(key.id)
    assert where(bearer(secret)).code == "invalid_api_key"
    key, secret = make(expires_at=4_000_000_000.0)
    assert where(bearer(secret)).actors
    monkeypatch.setattr("lib.keys.key.time.time", lambda: 4_000_000_000.0)
    assert (where(bearer(secret)).status, where(bearer(secret)).code) == (401, "api_key_expired")


def test_where_the_owner_wants_it_a_program_on_this_machine_needs_a_key() -> None:
    key, secret = make()
    owner_key.choose_for_programs(True)
    for sent in ([], [bearer("dummy")], [x_api_key("not-needed")]):
        seen = near(*sent)
        assert (seen.status, seen.code) == (401, "api_key_needed")
        assert b"asks programs on this machine" in seen.sent[1]["body"]
    assert near(bearer(secret)).actors == [(Role.PROGRAM, key.id)]
    assert near(path="/api/models").actors[0].role == Role.OWNER  # of the pages nothing is asked
    owner_key.choose_for_programs(False)
    assert near().actors[0].role == Role.OWNER


def test_berths_own_programs_send_the_owners_key_there() -> None:
    assert owner_key.authorization() == {}
    owner_key.choose_for_programs(True)
    [sent] = owner_key.authorization().items()
    assert near(sent).actors[0].role == Role.OWNER


def test_where_the_owners_key_is_asked_for_a_programs_opens_the_models_alone() -> None:
    key, secret = make()
    owner_key.choose(True)
    assert near(bearer(secret)).actors == [(Role.PROGRAM, key.id)]
    assert near().code == "key_needed"
    assert near(bearer(secret), path="/api/models").code == "key_needed"


def test_with_a_key_another_user_of_this_machine_reaches_the_models_alone() -> None:
    key, secret = make()
    other = os.geteuid() + 1
    assert near(bearer(secret), user=other).actors == [(Role.PROGRAM, key.id)]
    assert near(user=other).code == "other_user"
    assert near(bearer(secret), path="/api/models", user=other).code == "other_user"


@pytest.mark.parametrize(
    "headers",
    [
        [("Origin", "http://evil.example"), JSON],
        [("Sec-Fetch-Site", "cross-site"), JSON],
        [("Content-Type", "text/plain")],
        [("X-Forwarded-For", "127.0.0.1"), JSON],
    ],
)
@pytest.mark.parametrize("where", [far, near])
def test_a_key_does_not_open_what_a_foreign_page_may_not(where: Any, headers: list[Header]) -> None:
    _, secret = make()
    path = "/v1/chat/completions"
    seen = where(bearer(secret), *headers, method="POST", path=path)
    assert (seen.status in (401, 403), seen.app_saw) == (True, [])


def test_a_key_does_not_open_a_foreign_name() -> None:
    _, secret = make()
    assert visit(("Host", "evil.example"), bearer(secret), path=MODELS).status == 421


@pytest.mark.parametrize("name", ["key", "api_key", "access_token", "x"])
@pytest.mark.parametrize("where", [far, near])
def test_a_key_in_an_address_is_refused_and_named_as_known(where: Any, name: str) -> None:
    _, secret = make()
    for headers in ([], [bearer(secret)]):
        seen = where(*headers, query=f"a=b&{name}={secret}")
        assert (seen.status, seen.code, seen.app_saw) == (400, "key_in_address", [])
    assert secret.encode() not in seen.sent[1]["body"]


def test_a_key_in_an_address_lets_nobody_in_however_it_is_written() -> None:
    _, secret = make()
    encoded = "".join(f"%{ord(one):02x}" for one in secret)
    assert far(query=f"api_key={encoded}").code == "api_key_needed"
    assert far(path=f"/v1/models/{secret}").code == "api_key_needed"


def guess(times: int, peer: str = "192.168.1.7") -> list[int]:
    return [far(bearer(f"berth-{number}"), peer=peer).status for number in range(times)]


def test_whoever_guesses_is_told_nothing_more_for_a_minute() -> None:
    _, secret = make()
    assert guess(TRIES + 3) == [401] * TRIES + [429] * 3
    seen = far(bearer(secret))
    assert (seen.status, seen.code, seen.app_saw) == (429, "too_many_wrong_keys", [])
    assert header(seen, "retry-after") == "60"


def test_guesses_keep_out_no_key_of_another_address_or_that_was_right_before() -> None:
    _, secret = make()
    assert far(bearer(secret)).actors
    guess(TRIES + 1)
    assert far(bearer(secret)).actors
    assert far(bearer(secret), peer="192.168.1.8").actors
    assert near(bearer(secret)).actors


def test_guesses_on_this_machine_keep_out_no_right_key() -> None:
    _, secret = make()
    told = [near(bearer(f"berth-{number}")).status for number in range(TRIES + 1)]
    assert told == [401] * TRIES + [429]
    assert near(bearer(secret)).actors
    assert near(bearer("dummy")).actors


def test_the_minute_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    _, secret = make()
    guess(TRIES + 1)
    programs._tries._forget(1e12)
    assert far(bearer(secret)).actors


def test_all_addresses_of_one_ipv6_network_are_one() -> None:
    for number in range(TRIES):
        far(bearer("berth-x"), peer=f"2001:db8:1:2::{number + 1:x}")
    assert far(bearer("berth-x"), peer="2001:db8:1:2:ffff::1").status == 429
    assert far(bearer("berth-x"), peer="2001:db8:1:3::1").status == 401


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("192.168.1.7", "192.168.1.7"),
        ("::ffff:192.168.1.7", "192.168.1.7"),
        ("fe80::1%eth0", "fe80::/64"),
        ("2001:db8::5", "2001:db8::/64"),
        ("", ""),
        ("unix", "unix"),
    ],
)
def test_where_somebody_is(address: str, place: str) -> None:
    assert programs.neighbourhood(address) == place


def test_the_owner_sees_how_often_a_wrong_key_was_sent() -> None:
    guess(2)
    guess(1, "192.168.1.9")
    assert programs.wrong_keys() == {"192.168.1.7": 2, "192.168.1.9": 1}


def test_nothing_of_a_wrong_key_stands_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    far(bearer(UNKNOWN), peer="192.168.1.7\r\nforged")
    assert UNKNOWN not in caplog.text
    assert "A wrong API key was sent from 192.168.1.7" in caplog.text
    assert len(caplog.text.splitlines()) == 1


def test_keys_that_cannot_be_read_are_no_wrong_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "_copy", store._copy._replace(problem="database is locked"))
    monkeypatch.setattr(store, "is_fresh", lambda: True)
    seen = far(bearer(UNKNOWN))
    assert (seen.status, seen.code) == (503, "keys_unreadable")
