"""The settings page: what is saved, what is said of it, and what it never shows."""

import shutil
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from lib.core.preferences import preferences
from lib.core.settings import ROOT, settings
from lib.engines.llamacpp import files
from lib.engines.vllm import addresses
from lib.fleet import model_folder
from lib.hub import TokenOrigin, token_origin
from lib.jobs import jobs
from tests.support.tiny_gguf import write_tiny
from tests.support.waiting import until

TOKEN = "hf_" + "a" * 30
SECONDS = 30


def opened() -> AppTest:
    page = AppTest.from_file(ROOT / "pages/5_Settings.py", default_timeout=SECONDS).run()
    assert not page.exception
    return page


def press(page: AppTest, label: str) -> AppTest:
    [button] = [one for one in page.button if one.label == label]
    button.click().run()
    assert not page.exception
    return page


def told(page: AppTest) -> str:
    """All that it says, as it is read."""
    parts = (page.caption, page.markdown, page.success, page.warning, page.error)
    return "\n".join(one.value for part in parts for one in part).replace("\\", "")


def save_folder(page: AppTest, text: str) -> AppTest:
    page.text_input(key="settings_models_folder").input(text)
    return press(page, "Save the folder")


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    (tmp_path / "disk").mkdir()
    return tmp_path / "disk"


def test_the_folder_is_shown_with_what_lies_there(models: Path) -> None:
    write_tiny(models / "tiny.gguf")
    assert f"In **{models}**: 1 model, 467 kB; " in told(opened())


def test_a_folder_that_cannot_be_is_refused_and_stays_in_its_field(models: Path) -> None:
    page = save_folder(opened(), "models")
    assert "“models” is not the whole path. Begin it with a /" in told(page)
    assert page.text_input(key="settings_models_folder").value == "models"


def test_models_are_moved_by_a_button_that_names_what_moves(
    models: Path, disk: Path, ended_jobs: None
) -> None:
    write_tiny(models / "tiny.gguf")
    page = save_folder(opened(), str(disk))
    assert f"goes to {disk}." in told(page)
    press(page, "Move 1 model (467 kB)")
    until(lambda: not jobs.running(model_folder.KIND))
    page = opened()
    assert f"All models lie in {disk} now." in told(page)
    assert not [one for one in page.button if one.label.startswith("Move")]
    assert files.find("tiny").full_path == disk / "tiny.gguf"


def test_a_move_that_failed_is_told_with_the_button_that_goes_on(
    models: Path, disk: Path, ended_jobs: None
) -> None:
    write_tiny(models / "acme" / "tiny.gguf")
    save_folder(opened(), str(disk))
    (disk / "acme").write_text("no folder")
    press(opened(), "Move 1 model (467 kB)")
    until(lambda: not jobs.running(model_folder.KIND))
    page = opened()
    assert "**Failed.**" in told(page)
    assert "then move again. Nothing is lost." in told(page)
    (disk / "acme").unlink()
    press(page, "Move 1 model (467 kB)")
    until(lambda: not jobs.running(model_folder.KIND))
    assert files.find("tiny").full_path == disk / "acme" / "tiny.gguf"


def test_a_disk_that_is_gone_is_told(disk: Path) -> None:
    save_folder(opened(), str(disk))
    shutil.rmtree(disk)
    assert f"The folder with your models, **{disk}**, is not there. Connect its disk" in told(
        opened()
    )


def test_the_folder_of_before_that_is_gone_can_be_left_out(disk: Path, models: Path) -> None:
    save_folder(opened(), str(disk))
    write_tiny(disk / "tiny.gguf")
    assert files.find("tiny")
    page = save_folder(opened(), "")
    disk.rename(disk.with_name("unplugged"))
    page = opened()
    assert "where models lay before, is not there (1 model" in told(page)
    press(page, "Look there no more")
    assert settings().model_roots == (models,)


def test_a_server_that_answers_is_told_and_one_that_does_not_is_kept(home: Path) -> None:
    page = opened()
    page.text_input(key="address_name").input("lab")
    page.text_input(key="address_url").input("http://127.0.0.1:9/v1")
    press(page, "Add")
    assert "Saved. lab gives no list of models now. Nothing answers at" in told(page)
    assert [one.name for one in addresses.all_addresses()] == ["lab"]
    page.button(key="try-address-lab").click().run()
    assert page.warning[0].value.startswith("lab gives no list of models now")


def test_the_login_of_the_hubs_tool_is_named_and_never_shown(tmp_path: Path) -> None:
    (tmp_path / "hf").mkdir()
    (tmp_path / "hf" / "token").write_text(TOKEN)
    page = opened()
    assert "was found on this machine, and is used." in told(page)
    page.text_input(key="hub_token").input("hf_" + "b" * 30)
    press(page, "Save the token")
    assert "A token is saved, and is used." in told(page)
    press(page, "Remove it, and use the login of hf auth login")
    assert token_origin() is TokenOrigin.LOGIN
    assert TOKEN not in told(page) + repr(page.session_state)


def test_a_login_that_is_not_used_by_itself_is_offered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")
    assert "No token is saved." in told(opened())
    (tmp_path / "hf").mkdir()
    (tmp_path / "hf" / "token").write_text(TOKEN)
    page = press(opened(), "Use this login")
    assert token_origin() is TokenOrigin.SAVED
    assert TOKEN not in told(page) + repr(page.session_state)


def test_checks_for_updates_are_switched_off(home: Path) -> None:
    page = opened()
    page.toggle(key="updates_toggle").set_value(False).run()
    assert not preferences().checks_for_updates


def test_variables_are_shown_with_their_values_and_no_secret(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setenv("PIP_INDEX_URL", "https://me:secret-word@index.example/simple")
    monkeypatch.setenv("BERTH_RETRIES", "9")
    page = opened()
    shown = told(page)
    assert "`BERTH_RETRIES` `9` (set)" in shown
    assert "`BERTH_STALL_SECONDS` `30` ·" in shown
    assert "`HF_TOKEN` `•••` (set)" in shown
    assert "`https://index.example/simple` (set)" in shown
    assert TOKEN not in shown and "secret-word" not in shown


def test_what_does_not_hold_at_once_says_so(home: Path) -> None:
    shown = told(opened())
    for mark in (
        "It holds from your next login on.",
        "It holds from the next start of a model on; those that run go on.",
        "Read when Berth starts: set one, then start Berth again.",
    ):
        assert mark in shown
    assert "Limits for guests: 2,048 tokens per reply" in shown


def test_what_programs_may_do_is_saved_at_once(home: Path) -> None:
    page = opened()
    page.toggle(key="settings_starts_on_demand").set_value(False).run()
    assert not preferences().starts_on_demand
    assert page.toggle(key="settings_makes_room_on_demand").disabled
    page.selectbox(key="settings_requests_at_once").set_value(4).run()
    page.selectbox(key="settings_requests_waiting").set_value(0).run()
    assert (preferences().requests_at_once, preferences().requests_waiting) == (4, 0)
    assert not page.exception
