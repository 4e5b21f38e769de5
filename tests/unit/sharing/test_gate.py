"""The gate, asked directly: who gets in, as whom, and what the rest of the app sees of it."""

import asyncio
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Message

from lib.core import access
from lib.core.access import Role
from lib.sharing.gate import Gate, browser_of
from tests.support.gate import HOST, JSON, Visit, visit


@pytest.mark.parametrize(
    "host", ["localhost:8501", "127.0.0.1:8501", "[::1]:8501", "localhost", "LocalHost:9000"]
)
def test_a_local_host_on_any_port_gets_in(host: str) -> None:
    assert visit(("Host", host)).status == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8501",
        "localhost.evil.example",
        "localhost.",
        "localhost:8501.evil.example",
        "localhost:8501@evil.example",
        "evil.example@localhost:8501",
        "127.0.0.1.nip.io",
        "127.1",
        "0.0.0.0:8501",
        "2130706433",
        "[::ffff:127.0.0.1]:8501",
        "localhost:",
        "localhost:99999999",
        "localhost:8501\n",
        " localhost",
        "localhost,evil.example",
        "",
    ],
)
def test_a_host_that_is_not_local_is_misdirected(host: str) -> None:
    found = visit(("Host", host))
    assert (found.status, found.code, found.app_saw) == (421, "wrong_host", [])


def test_no_host_and_two_hosts_are_misdirected() -> None:
    assert visit().status == 421
    assert visit(HOST, HOST).status == 421
    assert visit(HOST, ("Host", "evil.example")).status == 421


@given(st.text(alphabet=string.printable, max_size=40))
def test_only_the_three_local_names_are_local(host: str) -> None:
    name = host.lower().rpartition(":")[0] or host.lower()
    if visit(("Host", host)).status == 200:
        assert name in ("localhost", "127.0.0.1", "[::1]")


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example",
        "http://localhost:1234",
        "http://127.0.0.1:8501",
        "http://localhost:8501.evil.example",
        "null",
        "",
        "localhost:8501",
        "file://",
    ],
)
@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_a_foreign_origin_is_refused(origin: str, kind: str) -> None:
    found = visit(HOST, ("Origin", origin), kind=kind)
    assert not found.app_saw
    if kind == "http":
        assert (found.status, found.code) == (403, "foreign_origin")
    else:
        assert found.sent[0]["type"] == "websocket.close"


@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_the_own_origin_and_none_get_in(kind: str) -> None:
    assert visit(HOST, ("Origin", "http://localhost:8501"), kind=kind).app_saw
    assert visit(HOST, kind=kind).app_saw


def test_a_second_origin_cannot_hide_behind_the_own_one() -> None:
    own, evil = ("Origin", "http://localhost:8501"), ("Origin", "http://evil.example")
    assert visit(HOST, own, evil).status == 403


def test_a_rebound_name_is_refused_even_with_an_origin_that_fits_it() -> None:
    evil = [("Host", "evil.example:8501"), ("Origin", "http://evil.example:8501")]
    assert not visit(*evil, kind="websocket").app_saw
    assert not visit(*evil).app_saw


@pytest.mark.parametrize("site", ["cross-site", "same-site", "unheard-of"])
@pytest.mark.parametrize("mode", ["no-cors", "cors", "websocket"])
def test_what_another_site_loads_or_sends_is_refused(site: str, mode: str) -> None:
    fetch = [("Sec-Fetch-Site", site), ("Sec-Fetch-Mode", mode)]
    assert visit(HOST, *fetch).status == 403
    assert visit(HOST, *fetch, JSON, method="POST").status == 403
    assert not visit(HOST, *fetch, kind="websocket").app_saw


def test_a_link_from_another_site_opens_the_page() -> None:
    link = [("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "navigate")]
    assert visit(HOST, *link).status == 200
    assert visit(HOST, *link, JSON, method="POST").status == 403


@pytest.mark.parametrize("site", ["same-origin", "none", None])
def test_json_from_the_own_pages_or_a_program_gets_in(site: str | None) -> None:
    fetch = [("Sec-Fetch-Site", site)] if site else []
    kinds = ("application/json", "application/json; charset=utf-8", "Application/JSON")
    for kind in kinds:
        assert visit(HOST, *fetch, ("Content-Type", kind), method="POST").status == 200


@pytest.mark.parametrize(
    "kind",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "text/plain; application/json",
        "application/json-patch+json",
        None,
    ],
)
def test_a_post_that_a_foreign_form_could_send_is_refused(kind: str | None) -> None:
    media = [("Content-Type", kind)] if kind else []
    found = visit(HOST, *media, ("Origin", f"http://{HOST[1]}"), method="POST")
    assert (found.status, found.code) == (403, "foreign_origin")
    if kind:
        of_a_program = visit(HOST, *media, method="POST")
        assert (of_a_program.status, of_a_program.code) == (415, "wrong_type")


def test_an_upload_of_streamlits_own_is_closed() -> None:
    upload = [("Content-Type", "multipart/form-data; boundary=x")]
    path = "/_stcore/upload_file/session/file"
    assert visit(HOST, *upload, method="PUT", path=path).status == 404
    assert visit(HOST, method="DELETE", path=path).status == 404
    evil = ("Origin", "http://evil.example")
    assert visit(HOST, *upload, evil, method="PUT", path=path).status == 403


@pytest.mark.parametrize(
    "name",
    ["Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-IP", "Via"],
)
@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_who_comes_through_a_proxy_is_not_the_owner(name: str, kind: str) -> None:
    found = visit(HOST, (name, "127.0.0.1"), kind=kind)
    assert not found.app_saw
    if kind == "http":
        assert (found.status, found.code) == (401, "not_signed_in")


@pytest.mark.parametrize("peer", ["192.168.1.7", "::ffff:192.168.1.7", "fe80::1", None])
def test_who_comes_from_another_machine_is_not_the_owner(peer: str | None) -> None:
    assert visit(HOST, peer=peer).status == 401


@pytest.mark.parametrize("peer", ["127.0.0.1", "::1", "::ffff:127.0.0.1"])
def test_who_sits_at_this_machine_is_the_owner(peer: str) -> None:
    seen = visit(HOST, peer=peer)
    assert seen.actors == [(Role.OWNER, browser_of(seen.app_saw[0]))]


@pytest.mark.parametrize(
    "name",
    ["x-berth-role", "X-Berth-Role", "x_berth_role", "X_BERTH_Role", "x-berth_who", "x-berth-"],
)
@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_a_header_of_ours_that_a_client_sends_is_gone(name: str, kind: str) -> None:
    seen = visit((name, "forged"), HOST, (name, "forged"), kind=kind)
    assert b"forged" not in [value for _, value in seen.inner_headers]
    roles = [v for n, v in seen.inner_headers if n.replace(b"_", b"-") == b"x-berth-role"]
    assert roles == [b"owner"]


@given(st.text(alphabet="xX-_berthBERTHrolewho", max_size=20))
def test_no_spelling_of_our_headers_survives(name: str) -> None:
    seen = visit(HOST, (name, "forged"))
    kept = [n for n, value in seen.inner_headers if value == b"forged"]
    assert all(not n.replace(b"_", b"-").startswith(b"x-berth-") for n in kept)


def test_other_headers_arrive_as_they_were() -> None:
    assert (b"accept", b"text/html") in visit(HOST, ("Accept", "text/html")).inner_headers


def test_the_first_page_gives_the_browser_an_id_that_comes_back() -> None:
    first = visit(HOST)
    given_id = browser_of(first.app_saw[0])
    assert first.cookie.startswith(f"berth_browser={given_id};")
    assert "HttpOnly" in first.cookie
    assert "SameSite=Strict" in first.cookie
    second = visit(HOST, ("Cookie", f"a=b; berth_browser={given_id}; c=d"))
    assert browser_of(second.app_saw[0]) == given_id
    assert second.cookie == ""
    assert (b"x-berth-who", given_id.encode()) in second.inner_headers


def test_two_browsers_get_different_ids() -> None:
    assert browser_of(visit(HOST).app_saw[0]) != browser_of(visit(HOST).app_saw[0])


@pytest.mark.parametrize(
    "value",
    ["", "short", "g" * 32, "a" * 31, "a" * 33, "A" * 32, "a" * 32 + "x", '"' + "a" * 32 + '"'],
)
def test_an_id_that_we_did_not_make_is_replaced(value: str) -> None:
    seen = visit(HOST, ("Cookie", f"berth_browser={value}"))
    assert browser_of(seen.app_saw[0]) != value
    assert seen.cookie


def test_an_answer_to_a_link_from_another_site_does_not_replace_the_id() -> None:
    link = [("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "navigate")]
    assert visit(HOST, *link).cookie == ""


def test_only_pages_and_the_check_before_the_websocket_give_an_id() -> None:
    plain = {"media_type": "application/json"}
    assert visit(HOST, path="/api/health", **plain).cookie == ""
    assert visit(HOST, path="/_stcore/health", **plain).cookie


def test_websockets_without_a_cookie_are_nobody_else() -> None:
    one, two = (visit(HOST, kind="websocket").app_saw[0] for _ in range(2))
    assert browser_of(one) != browser_of(two)


def test_the_lifespan_passes() -> None:
    seen = Visit()

    async def receive() -> Message:
        raise AssertionError("The gate has nothing to hear from the lifespan.")

    async def send(_: Message) -> None:
        raise AssertionError("The gate has nothing to say to the lifespan.")

    asyncio.run(Gate(seen.async_app(""), seen.lobby)({"type": "lifespan"}, receive, send))
    assert seen.app_saw == [{"type": "lifespan"}]


def test_who_acts_is_forgotten_after_the_request() -> None:
    visit(HOST)
    with access.acting(Role.GUEST, "me"):
        visit(HOST)
        assert access.current() == (Role.GUEST, "me")
