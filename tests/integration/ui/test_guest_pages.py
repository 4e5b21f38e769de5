"""Every page as a guest sees it: nothing that only the owner may do, and no error either."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from lib.core import access, owner_key
from lib.core.preferences import change
from lib.core.settings import settings
from lib.engines import find_model
from lib.jobs import jobs
from lib.ui.chat import settings_view as chat_settings_view
from lib.ui.models import endpoints_view
from tests.conftest import ROOT
from tests.support import tiny_gguf
from tests.support.berth import lay_fake
from tests.support.fake_engine import running_fake
from tests.support.visitors import GUEST, OWNER, nobody_by_default

PAGES = [ROOT / "Home.py", *sorted((ROOT / "pages").glob("*.py"))]
DEPLOY, MODELS, CHAT, SYSTEM = PAGES[1:5]
SECONDS = 30


@pytest.fixture(autouse=True)
def _server(monkeypatch: pytest.MonkeyPatch) -> None:
    nobody_by_default(monkeypatch)


@pytest.fixture
def models(home: Path) -> Iterator[None]:
    """One that runs and one that does not."""
    with access.acting(access.Role.OWNER), running_fake() as fake:
        lay_fake(home, fake)
        tiny_gguf.write_tiny(settings().models / "asleep.gguf")
        yield


def opened(path: Path, user: dict[str, str]) -> AppTest:
    page = AppTest.from_file(path, default_timeout=SECONDS)
    page.user = dict(user)
    page.run()
    assert not page.exception
    return page


def shown(page: AppTest) -> str:
    every = (page.markdown, page.caption, page.info, page.error, page.header)
    told = " ".join(str(element.value) for elements in every for element in elements)
    return told.replace("\\", "")


def labels(page: AppTest) -> set[str]:
    return {button.label for button in page.button}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_a_page_without_models_offers_a_guest_nothing_to_deploy(path: Path) -> None:
    page = opened(path, GUEST)
    assert not page.error
    assert labels(page) <= {"New", "Sign out"}
    assert "You are a guest here." in shown(page)
    assert "nobody" not in shown(page)


@pytest.mark.usefixtures("models")
@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_a_page_with_models_offers_a_guest_the_chat_alone(path: Path) -> None:
    page = opened(path, GUEST)
    assert not page.error
    assert not labels(page) & {"Stop", "Start", "More", "Share", "Stop sharing", "New code"}
    assert opened(path, OWNER)


@pytest.mark.usefixtures("models")
def test_the_same_pages_offer_it_to_the_owner() -> None:
    assert {"Stop", "Start", "More", "Chat"} <= labels(opened(MODELS, OWNER))
    assert "Sharing" in shown(opened(SYSTEM, OWNER))
    assert "Sharing" not in shown(opened(SYSTEM, GUEST))


def test_the_deploy_page_tells_a_guest_who_deploys() -> None:
    page = opened(DEPLOY, GUEST)
    assert "Only the owner deploys models here." in shown(page)
    assert not page.text_input


def test_a_guest_cannot_open_a_deployment_by_its_address() -> None:
    with access.acting(access.Role.OWNER):
        job = jobs.start(["true"], title="A secret title", kind="deploy")
    page = AppTest.from_file(DEPLOY, default_timeout=SECONDS)
    page.user = dict(GUEST)
    page.query_params["job"] = job.id
    page.run()
    assert "A secret title" not in shown(page)
    assert "A secret title" not in shown(opened(ROOT / "Home.py", GUEST))


@pytest.mark.usefixtures("models")
def test_a_guest_chats_with_the_models_that_run_and_are_for_guests() -> None:
    picker = opened(CHAT, GUEST).selectbox(key="chat_model")
    assert picker.options == ["fake"]
    assert len(opened(CHAT, OWNER).selectbox(key="chat_model").options) == 2
    with access.acting(access.Role.OWNER):
        change(guests={"models": ["llamacpp/asleep"]})
    page = opened(CHAT, GUEST)
    assert not page.selectbox
    assert "No model runs here for guests now." in shown(page)
    assert "Chat" not in labels(opened(MODELS, GUEST))


@pytest.mark.usefixtures("models")
def test_a_guest_lands_in_the_chat() -> None:
    page = opened(PAGES[0], GUEST)
    assert page.selectbox(key="chat_model").value == "llamacpp/fake"
    assert opened(PAGES[0], OWNER).title[0].value == "Home"


@pytest.mark.usefixtures("models")
def test_a_guest_reads_where_what_is_written_goes() -> None:
    told = shown(opened(CHAT, GUEST))
    assert "fake runs on the machine that shares it. What you write goes there, unencrypted" in told
    assert "nothing you write leaves it" not in told
    assert "nothing you write leaves it" in shown(opened(CHAT, OWNER))


@pytest.mark.parametrize("user", [{}, {"role": "root"}, {"role": ""}, {"email": "a@b.c"}], ids=str)
@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_a_page_that_did_not_come_through_the_gate_shows_nothing(
    path: Path, user: dict[str, str]
) -> None:
    page = opened(path, user)
    assert [box.value.replace("\\", "") for box in page.error] == [
        "**Berth does not know who asks for this.** Open it at the address that it printed."
    ]
    assert not page.button
    assert not page.markdown


def test_the_owner_changes_the_limits_and_when_sharing_begins() -> None:
    page = opened(SYSTEM, OWNER)
    page.toggle(key="sharing_at_start").set_value(True).run()
    assert not page.exception
    page.number_input(key="sharing_limit_replies_each").set_value(3)
    page.checkbox(key="sharing_limit_may_load").set_value(True)
    next(button for button in page.button if button.label == "Save the limits").click().run()
    assert not page.exception
    text = settings().preferences.read_text()
    assert "share_at_start = true" in text
    assert "replies_each = 3" in text
    assert "may_load = true" in text
    assert "tokens_per_reply" not in text


def test_the_owner_asks_for_a_key_and_sees_the_link_with_it(home: Path) -> None:
    page = opened(SYSTEM, OWNER)
    assert "gets in" in shown(page) or "get in" in shown(page)
    page.toggle(key="owner_key_asked").set_value(True).run()
    assert not page.exception
    key = (home / "owner.key").read_text().strip()
    assert any(f"/?key={key}" in code.value for code in page.code)
    page.toggle(key="owner_key_asked").set_value(False).run()
    assert not page.exception
    assert not any(key in code.value for code in page.code)
    assert "require_key" not in settings().preferences.read_text()


def test_a_guest_sees_neither_key_nor_who_else_is_signed_in(home: Path) -> None:
    with access.acting(access.Role.OWNER):
        owner_key.choose(True)
    page = opened(SYSTEM, GUEST)
    assert not page.toggle
    assert not any("key=" in code.value for code in page.code)


@pytest.mark.usefixtures("models")
def test_the_example_for_programs_reads_the_key_from_its_file(home: Path) -> None:
    assert "owner.key" not in _example()
    with access.acting(access.Role.OWNER):
        owner_key.choose(True)
    assert f"$(<{home}/owner.key)" in _example()
    assert _example().count(f"{home}/owner.key") == 4
    assert (home / "owner.key").read_text().strip() not in _example()


def _example() -> str:
    with access.acting(access.Role.OWNER):
        model = find_model("fake")
        found = endpoints_view.texts(model, endpoints_view.through_berth(model))
    assert [*found] == [*endpoints_view.LANGUAGES]
    return "\n".join(text for name, text in found.items() if name != endpoints_view.OWN)


def allow(**limits: int) -> None:
    with access.acting(access.Role.OWNER):
        change(guests=limits)


def switches(page: AppTest) -> list[str]:
    return [toggle.label for toggle in page.toggle]


@pytest.fixture
def three_models(home: Path, models: None) -> Iterator[None]:
    """Two that run and one that does not."""
    with access.acting(access.Role.OWNER), running_fake() as other:
        lay_fake(home, other, name="other")
        yield


@pytest.mark.usefixtures("three_models")
def test_a_guest_compares_as_many_running_models_as_the_owner_allows() -> None:
    assert switches(opened(CHAT, GUEST)) == []
    assert switches(opened(CHAT, OWNER)) == ["Compare"]
    allow(replies_each=2)
    page = opened(CHAT, GUEST)
    page.toggle(key="chat_compare").set_value(True).run()
    assert page.multiselect(key="chat_compared").value == ["llamacpp/fake", "llamacpp/other"]
    assert page.multiselect(key="chat_compared").options == ["fake", "other"]
    assert page.multiselect(key="chat_compared").max_selections == 2
    assert "loaded" not in shown(page)


@pytest.mark.usefixtures("three_models")
def test_a_guest_is_back_with_one_model_when_the_owner_allows_no_more() -> None:
    allow(replies_each=4)
    page = opened(CHAT, GUEST)
    page.toggle(key="chat_compare").set_value(True).run()
    allow(replies_each=1)
    page.run()
    assert not page.exception
    assert switches(page) == []
    assert page.selectbox(key="chat_model").value == "llamacpp/fake"


@pytest.mark.usefixtures("models")
def test_a_guest_compares_nothing_where_one_model_runs() -> None:
    allow(replies_each=4)
    assert switches(opened(CHAT, GUEST)) == []


@pytest.mark.usefixtures("three_models")
@pytest.mark.parametrize("limit", ["replies_of_all", "questions_per_minute"])
def test_a_guest_compares_no_more_than_any_limit_allows(limit: str) -> None:
    allow(replies_each=4, **{limit: 2})
    page = opened(CHAT, GUEST)
    page.toggle(key="chat_compare").set_value(True).run()
    assert page.multiselect(key="chat_compared").max_selections == 2
    allow(replies_each=4, **{limit: 1})
    assert switches(opened(CHAT, GUEST)) == []


@pytest.mark.usefixtures("models")
def test_the_settings_tell_a_guest_what_becomes_of_a_model_that_does_not_run() -> None:
    with access.acting(access.Role.OWNER):
        asleep = find_model("asleep")
        assert "loaded with this" in chat_settings_view._loaded(asleep)
    with access.acting(access.Role.GUEST, "guest-1"):
        assert "guests cannot start it" in chat_settings_view._loaded(asleep)
    with access.acting(access.Role.OWNER):
        change(guests={"may_load": True})
    with access.acting(access.Role.GUEST, "guest-1"):
        assert "It does not run: it is loaded when you send" in chat_settings_view._loaded(asleep)
