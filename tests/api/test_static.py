"""The page and its scripts as a browser gets them."""

import re
from collections.abc import Iterator

import httpx
import pytest

from lib.api import static
from tests.conftest import ROOT
from tests.support.server import Server, running_server

SCRIPT = re.compile(r'(?:src|href)="\.(/static/js/[^"]+)"')


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_server(tmp_path_factory.mktemp("berth")) as running:
        yield running


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
def test_every_page_has_the_hints(server: Server, page: str, path: str) -> None:
    assert httpx.get(server.url + path).text == page


def test_the_scripts_of_the_first_screen_are_hinted_once(page: str) -> None:
    hinted = SCRIPT.findall(page)
    assert len(hinted) == len(set(hinted))
    for name in static.SOON:
        assert f"/static/js/{name}." in page, f"Streamlit has no script {name} any more"
    for name in static.LATER:
        assert f'rel="prefetch" as="script" crossorigin href="./static/js/{name}.' in page


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


def test_a_page_without_the_known_scripts_stays_as_it_is(tmp_path_factory: object) -> None:
    page = b"<html><head></head></html>"
    assert static.hinted(page, ROOT / "docs") == page
