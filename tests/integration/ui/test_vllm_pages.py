"""The pages with a slot and a server elsewhere: what they show and what can be pressed."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from lib.core.preferences import change
from lib.engines.base import StartOptions, State
from lib.engines.vllm import ENGINE, addresses, watch
from lib.jobs import jobs
from lib.jobs.jobs import JobState
from lib.slots import job as slot_job
from tests.conftest import ROOT
from tests.support.fake_server import Running
from tests.support.fake_vllm import running_vllm
from tests.support.vllm_slots import Box, boxed
from tests.support.waiting import until

SECONDS = 30


@pytest.fixture
def box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Box]:
    monkeypatch.setattr(ENGINE, "_watcher", watch.Watcher())
    monkeypatch.setattr(watch, "FRESH_SECONDS", 0.1)
    monkeypatch.setattr(watch, "FRESH_ELSEWHERE_SECONDS", 0.1)
    yield from boxed(tmp_path, monkeypatch)


@pytest.fixture(scope="module")
def lab() -> Iterator[Running]:
    with running_vllm() as fake:
        yield fake


def opened(name: str, user: dict[str, str] | None = None) -> AppTest:
    page = AppTest.from_file(ROOT / name, default_timeout=SECONDS)
    page.user = user or {}
    page.run()
    assert not page.exception
    return page


def captions(page: AppTest) -> str:
    """Without the backslashes that keep what others wrote from being markdown."""
    return "\n".join(caption.value for caption in page.caption).replace("\\", "")


def buttons(page: AppTest) -> list[str]:
    return [button.key for button in page.button if button.key]


def test_a_slots_model_is_started_and_stopped_on_the_models_page(box: Box) -> None:
    slot = box.slot()
    page = opened("pages/2_Models.py")
    assert f"vLLM · slot {slot}" in captions(page)
    ENGINE.start("tiny", StartOptions())
    box.fake(slot).behave(kv_share=0.4, waiting=1)
    ENGINE._watcher.sights([])
    page = opened("pages/2_Models.py")
    assert "stop-vllm-tiny" in buttons(page)
    page.button(key="stop-vllm-tiny").click().run()
    assert not page.exception
    assert [error.value for error in page.error] == []
    assert ENGINE.models()[0].state == State.STOPPED


def details() -> AppTest:
    """The model's details, on a page that other pages can be reached from."""
    page = opened("Home.py").switch_page("pages/2_Models.py").run()
    page.button(key="more-vllm-tiny").click().run()
    return page


def test_without_root_its_details_have_log_and_the_command_that_removes_it(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slot_job, "can_remove", lambda: False)
    slot = box.slot()
    ENGINE.start("tiny", StartOptions())
    page = details()
    page.segmented_control(key="section-vllm-tiny").select("Log").run()
    assert any("startup complete" in text.value for text in page.code)
    assert any(f"deploy_model.sh --remove {slot}" in code.value for code in page.code)
    assert "remove-vllm-tiny" not in buttons(page)


def test_with_root_it_is_removed_with_all_that_belongs_to_it(box: Box) -> None:
    slot = box.slot()
    ENGINE.start("tiny", StartOptions())
    page = details()
    assert not any("deploy_model.sh" in code.value for code in page.code)
    page.button(key="remove-vllm-tiny").click().run()
    assert any("entries in LiteLLM and nginx" in text.value for text in page.markdown)
    assert box.places.unit(slot).exists()
    page.button(key="remove_model").click().run()
    [job] = jobs.recent(kind=slot_job.REMOVAL)
    until(lambda: not jobs.find(job.id).is_active, "the end of the removal")
    job = jobs.find(job.id)
    assert job.state == JobState.SUCCEEDED, job.log_tail()
    assert not box.places.unit(slot).exists()
    assert ENGINE.models() == []
    page = AppTest.from_file(ROOT / "pages/1_Deploy.py", default_timeout=SECONDS)
    page.query_params["job"] = job.id
    page.run()
    assert not page.exception
    assert [text.value.replace("\\", "") for text in page.success] == [f"Slot {slot} is empty."]


def test_what_it_does_is_a_line_on_both_pages(box: Box) -> None:
    slot = box.slot("--waiting", "1", "--kv-share", "0.95")
    ENGINE.start("tiny", StartOptions())
    assert slot is not None
    said = "1 waiting for memory · KV 95 %"
    assert said in captions(opened("pages/2_Models.py"))
    assert f"tiny: {said}" in captions(opened("pages/4_System.py"))


def test_a_model_elsewhere_can_be_asked_and_nothing_else(box: Box, lab: Running) -> None:
    addresses.add("lab", lab.url)
    page = opened("pages/2_Models.py")
    assert "on lab" in captions(page)
    assert "chat-vllm-tiny@lab" in buttons(page)
    assert not {"stop-vllm-tiny@lab", "start-vllm-tiny@lab"} & set(buttons(page))
    page = opened("pages/3_Chat.py")
    assert "tiny@lab runs on lab, another machine: what you write goes there." in captions(page)


def test_guests_see_no_button_for_it_until_the_owner_names_it(box: Box, lab: Running) -> None:
    addresses.add("lab", lab.url)
    page = opened("pages/2_Models.py", {"role": "guest", "who": "guest-1"})
    assert "on lab" in captions(page)
    assert "chat-vllm-tiny@lab" not in buttons(page)
    change(guests={"models": ["vllm/tiny@lab"]})
    page = opened("pages/2_Models.py", {"role": "guest", "who": "guest-1"})
    assert "chat-vllm-tiny@lab" in buttons(page)


def test_an_address_is_added_and_removed_on_the_settings_page(box: Box, lab: Running) -> None:
    page = opened("pages/5_Settings.py")
    page.text_input(key="address_name").input("lab")
    page.text_input(key="address_url").input(lab.url)
    page.text_input(key="address_key").input("sk-secret")
    page.button[[b.label for b in page.button].index("Add")].click().run()
    assert not page.exception and not page.error
    assert [address.name for address in addresses.all_addresses()] == ["lab"]
    assert "sk-secret" not in repr(page.session_state)
    assert page.success[0].value == "Saved\\. lab answers\\: it has 1 model\\."
    assert f"{lab.url}/v1" in captions(page)
    page.button(key="remove-address-lab").click().run()
    assert addresses.all_addresses() == []


def test_a_wrong_address_is_refused_in_words_and_stays_in_its_field(box: Box) -> None:
    page = opened("pages/5_Settings.py")
    page.text_input(key="address_name").input("lab")
    page.text_input(key="address_url").input("http://8.8.8.8")
    page.button[[b.label for b in page.button].index("Add")].click().run()
    assert any("is on the internet" in error.value for error in page.error)
    assert page.text_input(key="address_url").value == "http://8.8.8.8"
