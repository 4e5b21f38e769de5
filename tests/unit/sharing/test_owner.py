"""Who the owner is, of those on this machine: by the connection's user, or by the key."""

import os
import stat
from pathlib import Path

import pytest

from lib.core import owner_key
from lib.core.access import Role, acting
from lib.core.errors import Conflict, Forbidden
from lib.core.redact import known_secrets
from lib.machine.peer_user import GONE
from lib.sharing import owner
from lib.sharing.gate import LISTENER
from lib.sharing.owner import Guard
from tests.support.gate import HOST, LAN, Header, visit

OTHER = os.geteuid() + 1


def _bearer() -> Header:
    return ("Authorization", owner_key.authorization()["Authorization"])


def _cookie(user: int | None = os.geteuid()) -> Header:
    others = f"{owner_key.COOKIE}{'0' * 8}={'0' * 64}"  # another Berth's, on another port
    return ("Cookie", f"a=b; {others}; {'='.join(owner_key.cookie(user))}; c=d")


@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_a_connection_of_another_user_is_refused_in_words(kind: str) -> None:
    seen = visit(HOST, user=OTHER, kind=kind)
    assert seen.app_saw == []
    if kind == "http":
        assert (seen.status, seen.code) == (401, "other_user")


def test_nobody_at_the_other_end_is_refused_too() -> None:
    assert (visit(HOST, user=GONE).status, visit(HOST, user=GONE).code) == (401, "other_user")


def test_where_the_system_does_not_tell_this_machine_is_the_owners() -> None:
    assert visit(HOST, user=None).actors[0].role == Role.OWNER


def test_who_looks_at_pages_is_told_in_a_page() -> None:
    seen = visit(HOST, ("Accept", "text/html,*/*;q=0.8"), user=OTHER)
    assert b"<p>This connection is the user " in seen.sent[1]["body"]


def test_a_guest_may_be_any_user_of_this_machine() -> None:
    seen = visit(("Host", LAN), user=OTHER, **{LISTENER: LAN})
    assert len(seen.lobby_saw) == 1


def test_with_the_key_asked_for_nobody_gets_in_without() -> None:
    owner_key.choose(True)
    wrong = [("Authorization", "Bearer " + "x" * 43), ("Authorization", "Basic x")]
    name, value = owner_key.cookie(os.geteuid())
    wrong += [("Cookie", f"{name}={'0' * 64}"), ("Cookie", f"x{name}={value}"), ("Accept", "*/*")]
    for header in wrong:
        seen = visit(HOST, header)
        assert (seen.status, seen.code, seen.app_saw) == (401, "key_needed", [])
    assert not visit(HOST, kind="websocket").app_saw


@pytest.mark.parametrize("user", [os.geteuid(), OTHER, None])
def test_the_key_makes_any_program_the_owners(user: int | None) -> None:
    owner_key.choose(True)
    assert visit(HOST, _bearer(), user=user).actors[0].role == Role.OWNER


def test_the_cookie_opens_connections_of_the_user_who_came_by_the_link() -> None:
    """A browser sends it to whatever else listens on this machine."""
    owner_key.choose(True)
    for user in (os.geteuid(), OTHER, None):
        for opener in (os.geteuid(), OTHER, None):
            assert bool(visit(HOST, _cookie(opener), user=user).actors) == (user == opener)
    assert visit(HOST, _cookie(GONE), user=GONE).code == "key_needed"


def test_the_key_does_not_help_through_a_proxy_nor_by_a_foreign_name() -> None:
    owner_key.choose(True)
    assert visit(HOST, _bearer(), ("X-Forwarded-For", "1.2.3.4")).status == 401
    assert visit(("Host", "evil.example"), _bearer()).status == 421
    assert visit(HOST, _bearer(), peer="192.168.1.7").status == 401


def test_a_key_that_nobody_asks_for_opens_nothing() -> None:
    owner_key.choose(True)
    key, cookie = _bearer(), _cookie()
    owner_key.choose(False)
    assert visit(HOST, key, cookie, user=OTHER).status == 401


def _entered(query: str, *headers: Header) -> tuple[int, dict[bytes, bytes]]:
    seen = visit(HOST, *headers, query=query)
    assert seen.app_saw == []
    return seen.status, dict(seen.sent[0]["headers"])


def _query() -> str:
    return owner_key.link("http://localhost:1").partition("?")[2]


def test_the_link_gives_the_browser_a_cookie_and_leads_to_an_address_without_the_key() -> None:
    owner_key.choose(True)
    status, headers = _entered(_query())
    assert (status, headers[b"location"]) == (303, b"/")
    told = headers[b"set-cookie"].decode()
    assert "HttpOnly" in told and "SameSite=strict" in told
    assert _query().partition("=")[2] not in told
    assert visit(HOST, ("Cookie", told.partition(";")[0])).actors


def test_along_another_sites_link_the_page_itself_goes_on() -> None:
    owner_key.choose(True)
    link = [("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "navigate")]
    status, headers = _entered(_query(), *link)
    assert (status, headers[b"refresh"]) == (200, b"0; url=/")
    assert b"set-cookie" in headers


def test_a_wrong_link_gives_no_cookie() -> None:
    owner_key.choose(True)
    seen = visit(HOST, query="key=wrong")
    assert (seen.status, seen.code, seen.cookie) == (401, "key_needed", "")


def test_where_no_key_is_asked_for_the_link_leads_on_without_a_cookie() -> None:
    assert b"set-cookie" not in _entered("key=anything")[1]
    assert visit(HOST, query="monkey=x").app_saw
    assert visit(HOST, query="key=x", path="/Chat").app_saw


def test_the_key_is_private_stays_and_is_masked(home: Path) -> None:
    owner_key.choose(True)
    first = owner_key.authorization()
    owner_key.choose(False)
    owner_key.choose(True)
    assert owner_key.authorization() == first
    assert stat.S_IMODE((home / "owner.key").stat().st_mode) == 0o600
    assert (home / "owner.key").read_text().strip() in known_secrets({"BERTH_HOME": str(home)})


def test_a_broken_key_file_is_replaced_and_its_cookies_end(home: Path) -> None:
    owner_key.choose(True)
    old = _cookie()
    assert visit(HOST, old).actors
    (home / "owner.key").write_text("short\n")
    assert visit(HOST, old).code == "key_needed"
    assert visit(HOST, _cookie()).actors


def test_settings_that_cannot_be_used_do_not_open_the_door_again(home: Path) -> None:
    owner_key.choose(True)
    (home / "settings.toml").write_text("require_key = [")
    assert visit(HOST).code == "key_needed"
    (home / "settings.toml").unlink()
    assert visit(HOST).actors


def test_where_the_key_cannot_be_kept_it_is_not_asked_for(home: Path) -> None:
    (home / "owner.key").mkdir(parents=True)
    with pytest.raises(Conflict, match="cannot be written"):
        owner_key.choose(True)
    assert not owner_key.is_asked_for()


def test_guests_neither_see_nor_choose_it() -> None:
    with acting(Role.GUEST, "me"):
        for refused in (lambda: owner_key.choose(True), lambda: owner_key.link("http://x")):
            with pytest.raises(Forbidden):
                refused()


def test_the_guard_that_holds_is_known() -> None:
    assert owner.guard(0) == Guard.ADDRESS  # nothing listens there
    owner_key.choose(True)
    assert owner.guard(0) == Guard.KEY
