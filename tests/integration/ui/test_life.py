"""What is decided about a model, on its page: drawn is what is on disk, and nothing else."""

from collections.abc import Iterator
from pathlib import Path

import gguf
import pytest
from streamlit.testing.v1 import AppTest

from lib.core.access import Role, acting
from lib.core.settings import settings
from lib.engines import find_model, variants
from lib.engines.base import StartOptions, State
from lib.fleet import rules, tries
from lib.fleet.rules import Rule
from lib.fleet.tries import Tries
from lib.ui import life
from lib.ui.life import ends
from tests.conftest import ROOT
from tests.support.tiny_gguf import write_tiny

MODELS = ROOT / "pages/2_Models.py"
KEY = "llamacpp-tiny"


@pytest.fixture(autouse=True)
def _owner(home: object) -> Iterator[None]:
    with acting(Role.OWNER):
        yield


def opened() -> AppTest:
    """With the details of the one model there is."""
    page = AppTest.from_file(MODELS, default_timeout=30)
    page.session_state["models_details"] = KEY
    page.run()
    assert not page.exception
    return page


def test_what_another_tab_decided_is_drawn_and_stays_when_something_else_is_set(
    models: Path,
) -> None:
    write_tiny(models / "tiny.gguf")
    page = opened()
    rules.change(find_model("tiny"), Rule(is_pinned=True, idle_minutes=60))
    page.toggle(key=f"boot-{KEY}").set_value(True).run()
    assert rules.of(find_model("tiny")) == Rule(
        is_pinned=True, idle_minutes=60, starts_at_boot=True
    )
    assert page.toggle(key=f"pin-{KEY}").value
    assert page.selectbox(key=f"idle-{KEY}").value == 60
    rules.change(find_model("tiny"), Rule(idle_minutes=77))
    page.run()
    assert not page.toggle(key=f"pin-{KEY}").value
    assert not page.toggle(key=f"boot-{KEY}").value
    assert page.selectbox(key=f"idle-{KEY}").value == 77


def test_where_the_disk_refuses_the_fields_show_what_is_so(models: Path) -> None:
    write_tiny(models / "tiny.gguf")
    page = opened()
    settings().rules.with_suffix(".new.json").mkdir(parents=True)  # nothing can be written there
    page.toggle(key=f"boot-{KEY}").set_value(True).run()
    assert page.error
    assert not page.toggle(key=f"boot-{KEY}").value
    assert rules.of(find_model("tiny")) == Rule()


def test_loaded_with_shows_what_holds_whoever_chose_it(models: Path) -> None:
    write_tiny(models / "tiny.gguf")
    page = opened()
    variants.save("llamacpp/tiny", "Long", StartOptions(context=512))
    page.run()
    assert page.selectbox(key=f"variant-{KEY}").value == "Long"
    assert page.button(key=f"variant-delete-{KEY}").label == "Delete “Long”"
    variants.delete("llamacpp/tiny", "Long")
    page.run()
    assert page.selectbox(key=f"variant-{KEY}").value == variants.COMPUTED
    assert not page.exception


def test_what_was_typed_last_is_saved_though_nothing_was_drawn_since(models: Path) -> None:
    write_tiny(models / "tiny.gguf")
    page = opened()
    page.text_input(key=f"variant-name-{KEY}-").set_value("Four")
    page.number_input(key=f"variant-Slots-{KEY}-").set_value(4)
    page.number_input(key=f"variant-Context length-{KEY}-").set_value(512)
    page.selectbox(key=f"variant-kv-{KEY}-").set_value("q8_0")
    page.button(key=f"variant-save-{KEY}-").click().run()
    saved = variants.of("llamacpp/tiny").named["Four"]
    assert (saved.slots, saved.context, saved.kv_type) == (4, 512, "q8_0")
    assert not page.exception


def test_a_model_trained_for_less_than_can_be_chosen_has_no_choice_of_context(
    models: Path,
) -> None:
    write_tiny(models / "tiny.gguf", context=128)
    page = opened()
    assert not [one for one in page.number_input if one.label == "Context length"]
    page.text_input(key=f"variant-name-{KEY}-").set_value("Short")
    page.button(key=f"variant-save-{KEY}-").click().run()
    assert not page.error
    assert variants.of("llamacpp/tiny").named["Short"].context is None


def test_a_model_that_says_it_was_trained_for_more_than_any_number_can_be_opened(
    models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def huge(writer: gguf.GGUFWriter, length: int) -> None:
        writer.add_uint64("llama.context_length", length)

    monkeypatch.setattr(gguf.GGUFWriter, "add_context_length", huge)
    write_tiny(models / "tiny.gguf", context=2**60)
    field = opened().number_input(key=f"variant-Context length-{KEY}-")
    assert (field.min, field.max) == (256, 10_485_760)


def test_why_it_was_given_up_is_drawn_letter_for_letter(models: Path) -> None:
    write_tiny(models / "tiny.gguf")
    tries.keep("tiny", Tries(count=3, gave_up="It ended: ![x](http://x/y.png) :red[z]."))
    failed = find_model("tiny").model_copy(update={"state": State.FAILED})
    assert "\\!\\[x\\]" in ends.fact(failed)
    assert "\\:red\\[z\\]" in life.fact(failed)


def test_a_log_that_moves_on_while_it_is_looked_at_is_left_out(
    models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tiny(models / "tiny.gguf")
    kept = models / "kept.log"
    kept.write_text("The last words")
    monkeypatch.setattr(tries, "logs", lambda model: [models / "moved.end1", kept])
    page = opened()
    assert not page.exception
    assert [fold.label for fold in page.expander if "It ended" in fold.label] == [
        "It ended just now: its log"
    ]
