"""What the user changed: kept over restarts and versions, and never a reason not to start."""

import stat
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.core import preferences
from lib.core.errors import BadInput, Conflict
from lib.core.preferences import LONGEST_PATH, Preferences, change
from lib.core.settings import settings

SCALARS = (
    st.text()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.datetimes()
    | st.dates()
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8
)


def write(text: str) -> Path:
    settings().home.mkdir(parents=True, exist_ok=True)
    settings().preferences.write_text(text)
    return settings().preferences


def on_disk() -> dict[str, Any]:
    return tomllib.loads(settings().preferences.read_text())


def test_without_a_file_everything_has_its_default() -> None:
    assert preferences.preferences() == Preferences(llama_server="")
    assert preferences.problem() == ""


def test_a_change_is_on_disk_and_private() -> None:
    assert change(llama_server="/opt/llama-server").llama_server == "/opt/llama-server"
    assert preferences.preferences().llama_server == "/opt/llama-server"
    assert on_disk() == {"llama_server": "/opt/llama-server"}
    assert stat.S_IMODE(settings().preferences.stat().st_mode) == 0o600


def test_a_choice_that_is_the_default_again_leaves_the_file() -> None:
    change(llama_server="off")
    change(llama_server="")
    assert on_disk() == {}


def test_keys_of_another_version_are_kept() -> None:
    write('colour = "green"\n[window]\nwide = true\n[[rooms]]\nname = "a"\n')
    change(llama_server="off")
    others = {"colour": "green", "window": {"wide": True}, "rooms": [{"name": "a"}]}
    assert on_disk() == {"llama_server": "off", **others}


@given(text=st.text(max_size=60), others=st.dictionaries(st.text(), VALUES, max_size=4))
def test_whatever_is_written_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, text: str, others: dict[str, Any]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BERTH_HOME", str(tmp_path_factory.mktemp("home")))
        wanted = {**others, "llama_server": text}
        change(**wanted)
        assert preferences.problem() == ""
        assert preferences.preferences().model_dump() == {**Preferences().model_dump(), **wanted}


@pytest.mark.parametrize("text", ["llama_server =", "[", "\0", "a = 1\na = 2", "x" * 10_000])
def test_a_file_that_is_no_toml_is_told_and_not_used(text: str) -> None:
    path = write(text)
    assert preferences.preferences() == Preferences()
    assert preferences.problem().startswith(f"{path} is no TOML file: ")


def test_a_file_that_is_no_text_is_told() -> None:
    write("").write_bytes(b"\xff\xfe\x00")
    assert preferences.preferences() == Preferences()
    assert "is no TOML file" in preferences.problem()


def test_a_file_nested_without_end_is_told() -> None:
    write("a = " + "[" * 50_000)
    assert preferences.preferences() == Preferences()
    assert "is no TOML file" in preferences.problem()


def test_a_folder_in_its_place_is_told() -> None:
    settings().preferences.mkdir(parents=True)
    assert preferences.preferences() == Preferences()
    assert preferences.problem() == f"{settings().preferences} cannot be read: Is a directory."


@pytest.mark.parametrize("value", ["5", "true", "[]", "{}", f'"{"x" * (LONGEST_PATH + 1)}"'])
def test_a_value_of_the_wrong_kind_costs_that_value_alone(value: str) -> None:
    path = write(f'llama_server = {value}\ncolour = "green"\n')
    assert preferences.preferences() == Preferences.model_validate({"colour": "green"})
    assert preferences.problem() == f"{path} has no usable value for llama_server."


@pytest.mark.parametrize("text", ["[", "llama_server = 5"])
def test_a_broken_file_is_kept_when_a_new_one_is_written(text: str) -> None:
    path = write(text)
    change(llama_server="off")
    assert path.with_name("settings.broken.toml").read_text() == text
    assert on_disk() == {"llama_server": "off"}
    assert preferences.problem() == ""


@pytest.mark.parametrize("value", [5, None, ["a"], "x" * (LONGEST_PATH + 1), "\ud800"])
def test_a_choice_that_cannot_be_used_changes_nothing(value: object) -> None:
    change(llama_server="/old")
    with pytest.raises(BadInput, match=r"^llama_server cannot be set: "):
        change(llama_server=value)
    assert on_disk() == {"llama_server": "/old"}


def test_a_home_that_cannot_be_written_is_told() -> None:
    settings().home.write_text("a file where the folder should be")
    with pytest.raises(Conflict, match="cannot be written"):
        change(llama_server="off")


def test_changes_at_the_same_time_do_not_lose_each_other() -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: change(**{f"key{number}": number}), range(40)))
    assert on_disk() == {f"key{number}": number for number in range(40)}
