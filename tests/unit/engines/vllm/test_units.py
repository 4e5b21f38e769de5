"""Services of slots as their files say, and where a slot's things are."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.core.errors import BadInput
from lib.engines.vllm.places import Places, places, port, slot_number, unit_name
from lib.engines.vllm.units import mark_of, read_units, scan

MARK = {
    "Slot": "0",
    "Model": "org/name",
    "Revision": "main",
    "ServedName": "name",
    "Cards": "GPU-aa, GPU-bb",
    "Context": "8192",
    "Home": "/home/me/.berth",
    "Vllm": "0.33.0",
    "Written": "2026-11-27T10:00:00+00:00",
}
Write = Callable[..., Places]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a unit with this mark, and returns the places it is in."""
    there = Places(root=tmp_path)
    there.units.mkdir(parents=True)

    def write(name: str = "berth-slot-0.service", **changes: str) -> Places:
        mark = "".join(f"{key}={value}\n" for key, value in {**MARK, **changes}.items())
        text = f"[Service]\nExecStart=/bin/true\nSlot=7\n\n[X-Berth]\n{mark}\n[Install]\n"
        (there.units / name).write_text(text)
        return there

    return write


def test_a_unit_says_what_it_serves_and_where(write: Write) -> None:
    (unit,) = read_units(write())
    assert (unit.slot, unit.name, unit.port) == (0, "berth-slot-0.service", 8104)
    assert (unit.model, unit.revision, unit.served_name) == ("org/name", "main", "name")
    assert unit.cards == ("GPU-aa", "GPU-bb")
    assert (unit.context, unit.vllm, unit.home) == (8192, "0.33.0", "/home/me/.berth")
    assert unit.base_url == "http://127.0.0.1:8104"


def test_a_context_of_auto_is_none(write: Write) -> None:
    assert read_units(write(Context="auto"))[0].context is None
    assert read_units(write(Context=""))[0].context is None


def test_units_come_by_slot_and_not_by_name(write: Write) -> None:
    write("berth-slot-10.service", Slot="10")
    there = write("berth-slot-9.service", Slot="9")
    assert [unit.slot for unit in read_units(there)] == [9, 10]


def test_a_unit_without_the_mark_is_nobodys_business(write: Write) -> None:
    there = write()
    (there.units / "berth-slot-1.service").write_text("[Service]\nExecStart=/bin/true\n")
    (there.units / "nginx.service").write_text("[X-Berth]\nSlot=3\n")
    found = scan(there)
    assert [unit.slot for unit in found.units] == [0]
    assert found.problems == {}


@pytest.mark.parametrize(
    ("name", "changes", "reason"),
    [
        ("berth-slot-2.service", {"Slot": "3"}, "carries the mark of berth-slot-3.service"),
        ("berth-slot-2.service", {"Slot": "x"}, "“x” is not a slot"),
        ("berth-slot-2.service", {"Slot": "2", "ServedName": "a b"}, "is not a model name"),
        ("berth-slot-2.service", {"Slot": "2", "ServedName": ""}, "is not a model name"),
    ],
)
def test_a_broken_unit_is_left_out_with_a_reason(
    write: Write, name: str, changes: dict[str, str], reason: str
) -> None:
    write()
    found = scan(write(name, **changes))
    assert [unit.slot for unit in found.units] == [0]
    assert reason in found.problems[name]


def test_a_unit_that_cannot_be_read_or_is_too_large_stops_nothing(write: Write) -> None:
    there = write()
    (there.units / "berth-slot-1.service").mkdir()
    (there.units / "berth-slot-2.service").write_text("[X-Berth]\nSlot=2\n" + "#" * 70_000)
    found = scan(there)
    assert [unit.slot for unit in found.units] == [0]
    assert list(found.problems) == ["berth-slot-1.service"]


def test_a_machine_without_slots_has_none(tmp_path: Path) -> None:
    assert read_units(Places(root=tmp_path / "nowhere")) == []


@given(st.text(max_size=300))
def test_any_text_has_a_mark_or_none(text: str) -> None:
    assert isinstance(mark_of(text), dict)
    assert mark_of(f"{text}\n[Service]\nSlot=1\n").get("Slot") != "1" or "[X-Berth]" in text


@pytest.mark.parametrize("text", ["x", "-1", "1.5", "", "٣", "9999"])
def test_what_is_no_slot_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="is not a slot"):
        slot_number(text)


def test_a_slot_beyond_the_last_is_refused() -> None:
    with pytest.raises(BadInput, match="There is no slot 64"):
        slot_number("64")
    assert slot_number(" 63 ") == 63


def test_everything_of_a_slot_is_below_the_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BERTH_SYSTEM_ROOT", str(tmp_path))
    there = places()
    assert (port(3), unit_name(3)) == (8107, "berth-slot-3.service")
    for path in (there.unit(3), there.env_file(3), there.cache(3), there.state(3)):
        assert path.is_relative_to(tmp_path)
        assert "slot-3" in str(path)
    assert there.model("org/name", "refs/pr/3") == there.models / "org/name/refs/pr/3"
    assert there.program("vllm", "0.33.0") == tmp_path / "opt/berth/vllm-0.33.0"


@pytest.mark.parametrize(("repo", "revision"), [("../etc", "main"), ("a/b", "../../x")])
def test_no_name_leads_out_of_the_models(repo: str, revision: str) -> None:
    with pytest.raises(BadInput):
        Places().model(repo, revision)
