"""The models page: sorted, filtered, as a table; removed and undone; details of one model."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from lib.core import activity
from lib.core.access import Role, acting
from lib.core.activity import Kind
from lib.core.settings import settings
from lib.engines import all_models, find_model, titles, variants
from lib.engines.base import Model, StartOptions, State
from lib.fleet import removals, removing, rules
from lib.fleet.figures import Order
from lib.jobs import jobs
from lib.ui.models import listing
from tests.conftest import ROOT
from tests.support.berth import lay_fake
from tests.support.fake_engine import running_fake
from tests.support.ollama import faking
from tests.support.tiny_gguf import CHATML, write_tiny, write_truncated
from tests.support.visitors import GUEST
from tests.support.waiting import until

MODELS = ROOT / "pages/2_Models.py"
SECONDS = 30


@pytest.fixture
def three(models: Path) -> Path:
    """Three of different kinds."""
    write_tiny(models / "acme" / "Tiny-GGUF" / "main" / "tiny.gguf", context=512)
    write_tiny(models / "base.gguf", template=None)
    write_truncated(models / "cut.gguf")
    return models


def opened(user: dict[str, str] | None = None) -> AppTest:
    page = AppTest.from_file(MODELS, default_timeout=SECONDS)
    page.user = user or {}
    page.run()
    assert not page.exception
    return page


def shown(page: AppTest) -> str:
    every = (page.markdown, page.caption, page.code, page.text)
    return "\n".join(str(one.value) for found in every for one in found).replace("\\", "")


def names(page: AppTest) -> list[str]:
    """Of the rows, in their order."""
    return [
        str(button.key).partition("-llamacpp-")[2] for button in page.button if _is_more(button)
    ]


def _is_more(button: object) -> bool:
    return str(getattr(button, "key", "")).startswith("more-llamacpp-")


@pytest.mark.usefixtures("three")
def test_the_list_is_sorted_as_was_asked() -> None:
    page = opened()
    assert names(page) == ["cut", "base", "tiny"]
    page.selectbox(key="models_order").select(Order.NAME).run()
    assert names(page) == ["base", "cut", "tiny"]
    page.selectbox(key="models_order").select(Order.CONTEXT).run()
    assert names(page) == ["base", "tiny", "cut"]


@pytest.mark.usefixtures("three")
def test_filters_leave_what_they_name_and_tell_how_many_there_are() -> None:
    page = opened()
    page.button_group(key="models_states").set_value([State.FAILED]).run()
    assert names(page) == ["cut"]
    page.text_input(key="models_search").set_value("tiny").run()
    assert names(page) == []
    assert "No model is of this kind and has this in its name: 1 filter set." in shown(page)


def test_one_model_needs_no_tools(models: Path) -> None:
    write_tiny(models / "tiny.gguf")
    page = opened()
    assert names(page) == ["tiny"]
    assert not page.text_input
    assert not page.selectbox


def test_many_models_are_a_table_and_a_few_are_rows(
    three: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert opened().segmented_control(key="models_view").value == listing.ROWS
    monkeypatch.setattr(listing, "MOST_IN_ROWS", 2)
    page = opened()
    assert page.segmented_control(key="models_view").value == listing.TABLE
    assert names(page) == []
    assert "Choose models to start, stop, pin or remove them together." in shown(page)


def table_with(*picked: str) -> AppTest:
    page = AppTest.from_file(MODELS, default_timeout=SECONDS)
    page.session_state["models_view"] = listing.TABLE
    page.session_state["models_picked"] = list(picked)
    page.run()
    assert not page.exception
    return page


@pytest.mark.usefixtures("three")
def test_several_are_pinned_started_and_stopped_together() -> None:
    page = table_with("llamacpp/tiny", "llamacpp/base", "llamacpp/gone")
    assert "**2 chosen**" in shown(page)
    assert page.button(key="models_start").label == "Start 2"
    assert page.button(key="models_stop").disabled
    page.button(key="models_pin").click().run()
    assert rules.of(find_model("tiny")).is_pinned
    assert page.button(key="models_unpin").label == "Unpin 2"
    page.button(key="models_start").click().run()
    assert not page.exception
    until(lambda: [m.state for m in all_models()].count(State.READY) == 2, "both run")
    page.run()
    assert page.button(key="models_stop").label == "Stop 2"
    page.button(key="models_stop").click().run()
    assert State.READY not in [model.state for model in all_models()]
    page.button(key="models_none").click().run()
    assert "chosen**" not in shown(page)


@pytest.mark.usefixtures("three")
def test_several_are_removed_together_after_one_question_and_one_is_kept() -> None:
    page = table_with("llamacpp/tiny", "llamacpp/cut")
    page.button(key="models_remove").click().run()
    assert "**2 models** are stopped and their files are deleted:" in shown(page)
    assert page.button(key="remove_model").label.startswith("Remove 2 models (frees ")
    page.button(key="remove_model").click().run()
    assert not page.exception
    assert {*removals.waiting()} == {"llamacpp/tiny", "llamacpp/cut"}
    assert "chosen**" not in shown(page)
    assert "**2 removed**" in shown(page)
    page.segmented_control(key="models_view").select(listing.ROWS).run()
    assert "Removed: frees " in shown(page)
    assert not [b for b in page.button if b.key == "start-llamacpp-tiny"]
    page.button(key="undo-llamacpp-tiny").click().run()
    assert {*removals.waiting()} == {"llamacpp/cut"}
    assert [b for b in page.button if b.key == "start-llamacpp-tiny"]


@pytest.mark.usefixtures("three")
def test_all_that_was_removed_together_comes_back_with_one_press() -> None:
    with acting(Role.OWNER):
        removing.remove_soon(find_model("tiny"), find_model("cut"))
    page = table_with()
    page.button(key="models_undo_all").click().run()
    assert not page.exception
    assert removals.waiting() == {}


@pytest.mark.usefixtures("three")
def test_what_is_chosen_and_not_seen_is_told() -> None:
    page = table_with("llamacpp/tiny", "llamacpp/base")
    page.text_input(key="models_search").set_value("tiny").run()
    assert "**2 chosen** :gray[(1 not shown here)]" in shown(page)


@pytest.mark.usefixtures("three")
def test_a_guest_sees_the_table_and_nothing_to_choose() -> None:
    with acting(Role.OWNER):
        removals.mark(find_model("tiny"), "")
    page = AppTest.from_file(MODELS, default_timeout=SECONDS)
    page.user = dict(GUEST)
    page.session_state["models_view"] = listing.TABLE
    page.session_state["models_picked"] = ["llamacpp/tiny"]
    page.session_state["models_details"] = "llamacpp-tiny"
    page.run()
    assert not page.exception
    assert [button.key for button in page.button] == ["guest_sign_out"]
    assert "chosen" not in shown(page)
    assert str(settings().models) not in shown(page)
    page.segmented_control(key="models_view").select(listing.ROWS).run()
    assert not [b for b in page.button if str(b.key).startswith("undo-")]


def section(page: AppTest, name: str, key: str = "llamacpp-tiny") -> str:
    page.segmented_control(key=f"section-{key}").select(name).run()
    assert not page.exception
    return shown(page)


@pytest.mark.usefixtures("three", "ended_jobs")
def test_the_details_tell_what_it_is_where_it_lies_and_what_happened() -> None:
    activity.note(Kind.FAILED, "tiny", "It was not started. [x](y)", who="Berth")
    for model in ("acme/Tiny-GGUF", "another/Model-GGUF"):
        jobs.start(["true"], title=f"Deploy {model}", kind="deploy", details={"model": model})
    page = opened()
    page.button(key="more-llamacpp-tiny").click().run()
    assert "Source:" in shown(page)  # what it is comes first
    page.segmented_control(key="section-llamacpp-tiny").select("Endpoints").run()
    assert '"model": "tiny"' in shown(page)
    page.segmented_control(key="language-llamacpp-tiny").select("Python").run()
    assert "client.chat.completions.create(" in shown(page)
    about = section(page, "About")
    assert "[acme/Tiny-GGUF](https://huggingface.co/acme/Tiny-GGUF)" in about
    assert "512 tokens" in about
    assert "starting it takes about" in about
    assert CHATML.strip() in about
    assert f"{settings().models}/acme/Tiny-GGUF/main/tiny.gguf" in section(page, "Files")
    history = section(page, "History")
    assert "Failed by Berth: It was not started." in history
    assert "Deploy acme/Tiny-GGUF: " in history
    assert "Deploy another" not in history


@pytest.mark.usefixtures("three")
def test_a_template_cannot_leave_its_block(models: Path) -> None:
    beside = models / "base.jinja"
    beside.write_text("```\n<script>alert(1)</script> :red[x]", encoding="utf-8")
    page = opened()
    page.button(key="more-llamacpp-base").click().run()
    section(page, "About", "llamacpp-base")
    assert beside.read_text() in [code.value for code in page.code]
    assert not any("<script>" in text.value for text in page.markdown)


def test_the_details_of_an_ollama_model_have_its_template(monkeypatch: pytest.MonkeyPatch) -> None:
    with faking(monkeypatch, "--models", "llama3.2:1b"):
        page = opened()
        page.button(key="more-ollama-llama3.2:1b").click().run()
        assert "range .Messages" in section(page, "About", "ollama-llama3.2:1b")
        assert "Ollama keeps its files itself." in section(page, "Files", "ollama-llama3.2:1b")


def test_what_did_not_come_from_the_table_is_passed_over() -> None:
    def script() -> None:
        import streamlit as st

        from lib.ui.elements import model_table

        def heard(act: object) -> None:
            st.error(f"{act} was heard")

        for told in (None, {}, {"act": None}, {"act": {"do": "rm"}}, {"act": [1]}):
            st.session_state[model_table.KEY] = told
            model_table._hear(heard)

    page = AppTest.from_function(script, default_timeout=SECONDS).run()
    assert not page.exception
    assert not page.error


def test_only_what_the_table_shows_can_be_chosen_or_undone_by_it() -> None:
    def script() -> None:
        import streamlit as st

        from lib.engines.base import Model, State
        from lib.ui.elements.model_table import Act
        from lib.ui.models import table
        from lib.ui.session import is_reversed, pick_models

        turned: list[bool] = []
        shown = {"llamacpp/a": Model(name="a", engine="llamacpp", state=State.STOPPED)}
        pick_models(["llamacpp/other", "llamacpp/a"])
        table._act(shown, Act(n=1, do="choose", ids=["llamacpp/a", "llamacpp/strange"]))
        table._act(shown, Act(n=2, do="undo", id="llamacpp/strange"))
        table._act(shown, Act(n=3, do="sort", id="by nobody"))
        for number in (4, 5, 6):
            table._act(shown, Act(n=number, do="sort", id="Disk"))
            turned.append(is_reversed())
        st.session_state["turned"] = turned

    page = AppTest.from_function(script, default_timeout=SECONDS).run()
    assert not page.exception
    assert page.session_state["models_picked"] == ["llamacpp/other", "llamacpp/a"]
    assert page.session_state["models_order"] == Order.DISK
    assert page.session_state["turned"] == [False, True, False]


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    looks: list[int] = []

    def looking() -> list[Model]:
        looks.append(1)
        return all_models()

    monkeypatch.setattr(listing, "all_models", looking)
    yield looks


@pytest.mark.usefixtures("three")
def test_a_run_of_the_page_looks_at_the_models_once(counted: list[int]) -> None:
    page = opened()
    assert len(counted) == 1
    page.run()
    assert len(counted) == 2


def test_the_more_models_the_less_often_they_are_looked_at() -> None:
    assert listing.Look([], 0.01).rhythm == 5.0
    assert listing.Look([], 4.0).rhythm == 80.0


def test_without_a_model_one_sentence_says_what_stands_here(models: Path) -> None:
    page = opened()
    assert "Every model that is on this machine stands here" in shown(page)
    assert [button.label for button in page.button if button.key == "empty_deploy"]


def test_a_model_is_renamed_and_found_by_both_names(models: Path) -> None:
    write_tiny(models / "acme" / "Anvil-1B-GGUF" / "main" / "anvil-1b-q4_k_m.gguf")
    write_tiny(models / "base.gguf")
    page = opened()
    assert "**Anvil 1B** :small[:gray[anvil-1b-q4_k_m]]" in shown(page)
    page.button(key="more-llamacpp-anvil-1b-q4_k_m").click().run()
    page.button_group(key="section-llamacpp-anvil-1b-q4_k_m").set_value("About").run()
    field = page.text_input(key="name-llamacpp-anvil-1b-q4_k_m")
    assert field.placeholder == "Anvil 1B"
    field.set_value("base")
    page.button(key="rename-name-llamacpp-anvil-1b-q4_k_m").click().run()
    assert "Another model is called" in " ".join(error.value for error in page.error)
    page.text_input(key="name-llamacpp-anvil-1b-q4_k_m").set_value("My helper")
    page.button(key="rename-name-llamacpp-anvil-1b-q4_k_m").click().run()
    assert not page.exception
    assert not page.error
    assert "**My helper** :small[:gray[anvil-1b-q4_k_m]]" in shown(page)
    for wanted in ("helper", "anvil"):
        page.text_input(key="models_search").set_value(wanted).run()
        assert names(page) == ["anvil-1b-q4_k_m"]


def test_a_look_at_many_names_reads_no_file_for_each(
    models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(30):
        write_tiny(models / f"model-{number}-q8_0.gguf")
    titles.rename(find_model("model-7-q8_0"), "Seven", all_models())
    all_models()
    asked: list[str] = []
    read = Path.read_bytes

    def noted(path: Path) -> bytes:
        asked.append(path.name)
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", noted)
    assert "Seven" in {model.called for model in all_models()}
    assert asked.count("titles.json") == 0
    assert len(asked) <= 2


def test_a_row_keeps_its_place_when_its_model_starts_or_stops(models: Path) -> None:
    for name in ("a", "b", "c"):
        write_tiny(models / f"{name}.gguf")
    with running_fake() as fake:
        lay_fake(settings().home, fake, "b")
        page = opened()
        assert names(page) == ["b", "a", "c"]
        (settings().engines / "b.json").unlink()
        page.run()
        assert names(page) == ["b", "a", "c"], "while one looks"
        page.text_input(key="models_search").set_value("c").run()
        page.text_input(key="models_search").set_value("").run()
        assert names(page) == ["b", "a", "c"]
        page.session_state["models_places"]["at"] -= 60
        page.run()
        assert names(page) == ["a", "b", "c"], "when one comes back later"


def test_a_stopped_model_tells_the_context_that_it_will_be_loaded_with(models: Path) -> None:
    write_tiny(models / "long.gguf", context=131_072)
    assert "context 8,192" in shown(opened())
    variants.save("llamacpp/long", "Long texts", StartOptions(context=16_384))
    assert "context 16,384" in shown(opened())
