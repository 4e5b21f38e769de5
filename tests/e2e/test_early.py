"""A page asks for its content while its scripts still load, once."""

import base64
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from streamlit.proto.BackMsg_pb2 import BackMsg

from tests.support.server import Server, running_server

FIRST = "?first="


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_server(tmp_path_factory.mktemp("berth")) as running:
        yield running


class Sockets:
    """What a page sent to Streamlit: with an address, and afterwards."""

    def __init__(self, page: Page) -> None:
        self.addresses: list[str] = []
        self.messages: list[bytes] = []
        session = page.context.new_cdp_session(page)
        session.send("Network.enable")
        session.on("Network.webSocketCreated", self._created)
        session.on("Network.webSocketFrameSent", self._sent)

    def runs_of_the_page(self) -> int:
        """How often the whole page was asked for once the socket was there."""
        asked = [BackMsg.FromString(data) for data in self.messages]
        return sum(
            one.HasField("rerun_script") and not one.rerun_script.fragment_id for one in asked
        )

    def _created(self, event: dict[str, Any]) -> None:
        if "/_stcore/stream" in event["url"]:
            self.addresses.append(event["url"])

    def _sent(self, event: dict[str, Any]) -> None:
        if event["response"]["opcode"] == 2:
            self.messages.append(base64.b64decode(event["response"]["payloadData"]))


@pytest.fixture
def sockets(page: Page) -> Sockets:
    return Sockets(page)


def come(page: Page, url: str) -> None:
    page.goto(url)
    drawn(page)


def drawn(page: Page) -> None:
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")
    expect(page.locator('[data-testid="stMain"] h1').first).to_be_visible()


@pytest.mark.parametrize(
    "path", ["/", "/Models", "/Deploy/", "/System?x=%20a+b&y=%C3%A4", "/Settings#part"]
)
@pytest.mark.parametrize("times", [1, 2])
def test_streamlit_asks_for_just_what_was_asked_early(
    server: Server, page: Page, sockets: Sockets, path: str, times: int
) -> None:
    """Were a byte different, Streamlit would have to ask again."""
    come(page, server.url + path)
    for _ in range(times - 1):
        page.reload()
        drawn(page)
    assert len(sockets.addresses) == times
    assert all(FIRST in address for address in sockets.addresses)
    assert sockets.runs_of_the_page() == 0


@pytest.mark.parametrize("theme", ["Dark", "Light", "System"])
def test_a_chosen_theme_is_told_early_too(
    server: Server, page: Page, sockets: Sockets, theme: str
) -> None:
    page.emulate_media(color_scheme="dark")
    page.add_init_script(f"""localStorage.setItem("stActiveTheme-/-v2", '"{theme}"')""")
    come(page, server.url)
    assert sockets.runs_of_the_page() == 0


def test_another_page_still_opens_and_a_lost_connection_is_made_again(
    server: Server, page: Page, sockets: Sockets
) -> None:
    come(page, server.url)
    page.get_by_test_id("stSidebarNav").get_by_text("Models").click()
    expect(page.get_by_role("heading", name="Models", exact=True)).to_be_visible()
    page.evaluate("streamlitDebug.disconnectWebsocket()")
    page.get_by_test_id("stSidebarNav").get_by_text("System").click()
    expect(page.get_by_role("heading", name="System", exact=True)).to_be_visible()


def test_a_page_whose_early_socket_is_refused_comes_all_the_same(
    server: Server, page: Page
) -> None:
    page.add_init_script(
        "const Native = WebSocket; window.WebSocket = class extends Native {"
        "constructor(url, ...others) { super(url.replace('stream?', 'nowhere?'), ...others); } };"
    )
    come(page, f"{server.url}/Models")


def test_a_link_from_another_site_opens_a_page_without_it(
    server: Server, page: Page, sockets: Sockets
) -> None:
    page.route(
        "http://elsewhere.invalid/",
        lambda route: route.fulfill(
            content_type="text/html", body=f'<a href="{server.url}/Models">Berth</a>'
        ),
    )
    page.goto("http://elsewhere.invalid/")
    page.get_by_text("Berth").click()
    expect(page.get_by_role("heading", name="Models", exact=True)).to_be_visible()
    assert not any(FIRST in address for address in sockets.addresses)
