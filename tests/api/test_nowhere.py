"""What is answered where there is nothing, and that no page speaks of what it is made with."""

import httpx
import pytest

from tests.support.server import Server

AS_A_BROWSER = {"Accept": "text/html,*/*"}


@pytest.mark.parametrize(
    "path", ["/Foo", "/Foo/bar", "/index.html", "/robots.txt", "/manifest.json"]
)
def test_there_is_nothing_and_that_is_said_in_berths_words(server: Server, path: str) -> None:
    answer = httpx.get(f"{server.url}{path}", headers=AS_A_BROWSER)
    assert answer.status_code == 404
    assert "There is nothing at this address." in answer.text
    assert "Streamlit" not in answer.text
    program = httpx.get(f"{server.url}{path}")
    assert program.json()["error"]["code"] == "not_found"


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("/chat", "/Chat"), ("/Chat/", "/Chat"), ("/MODELS?m=1", "/Models?m=1")],
)
def test_a_page_is_found_however_it_is_typed(server: Server, typed: str, meant: str) -> None:
    answer = httpx.get(f"{server.url}{typed}", headers=AS_A_BROWSER)
    assert answer.is_redirect
    assert answer.headers["location"] == meant


@pytest.mark.parametrize("path", ["/", "/Chat", "/Settings"])
def test_a_page_has_berths_name_and_mark_before_a_script_has_run(server: Server, path: str) -> None:
    page = httpx.get(f"{server.url}{path}", headers=AS_A_BROWSER).text
    assert "<title>Berth</title>" in page
    assert 'rel="shortcut icon" href="data:image/svg+xml;base64,' in page
    body = page.partition("<body>")[2]
    assert "Streamlit" not in body
    assert "Berth needs JavaScript" in body


def test_the_words_for_a_silence_stand_in_the_page_before_streamlits_script(
    server: Server,
) -> None:
    answer = httpx.get(f"{server.url}/", headers=AS_A_BROWSER)
    assert 0 < answer.text.index("Berth does not answer.") < answer.text.index('type="module"')
