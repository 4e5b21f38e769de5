"""The settings dialog without a browser: what is in force, what is refused, who may keep what."""

from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from lib.chat import presets
from lib.chat.settings import ChatSettings
from lib.core import access
from lib.core.access import Role
from lib.core.errors import BrokenFile
from lib.core.preferences import change
from lib.core.settings import settings
from lib.engines import all_models, find_model, titles
from lib.fleet import actions
from lib.sharing.for_guests import OTHERWISE
from tests.conftest import ROOT
from tests.support import tiny_gguf
from tests.support.berth import lay_fake
from tests.support.fake_engine import running_fake

SECONDS = 30
SCHEMA = '{"type": "object"}'


@pytest.fixture(autouse=True)
def models() -> Path:
    folder = settings().models
    folder.mkdir(parents=True)
    tiny_gguf.write_tiny(folder / "tiny.gguf")
    return folder


def opened(role: str = Role.OWNER) -> AppTest:
    """The chat page with the dialog open."""
    page = AppTest.from_file(ROOT / "pages/3_Chat.py", default_timeout=SECONDS)
    page.user = {"role": role, "who": "a" * 32}
    page.run()
    return checked(page.button(key="chat_settings").click().run())


def checked(page: AppTest) -> AppTest:
    assert not page.exception
    return page


def key(page: AppTest, name: str) -> str:
    return f"settings-{name}-{page.session_state['chat_conversation']['id']}"


def in_force(page: AppTest) -> dict[str, Any]:
    found: dict[str, Any] = page.session_state["chat_conversation"]["settings"]
    return found


def told(page: AppTest) -> str:
    return " ".join(str(element.value) for element in (*page.markdown, *page.caption, *page.error))


def write(page: AppTest, name: str, text: str) -> AppTest:
    return checked(page.text_area(key=key(page, name)).set_value(text).run())


def number(page: AppTest, name: str, value: float | None) -> AppTest:
    return checked(page.number_input(key=key(page, name)).set_value(value).run())


def test_a_closed_dialog_draws_nothing() -> None:
    page = AppTest.from_file(ROOT / "pages/3_Chat.py", default_timeout=SECONDS)
    page.run()
    assert not page.text_area
    assert not page.number_input


def test_every_field_begins_as_the_model_has_it() -> None:
    page = opened()
    assert [field.value for field in page.number_input] == [None] * 7
    grey = {field.label: field.placeholder for field in page.number_input}
    assert grey["Temperature"] == grey["Min-p"] == "As the engine has it", "it does not run"
    assert grey["Max tokens"] == "As far as the context goes"
    assert page.selectbox(key=key(page, "context")).value == 0
    assert in_force(page) == {}


def test_what_is_typed_is_in_force_and_named_when_the_dialog_closes() -> None:
    page = opened()
    write(page, "system", "Be brief.")
    number(page, "temperature", 0.0)
    write(page, "json_schema", SCHEMA)
    wanted = {"system": "Be brief.", "temperature": 0.0, "json_schema": SCHEMA}
    assert in_force(page) == wanted
    checked(page.button(key="chat_settings_done").click().run())
    assert not page.text_area
    label = page.button(key="chat_settings").label
    assert label == "Settings: System prompt · JSON · temperature 0"


def test_a_value_that_cannot_be_used_is_told_and_kept_in_its_field() -> None:
    page = opened()
    number(page, "temperature", 0.5)
    number(page, "temperature", 7.0)
    write(page, "json_schema", '{"type": "objct"}')
    write(page, "stop", "a\nb\nc\nd\ne")
    assert in_force(page) == {"temperature": 0.5}
    assert "from 0 to 2" in told(page)
    assert "no schema" in told(page)
    assert "4 stop sequences" in told(page)
    checked(page.button(key="chat_settings_done").click().run())
    assert page.session_state["chat_settings_lead"] == {
        "field": key(page, "temperature"),
        "times": 1,
    }
    assert page.number_input(key=key(page, "temperature")).value == 7.0
    assert page.text_area(key=key(page, "json_schema")).value == '{"type": "objct"}'
    write(page, "json_schema", SCHEMA)
    assert "no schema" not in told(page)
    assert in_force(page)["json_schema"] == SCHEMA


def test_what_only_the_check_holds_to_is_said_where_the_schema_is_saved() -> None:
    page = opened()
    number = '{"type": "object", "properties": {"price": {"type": "number", "minimum": 0}}}'
    write(page, "json_schema", number)
    assert "`minimum` of price\\: held by the check alone\\." in told(page)
    write(page, "json_schema", SCHEMA)
    assert "held by the check" not in told(page)


def test_a_schema_that_nothing_can_be_like_is_refused_where_it_is_typed() -> None:
    page = opened()
    write(page, "json_schema", '{"type": "object", "properties": {"a": false}, "required": ["a"]}')
    assert "No reply can be what this schema asks for" in told(page)
    assert "json_schema" not in in_force(page)


def test_reset_empties_every_field() -> None:
    page = opened()
    write(page, "system", "Be brief.")
    number(page, "seed", 4)
    number(page, "top_p", 9.0)
    checked(page.button(key="chat_settings_reset").click().run())
    assert in_force(page) == {}
    assert page.text_area(key=key(page, "system")).value == ""
    assert [field.value for field in page.number_input] == [None] * 7
    assert page.button(key="chat_settings_reset").disabled


def test_a_preset_fills_the_prompt_and_the_own_text_can_be_brought_back() -> None:
    page = opened()
    write(page, "system", "Mine.")
    preset = page.selectbox(key=key(page, "preset"))
    assert preset.value == "Your own text"
    checked(preset.set_value("Concise").run())
    assert in_force(page)["system"] == presets.BUILT_IN[0].text
    checked(page.button(key=key(page, "undo")).click().run())
    assert in_force(page)["system"] == "Mine."
    assert page.text_area(key=key(page, "system")).value == "Mine."


def test_the_owner_keeps_renames_and_deletes_a_preset() -> None:
    page = opened()
    write(page, "system", "You cook.")
    page.text_input(key=key(page, "name")).set_value("Cook").run()
    checked(page.button(key=key(page, "save")).click().run())
    assert [preset.name for preset in presets.own()] == ["Cook"]
    assert page.selectbox(key=key(page, "preset")).value == "Cook"
    page.text_input(key=key(page, "name")).set_value("Chef").run()
    checked(page.button(key=key(page, "rename")).click().run())
    assert [preset.name for preset in presets.own()] == ["Chef"]
    checked(page.button(key=key(page, "delete")).click().run())
    assert presets.own() == []
    assert in_force(page)["system"] == "You cook."


def test_a_name_that_berth_has_taken_is_told_at_the_name() -> None:
    page = opened()
    write(page, "system", "x")
    page.text_input(key=key(page, "name")).set_value("Concise").run()
    checked(page.button(key=key(page, "save")).click().run())
    assert "Berth brings" in told(page)


def test_new_conversations_begin_with_what_the_owner_chose() -> None:
    page = opened()
    number(page, "temperature", 0.2)
    checked(page.button(key="chat_settings_default").click().run())
    assert presets.defaults() == ChatSettings(temperature=0.2)
    assert page.button(key="chat_settings_default").disabled
    page.button(key="chat_settings_done").click().run()
    first = page.session_state["chat_conversation"]["id"]
    page.button(key="chat_new").click().run()
    assert page.session_state["chat_conversation"]["id"] != first
    assert in_force(page) == {"temperature": 0.2}


def test_a_guest_sets_and_uses_but_keeps_nothing_for_others() -> None:
    presets.save("Cook", "You cook.")
    change(guests={"may_load": True})
    page = opened(Role.GUEST)
    checked(page.selectbox(key=key(page, "preset")).set_value("Cook").run())
    assert in_force(page) == {"system": "You cook."}
    keys = {button.key for button in page.button}
    assert "chat_settings_default" not in keys
    assert not any("save" in str(one) or "delete" in str(one) for one in keys)
    assert len(page.selectbox) == 2  # the model and the preset, no context


def test_a_stopped_model_is_loaded_with_the_chosen_context() -> None:
    page = opened()
    assert "It does not run" in told(page)
    offered = page.selectbox(key=key(page, "context")).options
    assert offered[-1] == "1,024 tokens", "what it was trained for is the most"
    checked(page.selectbox(key=key(page, "context")).set_value(1024).run())
    assert in_force(page) == {"context": 1024}
    assert "Needs about" in told(page)
    assert "chat_load_context" not in {button.key for button in page.button}


def test_why_a_load_failed_is_told_to_a_guest_without_a_path(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    error = BrokenFile("It may not read /srv/*x*.", "Look at /srv.")
    monkeypatch.setattr(actions, "_failures", {"llamacpp/tiny": error})
    change(guests={"may_load": True})
    monkeypatch.setattr(access, "_process", None)
    assert "/srv" not in told(opened(Role.GUEST))
    assert OTHERWISE in told(opened(Role.GUEST)).replace("\\", "")
    assert "/srv/\\*x\\*\\.** Look at /srv" in told(opened())


def test_what_a_schema_came_to_stands_below_the_reply() -> None:
    def script() -> None:
        from lib.chat.conversations import said
        from lib.ui.chat import answer

        for check in ("ok", "", "At <b>*a*</b>: is ![x](http://x/)."):
            turn = said("assistant", "{}")
            turn["check"] = check
            answer.problem(turn)

    page = checked(AppTest.from_function(script, default_timeout=SECONDS).run())
    assert [caption.value for caption in page.caption] == [":material/check: Matches the schema"]
    assert [warning.value for warning in page.warning] == [
        r"**Does not match the schema.** At \<b\>\*a\*\</b\>\: is \!\[x\]\(http\://x/\)\."
    ]


def test_the_page_says_what_was_typed_and_is_not_in_use() -> None:
    page = opened()
    number(page, "temperature", 0.5)
    write(page, "json_schema", "{")
    page.session_state["chat_settings_before"] = None  # as Escape leaves it
    checked(page.run())
    assert not page.text_area
    label = page.button(key="chat_settings").label
    assert label == "Settings: Schema not in use · temperature 0.5"


def test_the_part_for_experts_is_unfolded_where_something_of_it_is_set() -> None:
    page = opened()
    assert not page.expander[-1].proto.expanded
    write(page, "stop", "END")
    assert not page.expander[-1].proto.expanded, "it does not move while one types"
    checked(page.button(key="chat_settings_done").click().run())
    checked(page.button(key="chat_settings").click().run())
    assert page.expander[-1].label == "More"
    assert page.expander[-1].proto.expanded


def test_the_values_of_a_model_that_runs_stand_in_grey(models: Path) -> None:
    with running_fake() as fake:
        lay_fake(settings().home, fake)
        page = opened()
        grey = {field.label: field.placeholder for field in page.number_input}
    assert grey == {
        "Temperature": "0.8",
        "Max tokens": "As far as the context goes",
        "Top-p": "0.95",
        "Repetition penalty": "1",
        "Top-k": "40",
        "Min-p": "0.05",
        "Seed": "Another one each time",
    }


def test_a_guest_reads_how_long_a_reply_may_get() -> None:
    change(guests={"may_load": True, "tokens_per_reply": 300})
    page = opened(Role.GUEST)
    assert page.number_input(key=key(page, "max_tokens")).placeholder == "300"


def test_a_chosen_model_stays_chosen_when_it_is_renamed(models: Path) -> None:
    tiny_gguf.write_tiny(models / "second-1b-q4_k_m.gguf")
    page = AppTest.from_file(ROOT / "pages/3_Chat.py", default_timeout=SECONDS)
    checked(page.run())
    picker = page.selectbox(key="chat_model")
    assert picker.options == ["Second 1B", "tiny"]
    checked(picker.select("tiny").run())
    titles.rename(find_model("tiny"), "My helper", all_models())
    checked(page.run())
    assert page.selectbox(key="chat_model").options == ["Second 1B", "My helper"]
    assert page.selectbox(key="chat_model").value == "llamacpp/tiny"
    assert "My helper runs on this machine" in told(page)
