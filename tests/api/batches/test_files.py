"""/v1/files on the real server, by the official client, and what is refused."""

import contextlib
import http.client
import json
from typing import Any

import httpx
import openai
import pytest

from tests.support.batches import requests
from tests.support.server import Server

FORM = {"file": ("in.jsonl", b"{}\n")}


def posted(
    server: Server, *, files: Any = None, data: Any = None, **headers: str
) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.post(
        f"{server.url}/v1/files",
        files=FORM if files is None else files,
        data={"purpose": "batch"} if data is None else data,
        headers=named,
    )


def message(answer: httpx.Response) -> str:
    return str(answer.json()["error"]["message"])


def test_a_file_is_kept_told_read_and_deleted(client: openai.OpenAI, server: Server) -> None:
    data = b"\xef\xbb\xbf" + requests(3) + bytes(range(256))
    file = client.files.create(file=("in.jsonl", data), purpose="batch")
    assert (file.filename, file.bytes, file.purpose) == ("in.jsonl", len(data), "batch")
    assert file.expires_at == file.created_at + 30 * 86_400
    assert client.files.retrieve(file.id) == file
    assert client.files.content(file.id).read() == data
    assert file.id in [one.id for one in client.files.list()]
    gone = client.files.delete(file.id)
    assert (gone.id, gone.deleted) == (file.id, True)
    assert not (server.home / "batches" / "files" / file.id).exists()
    with pytest.raises(openai.NotFoundError, match="There is no file"):
        client.files.retrieve(file.id)
    with pytest.raises(openai.NotFoundError):
        client.files.content(file.id)


def test_a_file_from_a_path_has_its_name(client: openai.OpenAI, server: Server) -> None:
    path = server.home / "größe 1.jsonl"
    path.write_bytes(requests(1))
    assert client.files.create(file=path, purpose="batch").filename == "größe 1.jsonl"


def test_files_come_in_pages_in_either_order(client: openai.OpenAI) -> None:
    ids = [client.files.create(file=("a", b"x"), purpose="batch").id for _ in range(3)]
    newest = [one.id for one in client.files.list(limit=2)]
    assert newest[:3] == ids[::-1]
    oldest = [one.id for one in client.files.list(limit=1, order="asc")]
    assert oldest[-3:] == ids
    assert list(client.files.list(purpose="batch_output", after=ids[0])) == []


def test_a_file_is_kept_as_long_as_was_asked(client: openai.OpenAI) -> None:
    file = client.files.create(
        file=("a", b"x"),
        purpose="batch",
        expires_after={"anchor": "created_at", "seconds": 3_600},
    )
    assert file.expires_at == file.created_at + 3_600
    with pytest.raises(openai.BadRequestError, match="seconds"):
        client.files.create(
            file=("a", b"x"),
            purpose="batch",
            expires_after={"anchor": "created_at", "seconds": 5},
        )


@pytest.mark.parametrize("purpose", ["fine-tune", "assistants", "", "x" * 500])
def test_files_are_for_batches_alone(client: openai.OpenAI, purpose: Any) -> None:
    before = len(list(client.files.list()))
    with pytest.raises(openai.BadRequestError) as caught:
        client.files.create(file=("a", b"x"), purpose=purpose)
    assert caught.value.param == "purpose"
    assert len(list(client.files.list())) == before


def test_a_form_without_a_file_is_refused(server: Server) -> None:
    answer = posted(server, files={"purpose": (None, "batch")})
    assert (answer.status_code, message(answer)) == (400, "There is no file in the form.")


def test_a_form_that_is_cut_is_refused_and_leaves_nothing(server: Server) -> None:
    before = list((server.home / "batches" / "files").glob("*"))
    kind = {"Content-Type": "multipart/form-data; boundary=XX"}
    body = b'--XX\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nhalf'
    answer = httpx.post(f"{server.url}/v1/files", content=body, headers=kind)
    assert (answer.status_code, message(answer)) == (400, "The form is broken.")
    assert list((server.home / "batches" / "files").glob("*")) == before


def test_what_is_too_large_is_refused_before_it_comes(server: Server) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    connection.putrequest("POST", "/v1/files")
    connection.putheader("Content-Type", "multipart/form-data; boundary=XX")
    connection.putheader("Content-Length", "300000000")
    connection.endheaders()  # and no byte of it
    with contextlib.closing(connection):
        answer = connection.getresponse()
        assert answer.status == 413
        assert json.loads(answer.read())["error"]["message"] == "A file has at most 200 MB."


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Cookie": "berth_browser=00000000000000000000000000000000"},
        {"Referer": "https://evil.example/"},
        {"Sec-Fetch-Site": "same-origin"},
    ],
    ids=str,
)
def test_a_form_of_a_browser_is_refused(server: Server, headers: dict[str, str]) -> None:
    answer = posted(server, **headers)
    assert answer.status_code == 403
    assert answer.json()["error"]["code"] == "foreign_origin"


def test_a_foreign_page_is_refused_whatever_key_it_sends(server: Server) -> None:
    answer = posted(server, Origin="https://evil.example", Authorization="Bearer x")
    assert answer.status_code == 403


def test_a_program_may_send_a_key_and_a_cookie(server: Server) -> None:
    assert posted(server, Authorization="Bearer x", Cookie="a=b").status_code == 200
    assert posted(server).status_code == 200


@pytest.mark.parametrize(
    "path", ["/v1/batches", "/v1/files/x", "/v1/files/", "/v1/chat/completions", "/api/deploy"]
)
def test_no_other_path_takes_forms(server: Server, path: str) -> None:
    answer = httpx.post(server.url + path, files=FORM, headers={"Authorization": "Bearer x"})
    assert answer.status_code == 415


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("PUT", "/v1/files", 405),
        ("DELETE", "/v1/files", 405),
        ("GET", "/v1/files/..%2f..%2fetc%2fpasswd", 404),
        ("GET", "/v1/files/%2e%2e", 404),
        ("GET", "/v1/files/a/b/c", 404),
        ("GET", "/v1/files/a/cancel", 404),
        ("GET", "/v1/files?limit=0", 400),
        ("GET", "/v1/files?limit=x", 400),
        ("GET", "/v1/files?limit=10001", 400),
        ("GET", "/v1/filesystem", 404),
    ],
)
def test_everything_else_is_refused_in_the_dialect(
    server: Server, method: str, path: str, status: int
) -> None:
    answer = httpx.request(method, server.url + path)
    assert answer.status_code == status
    assert message(answer)


def test_the_content_is_nothing_that_a_browser_would_run(server: Server) -> None:
    page = {"file": ("x.html", b"<script>alert(1)</script>", "text/html")}
    file = posted(server, files=page).json()
    answer = httpx.get(f"{server.url}/v1/files/{file['id']}/content")
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"].startswith("attachment")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert json.loads(json.dumps(file)) == file
