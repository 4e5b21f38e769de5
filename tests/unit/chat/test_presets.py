"""Prompts of the owner's own: kept, private, and never a reason not to start."""

import stat
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as trials
from hypothesis import strategies as st

from lib.chat import presets
from lib.chat.presets import (
    BUILT_IN,
    LONGEST_NAME,
    MOST,
    Preset,
)
from lib.chat.settings import ChatSettings
from lib.core.access import Role, acting
from lib.core.errors import (
    BadInput,
    Conflict,
    Forbidden,
    NotFound,
)
from lib.core.settings import settings


def names() -> list[str]:
    return [preset.name for preset in presets.own()]


def write(text: str) -> Path:
    settings().home.mkdir(parents=True, exist_ok=True)
    settings().chat.write_text(text)
    return settings().chat


def test_without_a_file_there_are_the_built_in_ones_and_plain_defaults() -> None:
    assert presets.own() == []
    assert presets.problem() == ""
    assert presets.defaults() == ChatSettings()
    assert len({preset.name.casefold() for preset in BUILT_IN}) == len(BUILT_IN) >= 6
    assert all(len(preset.text) < 400 for preset in BUILT_IN)


def test_a_prompt_is_kept_private_and_can_be_read_by_hand() -> None:
    presets.save("  Ship's   cook ", "You cook.\r\nAt sea.")
    assert presets.own() == [Preset(name="Ship's cook", text="You cook.\nAt sea.")]
    assert stat.S_IMODE(settings().chat.stat().st_mode) == 0o600
    assert "You cook.\nAt sea." in settings().chat.read_text()


def test_saving_under_the_same_name_replaces_the_text() -> None:
    presets.save("Cook", "one")
    presets.save("cook", "two")
    assert presets.own() == [Preset(name="cook", text="two")]


def test_a_prompt_is_renamed_and_deleted() -> None:
    presets.save("Cook", "one")
    presets.save("Pilot", "two")
    assert presets.rename("cook", " Chef ").text == "one"
    assert names() == ["Chef", "Pilot"]
    presets.rename("Chef", "CHEF")
    presets.delete("chef")
    assert names() == ["Pilot"]


def test_a_name_that_is_taken_is_refused() -> None:
    presets.save("Cook", "one")
    presets.save("Pilot", "two")
    with pytest.raises(Conflict, match="“pilot”"):
        presets.rename("Cook", "pilot")
    with pytest.raises(BadInput, match="Berth brings"):
        presets.save(" concise", "three")
    assert names() == ["Cook", "Pilot"]


def test_one_that_is_not_there_cannot_be_renamed_or_deleted() -> None:
    with pytest.raises(NotFound):
        presets.rename("Cook", "Chef")
    with pytest.raises(NotFound):
        presets.delete("Concise")


def test_guests_use_them_and_change_nothing() -> None:
    presets.save("Cook", "one")
    for act in (
        lambda: presets.save("Mine", "x"),
        lambda: presets.rename("Cook", "Mine"),
        lambda: presets.delete("Cook"),
        lambda: presets.use_for_new(ChatSettings(seed=1)),
    ):
        with acting(Role.GUEST), pytest.raises(Forbidden):
            act()
    assert names() == ["Cook"]
    assert presets.defaults() == ChatSettings()


@pytest.mark.parametrize(
    "name", ["", " \n ", "a\0b", "a\u202eb", "\u200b", "\ud800", "x" * (LONGEST_NAME + 1)]
)
def test_a_name_that_cannot_be_seen_is_refused(name: str) -> None:
    with pytest.raises(BadInput, match="cannot be the name"):
        presets.save(name, "text")
    assert not settings().chat.exists()


@pytest.mark.parametrize("text", ["", " \n", "\ud800", "x" * 100_001])
def test_a_text_that_says_nothing_or_too_much_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="prompt cannot be kept"):
        presets.save("name", text)


@pytest.mark.parametrize("name", ["../../etc/passwd", "[[x]]", '"""', "a = 1", "; rm -rf ~", "猫"])
def test_a_hostile_name_is_a_name(name: str) -> None:
    presets.save(name, name)
    assert presets.own() == [Preset(name=name, text=name)]
    assert {path.name for path in settings().home.iterdir()} == {"chat.toml", "chat.lock"}


@trials(deadline=None)
@given(text=st.text(min_size=1, max_size=200).filter(str.strip))
def test_whatever_is_kept_is_read_back(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BERTH_HOME", str(tmp_path_factory.mktemp("home")))
        kept = presets.save("name", text)
        presets.use_for_new(ChatSettings(system=text))
        assert presets.own() == [kept]
        assert presets.problem() == ""


def test_new_conversations_begin_with_what_was_chosen_and_prompts_stay() -> None:
    presets.save("Cook", "one")
    chosen = ChatSettings(system="Be brief.", temperature=0, stop=["\n\n"])
    presets.use_for_new(chosen)
    assert presets.defaults() == chosen
    presets.save("Pilot", "two")
    assert presets.defaults() == chosen
    assert names() == ["Cook", "Pilot"]
    presets.use_for_new(ChatSettings())
    assert "new_conversations" not in tomllib.loads(settings().chat.read_text())


@pytest.mark.parametrize(
    "text",
    ["[", "\0", "a = " + "[" * 50_000, "prompts = 5", "prompts = [1, {}]", "[[prompts]]\nname=1"],
)
def test_a_broken_file_is_told_kept_and_replaced(text: str) -> None:
    path = write(text)
    assert presets.own() == []
    assert presets.defaults() == ChatSettings()
    assert str(path) in presets.problem()
    presets.save("Cook", "one")
    assert path.with_name("chat.broken.toml").read_text() == text
    assert names() == ["Cook"]
    assert presets.problem() == ""


def test_usable_prompts_of_a_broken_file_are_used() -> None:
    write('[[prompts]]\nname = "a"\ntext = "b"\n[[prompts]]\nname = "Concise"\ntext = "evil"\n')
    assert names() == ["a"]
    assert "left out" in presets.problem()


def test_a_folder_in_its_place_is_told() -> None:
    settings().chat.mkdir(parents=True)
    assert presets.own() == []
    assert "cannot be read" in presets.problem()


def test_there_is_a_most() -> None:
    entries = "".join(f'[[prompts]]\nname = "n{n}"\ntext = "t"\n' for n in range(MOST))
    write(entries)
    with pytest.raises(Conflict, match=str(MOST)):
        presets.save("one more", "t")
    presets.save("n1", "changed")
    assert len(presets.own()) == MOST


def test_two_who_save_at_the_same_time_both_keep_theirs() -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: presets.save(f"n{n}", "t"), range(24)))
    assert len(presets.own()) == 24
