"""The sharing section's forms, and what they keep."""

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from lib.core.access import Role, acting
from lib.core.preferences import change, preferences
from tests.conftest import ROOT
from tests.support import certificates as made
from tests.support.visitors import OWNER, nobody_by_default

SYSTEM = ROOT / "pages" / "4_System.py"
WAY = "sharing_way_"


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> AppTest:
    nobody_by_default(monkeypatch)
    opened = AppTest.from_file(SYSTEM, default_timeout=60)
    opened.user = dict(OWNER)
    opened.run()
    assert not opened.exception
    return opened


def save(page: AppTest) -> list[str]:
    """What is wrong with it."""
    page.button(key=f"{WAY}save").click().run()
    assert not page.exception
    return [str(one.value).replace("\\", "") for one in page.error]


def test_the_ends_that_can_be_chosen(page: AppTest) -> None:
    assert page.selectbox(key="sharing_lasting").options == [
        "When I stop it",
        "In an hour",
        "In 8 hours",
        "At midnight",
    ]


def test_berths_own_certificate_is_chosen_and_told_before_sharing(page: AppTest) -> None:
    page.radio(key=f"{WAY}encryption").set_value("berth").run()
    assert save(page) == []
    assert preferences().share_encryption == "berth"
    assert any("Encrypted with Berth's own certificate." in one.value for one in page.caption)


def test_a_certificate_is_looked_at_before_it_is_kept(page: AppTest, tmp_path: Path) -> None:
    file, key = made.make(tmp_path)
    _, other = made.make(tmp_path, name="other")
    page.radio(key=f"{WAY}encryption").set_value("own").run()
    page.text_input(key=f"{WAY}certificate").set_value(str(file))
    page.text_input(key=f"{WAY}key").set_value(str(other))
    assert any("does not belong to the certificate" in said for said in save(page))
    assert preferences().share_encryption == "none"
    page.text_input(key=f"{WAY}key").set_value(f" {key} ")
    assert save(page) == []
    assert preferences().share_key == str(key)


def test_a_proxy_needs_an_address_and_a_name(page: AppTest) -> None:
    page.text_input(key=f"{WAY}proxies").set_value("proxy.lan")
    page.text_input(key=f"{WAY}public").set_value("https://berth.example.com")
    assert any("not the address of a proxy" in said for said in save(page))
    page.text_input(key=f"{WAY}proxies").set_value("127.0.0.1, ::1")
    page.text_input(key=f"{WAY}public").set_value("berth.example.com")
    assert any("not the address at which a proxy answers" in said for said in save(page))
    page.text_input(key=f"{WAY}public").set_value("https://berth.example.com")
    page.number_input(key=f"{WAY}port").set_value(8600)
    assert save(page) == []
    assert preferences().trusted_proxies == ["127.0.0.1", "::1"]
    assert preferences().share_port == 8600
    page.run()
    assert "127.0.0.1 · for a proxy here" in page.selectbox(key="sharing_address").options


def test_an_address_that_the_internet_reaches_is_marked(page: AppTest) -> None:
    with acting(Role.OWNER):
        change(share_address="2a01:4f8::5")
    page.run()
    options = page.selectbox(key="sharing_address").options
    assert options[0] == "2a01:4f8::5 · the internet too"
