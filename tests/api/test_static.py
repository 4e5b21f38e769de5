"""The page and its scripts as a browser gets them."""

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from streamlit import file_util
from streamlit.proto import ClientState_pb2
from streamlit.proto.BackMsg_pb2 import BackMsg

from lib.api import first_page, static
from lib.api.own_page import ELEMENTS
from tests.conftest import ROOT
from tests.support.server import Server, running_server

EXTRA = re.compile(r'data-soon="([^"]*)"')
OURS = first_page.Ours(ELEMENTS, "1")
FONT = 'rel="preload"'
ENTRY = "window.prerenderReady"
SCRIPT = re.compile(r'(?:src|href)="\.(/static/js/[^"]+)"')


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_server(tmp_path_factory.mktemp("berth")) as running:
        yield running


def static_folder() -> Path:
    return Path(file_util.get_static_dir())


@pytest.fixture(scope="module")
def page(server: Server) -> str:
    return httpx.get(f"{server.url}/").text


def test_the_page_is_always_asked_for_again(server: Server) -> None:
    answer = httpx.get(f"{server.url}/")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.headers["content-encoding"] == "gzip"


def test_a_client_without_gzip_gets_the_same_page(server: Server, page: str) -> None:
    plain = httpx.get(f"{server.url}/", headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert plain.text == page


@pytest.mark.parametrize("path", sorted(static.page_paths(ROOT)))
def test_a_page_names_the_scripts_of_its_first_screen_once(server: Server, path: str) -> None:
    text = httpx.get(server.url + path).text
    named = [one.rpartition("/")[2] for one in SCRIPT.findall(text)]
    named += [one.rpartition("/")[2] for one in EXTRA.findall(text)[0].split()]
    assert len(named) == len(set(named))
    for name in (*first_page.ALWAYS, *first_page.OF_PAGE.get(path, ())):
        assert [one for one in named if one.startswith(f"{name}.")], f"Streamlit has no {name}"


def test_no_page_asks_for_a_font_that_it_does_not_use(page: str) -> None:
    assert FONT in (static_folder() / "index.html").read_text(encoding="utf-8")
    assert FONT not in page


@pytest.mark.parametrize(
    ("site", "is_early"), [("none", True), ("same-origin", True), ("cross-site", False)]
)
def test_a_browser_that_has_no_id_yet_opens_no_socket_early(
    server: Server, site: str, is_early: bool
) -> None:
    """A link from another site brings no cookie and gets none."""
    headers = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "navigate"}
    text = httpx.get(f"{server.url}/Chat", headers=headers).text
    assert ("/_stcore/stream" in text) == is_early
    assert text.count("ChatInput.") == 1


def test_streamlit_still_has_what_the_early_socket_relies_on() -> None:
    """Else a page would ask twice, or look for its server first: slower, and still right."""
    [index] = [
        path
        for path in (static_folder() / "static" / "js").glob("index.*.js")
        if ENTRY in path.read_text(encoding="utf-8")
    ]
    text = index.read_text(encoding="utf-8")
    for relied_on in (
        "window.__streamlit",
        "BACKEND_BASE_URL",
        "PLACEHOLDER_AUTH_TOKEN",
        "useExternalAuthToken",
        "allowedOrigins",
        "_stcore/stream",
    ):
        assert relied_on in text, relied_on
    fields = {
        "ClientState": {"query_string": 1, "widget_states": 2, "page_name": 4, "context_info": 8},
        "ContextInfo": {
            "timezone": 1,
            "timezone_offset": 2,
            "locale": 3,
            "url": 4,
            "is_embedded": 5,
            "color_scheme": 6,
        },
    }
    assert BackMsg.DESCRIPTOR.fields_by_name["rerun_script"].number == 11
    for message, numbers in fields.items():
        known = getattr(ClientState_pb2, message).DESCRIPTOR.fields_by_name
        assert {name: known[name].number for name in numbers} == numbers


def test_every_script_of_the_page_comes_compressed_and_is_kept(server: Server, page: str) -> None:
    with httpx.Client(base_url=server.url) as client:
        for path in SCRIPT.findall(page):
            answer = client.get(path)
            assert answer.status_code == 200, path
            assert answer.headers["content-type"].startswith("text/javascript")
            assert answer.headers["content-encoding"] == "gzip"
            assert "immutable" in answer.headers["cache-control"]


def test_a_script_is_the_same_with_and_without_gzip(server: Server, page: str) -> None:
    url = server.url + SCRIPT.findall(page)[0]
    plain = httpx.get(url, headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert httpx.get(url).content == plain.content


@pytest.mark.parametrize(
    "path",
    [
        "/static/../../../../etc/passwd",
        "/static/js/%2e%2e/%2e%2e/%2e%2e/index.html",
        "/static/js/..%2f..%2f..%2f__init__.py",
        "/static//etc/passwd",
        "//etc/passwd",
        "/static/js/x.js%00.html",
        "/.streamlit/config.toml",
        "/lib/server.py",
    ],
)
def test_no_path_leads_out_of_the_static_folder(server: Server, path: str) -> None:
    answer = httpx.get(server.url + path)
    assert answer.status_code in (301, 400, 404) or "<title>Streamlit</title>" in answer.text
    assert "root:" not in answer.text
    assert "maxUploadSize" not in answer.text


def test_a_page_without_the_known_scripts_stays_as_it_is() -> None:
    page = b"<html><head></head></html>"
    assert first_page.made(page, ROOT / "docs", OURS, "/Deploy", is_early=False) == page
