"""Every page runs, with nothing deployed and with models of every state."""

import shutil
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from lib.core.settings import settings
from lib.engines.llamacpp.adopt import adopt
from lib.fleet.removals import UNDO_SECONDS
from lib.fleet.removing import Removing
from tests.conftest import ROOT
from tests.support import tiny_gguf
from tests.support.tiny_encoder import write_encoder

PAGES = [ROOT / "Home.py", *sorted((ROOT / "pages").glob("*.py"))]
SECONDS = 30


def opened(path: Path) -> AppTest:
    page = AppTest.from_file(path, default_timeout=SECONDS)
    page.run()
    assert not page.exception
    return page


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_a_page_runs_with_nothing_deployed(path: Path) -> None:
    page = opened(path)
    is_offered = "Start with a small model" in [button.label for button in page.button]
    assert is_offered is (path.stem in ("Home", "3_Chat"))


def test_a_models_page_without_models_says_what_belongs_there_and_leads_to_it() -> None:
    page = opened(ROOT / "pages/2_Models.py")
    assert any("Every model that is on this machine" in one.value for one in page.caption)
    assert "Deploy a model" in [button.label for button in page.button]


@pytest.fixture
def models() -> Path:
    """A model that can chat, one that cannot, a broken one and a folder named like one."""
    folder = settings().models
    folder.mkdir(parents=True)
    tiny_gguf.write_tiny(folder / "tiny.gguf")
    tiny_gguf.write_tiny(folder / "base.gguf", template=None)
    tiny_gguf.write_truncated(folder / "cut.gguf")
    (folder / "folder.gguf").mkdir()
    return folder


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
@pytest.mark.usefixtures("models")
def test_a_page_runs_with_models_of_every_kind(path: Path) -> None:
    page = opened(path)
    assert "Start with a small model" not in [button.label for button in page.button]


@pytest.mark.usefixtures("models")
def test_the_models_page_shows_each_model_with_its_state_and_what_is_wrong() -> None:
    page = opened(ROOT / "pages/2_Models.py")
    shown = " ".join(text.value for text in page.markdown)
    assert all(name in shown for name in ("tiny", "base", "cut"))
    assert len(page.error) >= 1
    assert any("no chat template" in caption.value for caption in page.caption)


@pytest.mark.usefixtures("models")
def test_search_leaves_the_models_that_match() -> None:
    page = opened(ROOT / "pages/2_Models.py")
    page.text_input(key="models_search").set_value("BAS").run()
    shown = " ".join(text.value for text in page.markdown)
    assert "base" in shown
    assert "tiny" not in shown


def test_removal_asks_once_and_names_what_goes(models: Path) -> None:
    page = opened(ROOT / "pages/2_Models.py")
    page.button(key="more-llamacpp-tiny").click().run()
    page.button(key="remove-llamacpp-tiny").click().run()
    assert (models / "tiny.gguf").exists()
    assert any("tiny" in text.value and "deleted" in text.value for text in page.markdown)
    page.button(key="keep_model").click().run()
    assert (models / "tiny.gguf").exists()


def test_removing_a_link_says_that_the_file_stays(models: Path, tmp_path: Path) -> None:
    [mine] = tiny_gguf.write_tiny(tmp_path / "mine" / "linked.gguf")
    adopt(mine)
    page = opened(ROOT / "pages/2_Models.py")
    page.button(key="more-llamacpp-linked").click().run()
    assert page.button(key="remove-llamacpp-linked").label == "Take off the list"
    page.button(key="remove-llamacpp-linked").click().run()
    shown = " ".join(text.value for text in (*page.markdown, *page.caption)).replace("\\", "")
    assert "is stopped and taken off the list" in shown
    assert "downloaded again" not in shown
    assert f"stays where it is: {mine}" in shown
    assert any("can be undone" in caption.value for caption in page.caption)
    page.button(key="remove_model").click().run()
    assert not page.exception
    assert page.button(key="undo-llamacpp-linked").label == "Undo"
    assert list(models.rglob("linked.gguf"))
    watch = Removing()
    watch.look(0.0)
    watch.look(UNDO_SECONDS)
    assert mine.exists()
    assert not list(models.rglob("linked.gguf"))


def test_what_writes_nothing_is_listed_with_what_it_does_and_not_offered_to_chat(
    models: Path,
) -> None:
    write_encoder(models / "reader.gguf")
    page = opened(ROOT / "pages/2_Models.py")
    assert any("makes vectors (embeddings)" in caption.value for caption in page.caption)
    page = opened(ROOT / "pages/3_Chat.py")
    assert "llamacpp/reader" not in page.selectbox(key="chat_model").options
    assert not any("reader" in option for option in page.selectbox(key="chat_model").options)


def test_a_model_that_vanishes_while_its_removal_is_asked_harms_nothing(models: Path) -> None:
    page = opened(ROOT / "pages/2_Models.py")
    page.button(key="more-llamacpp-tiny").click().run()
    page.button(key="remove-llamacpp-tiny").click().run()
    (models / "tiny.gguf").unlink()
    page.run()
    assert not page.exception


@pytest.mark.usefixtures("models")
def test_the_chat_offers_completion_for_a_model_without_template() -> None:
    page = opened(ROOT / "pages/3_Chat.py")
    page.selectbox(key="chat_model").set_value("llamacpp/base").run()
    assert not page.exception
    assert "continue" in page.chat_input[0].placeholder.lower()
    assert any("no chat template" in text.value for text in page.header)


def test_the_chat_survives_an_address_that_names_no_conversation(models: Path) -> None:
    assert models.exists()
    page = AppTest.from_file(ROOT / "pages/3_Chat.py", default_timeout=SECONDS)
    page.query_params["c"] = "../../etc/passwd\0"
    page.run()
    assert not page.exception


def test_pages_tell_of_a_models_folder_that_cannot_be_read(models: Path) -> None:
    shutil.rmtree(models)
    models.write_text("not a folder")
    opened(ROOT / "Home.py")
