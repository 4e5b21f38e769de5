"""The routes of attachments on the running server: whose they are, and what strangers may send."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.support import files
from tests.support.server import Server, running_server

TALK = "c" * 32
ME = {"Cookie": f"berth_browser={'a' * 32}"}
OTHER = {"Cookie": f"berth_browser={'b' * 32}"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_server(tmp_path_factory.mktemp("berth")) as running:
        yield running


@pytest.fixture(autouse=True)
def nothing_attached(server: Server) -> Iterator[None]:
    yield
    for draft in listed(server):
        httpx.delete(url(server, f"/{draft['id']}"), headers=ME)


def url(server: Server, path: str = "", talk: str = TALK, **query: str) -> httpx.URL:
    return httpx.URL(f"{server.url}/api/attachments{path}", params={"c": talk, **query})


def sent(server: Server, name: str, data: bytes, talk: str = TALK, **query: str) -> httpx.Response:
    body = {"name": name, "type": "", "data": base64.b64encode(data).decode()}
    address = url(server, talk=talk, **query)
    return httpx.post(address, json=body, headers=ME, timeout=60)


def listed(server: Server, headers: dict[str, str] = ME) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = httpx.get(url(server), headers=headers).json()["attachments"]
    return found


def problem(answer: httpx.Response) -> tuple[int, str]:
    """Status and code of a refusal, which says what to do."""
    error = answer.json()["error"]
    assert error["message"]
    assert error["fix"]
    return answer.status_code, error["code"]


def test_a_file_is_added_listed_and_removed(server: Server) -> None:
    added = sent(server, "notes.txt", b"x" * 360).json()
    assert added == {
        "id": added["id"],
        "name": "notes.txt",
        "kind": "text",
        "tokens": 100,
        "is_estimate": True,
        "characters": 360,
        "problem": "",
    }
    assert listed(server) == [added]
    gone = httpx.delete(url(server, f"/{added['id']}"), headers=ME)
    assert gone.json() == {"removed": added["id"]}
    assert listed(server) == []
    assert problem(httpx.delete(url(server, f"/{added['id']}"), headers=ME)) == (404, "not_found")


def test_a_pdf_and_a_picture_are_read(server: Server) -> None:
    assert sent(server, "x.pdf", files.pdf("Hello")).json()["characters"] == 5
    assert sent(server, "x.png", files.picture()).json()["kind"] == "image"


def test_another_browser_sees_and_removes_nothing(server: Server) -> None:
    mine = sent(server, "secret.txt", b"secret").json()["id"]
    for stranger in (OTHER, {}):
        assert listed(server, stranger) == []
        gone = httpx.delete(url(server, f"/{mine}"), headers=stranger)
        assert problem(gone) == (404, "not_found")
    assert [draft["id"] for draft in listed(server)] == [mine]


@pytest.mark.parametrize("talk", ["", "nobody", "../" * 10 + "ab", "\0", "C" * 32, "c" * 5_000])
def test_a_hostile_conversation_is_not_found(server: Server, talk: str) -> None:
    assert problem(sent(server, "x.txt", b"x", talk)) == (404, "not_found")
    assert problem(httpx.get(url(server, talk=talk), headers=ME)) == (404, "not_found")


@pytest.mark.parametrize("draft", ["x", "..%2F..%2Fsettings", "%00", "f" * 32])
def test_a_hostile_id_removes_nothing(server: Server, draft: str) -> None:
    mine = sent(server, "x.txt", b"x").json()
    gone = httpx.delete(url(server, f"/{draft}"), headers=ME)
    assert gone.status_code in (400, 404)
    assert listed(server) == [mine]


@pytest.mark.parametrize("model", ["", "nobody", "ollama/none", "../x", "\0", "a/" * 5_000])
def test_a_model_that_counts_nothing_leaves_an_estimate(server: Server, model: str) -> None:
    assert sent(server, "x.txt", b"x" * 36, m=model).json()["is_estimate"] is True
    assert httpx.get(url(server, m=model), headers=ME).status_code == 200


def test_a_hostile_name_is_plain_and_short(server: Server) -> None:
    name = "../../<b>\u202e\0" + "x" * 10_000 + ".txt"
    shown = sent(server, name, b"x").json()["name"]
    assert shown.startswith("<b>xxx")
    assert shown.endswith("….txt")
    assert len(shown) == 120


@pytest.mark.parametrize(
    "body",
    [b"", b"x", b"[]", b"{}", b'{"data": 5}', b'{"data": "###"}', b'{"data": "YQ"}'],
)
def test_a_body_that_is_no_file_is_refused(server: Server, body: bytes) -> None:
    headers = {**ME, "Content-Type": "application/json"}
    assert httpx.post(url(server), content=body, headers=headers).status_code in (400, 422)
    assert listed(server) == []


def test_a_form_cannot_attach(server: Server) -> None:
    for content, kind in (
        (b"data=YQ==", "application/x-www-form-urlencoded"),
        (b"{}", "text/plain"),
    ):
        answer = httpx.post(url(server), content=content, headers={**ME, "Content-Type": kind})
        assert problem(answer) == (403, "foreign_origin")


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_another_website_cannot_do_anything(server: Server, method: str) -> None:
    mine = sent(server, "x.txt", b"x").json()["id"]
    evil = {**ME, "Origin": "https://evil.example", "Content-Type": "application/json"}
    path = f"/{mine}" if method == "DELETE" else ""
    body = json.dumps({"name": "evil", "data": "YQ=="}).encode()
    answer = httpx.request(method, url(server, path), headers=evil, content=body)
    assert answer.status_code == 403
    assert [draft["id"] for draft in listed(server)] == [mine]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\0\1\2", "no text and no image"),
        (b"<svg onload=alert(1)>", "SVG"),
        (files.declared_png(60_000, 60_000), "megapixels"),
        (files.pdf(""), "no text"),
        (files.pdf("x")[:200], "damaged"),
        (files.locked_pdf("x"), "needs a password"),
        (files.swelling_pdf(400), "swells"),
    ],
    ids=["binary", "svg", "png bomb", "scan", "cut", "locked", "pdf bomb"],
)
def test_a_file_of_no_use_is_refused_in_words(server: Server, data: bytes, words: str) -> None:
    answer = sent(server, "file", data)
    assert problem(answer) == (422, "unreadable")
    assert words in answer.json()["error"]["message"]
    assert listed(server) == []


def test_a_file_of_twenty_megabytes_arrives_and_a_larger_one_is_refused(server: Server) -> None:
    assert "characters" in sent(server, "x", b"x" * 20_000_000).json()["error"]["message"]
    assert "20 MB is the most" in sent(server, "x", b"x" * 20_000_100).json()["error"]["message"]
    assert problem(sent(server, "x", b"x" * 21_000_000)) == (413, "too_large")


def test_the_twenty_first_file_is_refused(server: Server) -> None:
    for number in range(20):
        assert sent(server, f"{number}.txt", b"x").status_code == 200
    assert problem(sent(server, "one more.txt", b"x")) == (422, "bad_input")
    assert len(listed(server)) == 20


def test_a_restart_keeps_the_drafts(server: Server) -> None:
    mine = sent(server, "kept.txt", b"x").json()
    with running_server(server.home) as again:
        assert listed(again) == [mine]
