"""A guest who wants to be more: every route, and every button of every page."""

import hashlib
import re
from pathlib import Path

import pytest

from lib.api import static
from tests.api.attacks.test_foreign_pages import EVERY
from tests.conftest import ROOT
from tests.support.attacks import CLIENT, Place
from tests.support.session import Session, opened

OPEN_TO_GUESTS = {
    "/api",
    "/api/health",
    "/api/system",
    "/api/models",
    "/api/models/fake",
    "/api/replies/fake/stop",  # their own, and here there is none
    "/api/attachments",
    "/api/attachments/fake",
    "/api/chat",
    "/api/chat/fake",  # as well
    "/api/docs",
    "/api/openapi.json",
    "/api/ui/fake/fake",
}
ASKED = [one for one in EVERY if one != ("POST", "/api/logout")]  # which would do what it says
PAGES = sorted(path.strip("/") for path in static.page_paths(ROOT))
KEPT = ("settings.toml", "guests.json", "owner.key", "models", "engines", "jobs", "slots")


def kept(home: Path) -> dict[str, str]:
    """What the owner has, by place, with what is in it."""
    places = [path for name in KEPT for path in [home / name, *(home / name).rglob("*")]]
    return {
        str(path.relative_to(home)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in places
        if path.is_file() and path.suffix not in (".lock", ".log", ".memory")
    }


@pytest.mark.parametrize(("method", "path"), ASKED, ids=lambda part: part.strip("/") or "root")
def test_a_route_is_the_owners_unless_it_is_named_here(
    place: Place, method: str, path: str
) -> None:
    answer = CLIENT.request(method, place.url + path, content=b"{}", headers=place.guest)
    is_open = path in OPEN_TO_GUESTS and (method, path) != ("DELETE", "/api/models/fake")
    assert is_open or answer.status_code in (401, 403), answer.text


def test_no_guest_can_press_what_the_owners_pages_have(place: Place) -> None:
    """Each id, on the page that it is of, from a session of the guest's own."""
    with opened(place.server) as owner:
        every = {page: widgets(owner, page) for page in PAGES}
    assert sum(len(buttons) for buttons, _ in every.values()) > 20
    assert sum(len(switches) for _, switches in every.values()) > 2
    before = kept(place.server.home)
    with opened(place.server, place.cookie, url=place.url) as guest:
        for page, (buttons, switches) in every.items():
            guest.run(page)
            for one in buttons:
                guest.press("", widget=one)
            for one in switches:
                guest.switch(one, True)
                guest.switch(one, False)
    assert kept(place.server.home) == before
    assert CLIENT.get(f"{place.server.url}/api/models/fake").json()["state"] == "Ready"
    assert CLIENT.get(f"{place.server.url}/api/deploy").json()["deployments"] == []


def widgets(owner: Session, page: str) -> tuple[list[str], list[str]]:
    """The ids of all that can be pressed there, and of all that can be switched."""
    owner.run(page)
    boxes = [text for text in owner.texts if text.startswith("checkbox {")]
    switches = [found for text in boxes for found in re.findall(r'^  id: "([^"]+)"', text, re.M)]
    return sorted(set(owner.buttons.values())), sorted(set(switches))


@pytest.mark.parametrize("page", PAGES)
def test_no_page_tells_a_guest_where_things_lie_or_what_opens_them(place: Place, page: str) -> None:
    code = "abcd-efgh"
    with opened(place.server, place.cookie, url=place.url) as guest:
        guest.run(page)
        told = "\n".join(guest.texts)
    for secret in (str(place.server.home), code, code.replace("-", ""), "key-of-the-engine"):
        assert secret not in told
