"""The checks before a deployment: all that is wrong has its sentence and what would mend it."""

import os
import socket
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from lib.core.errors import BadInput, BerthError, Conflict, NoSpace
from lib.engines.vllm.places import Places, port
from lib.engines.vllm.units import Unit
from lib.machine.cards import Card, CardProcess, Cards
from lib.slots.check import card_choice, disk, neighbours, system
from lib.slots.check.collected import promised
from lib.slots.check.disk import Wanted
from lib.slots.request import SlotRequest, wished
from tests.support.clone import executable

MOUNTS = """\
/dev/sda1 / ext4 rw,relatime 0 0
tmpfs /tmp tmpfs rw,nosuid,nodev,noexec 0 0
/dev/sdb1 /srv/my\\040models ext4 rw,noexec 0 0
/dev/sdc1 /var/cache ext4 rw,nosuid,noexec,relatime 0 0
broken line
"""


def one(problems: Iterable[BerthError]) -> BerthError:
    [problem] = problems
    assert problem.message.endswith(".")
    assert problem.fix
    return problem


def card(number: int = 0, **changes: object) -> Card:
    uuid = f"GPU-0000000{number}-0000-0000-0000-000000000000"
    fields = {"index": number, "uuid": uuid, "name": "NVIDIA L4", "total_bytes": 24 * 2**30}
    return Card.model_validate({**fields, "free_bytes": 23 * 2**30, **changes})


def request(**changes: object) -> SlotRequest:
    return wished(**{"model": "acme/Anvil-8B", "slot": 0, **changes})


# --- the machine ---


def test_a_mac_is_no_server() -> None:
    assert not list(system.linux("Linux"))
    problem = one(system.linux("Darwin"))
    assert "needs Linux, and this is Darwin" in problem.message
    assert "deploy_cpu.sh" in problem.fix


def test_a_machine_without_systemd_is_told(tmp_path: Path) -> None:
    places = Places(root=tmp_path)
    assert "systemd does not run this machine" in one(system.systemd(places)).message
    (tmp_path / "run/systemd/system").mkdir(parents=True)
    assert not list(system.systemd(places))


def test_in_wsl_it_is_said_how_systemd_is_switched_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(system, "is_wsl", lambda: True)
    assert "systemd=true" in one(system.systemd(Places(root=tmp_path))).fix


def test_without_root_the_steps_are_named_and_the_command_can_be_pasted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    executable(tmp_path / "sudo", "echo 'sudo: a password is required' >&2; exit 1")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("BERTH_HOME", "/home/kim/my berth")
    problem = one(system.rights(Places(), ["./deploy_model.sh", "acme/Anvil-8B", "0"]))
    for phase in ("unload", "download", "service", "gateway", "start", "test"):
        assert phase in problem.message
    assert problem.fix == (
        "Run: sudo 'BERTH_HOME=/home/kim/my berth' ./deploy_model.sh acme/Anvil-8B 0"
    )
    executable(tmp_path / "sudo", "exit 0")
    assert not list(system.rights(Places(), []))


@pytest.mark.parametrize(
    ("manager", "line"),
    [
        ("apt-get", "Run: sudo apt-get install build-essential python3-dev"),
        ("dnf", "Run: sudo dnf install gcc python3-devel"),
        ("", "Install a C compiler and Python's development files"),
    ],
)
def test_a_missing_compiler_is_one_line_to_paste(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, manager: str, line: str
) -> None:
    if manager:
        executable(tmp_path / manager, "exit 0")
    monkeypatch.setenv("PATH", str(tmp_path))
    problem = one(system.compiler("no-python-of-this-name"))
    assert problem.message.startswith("gcc and Python.h are missing")
    assert line in problem.fix


def test_a_missing_header_is_missed_in_the_python_that_will_run_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    executable(tmp_path / "gcc", "exit 0")
    python = executable(tmp_path / "python3.12", f'echo "{tmp_path}/include"')
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert "Python.h is missing" in one(system.compiler(str(python))).message
    (tmp_path / "include").mkdir()
    (tmp_path / "include/Python.h").touch()
    assert not list(system.compiler(str(python)))


def test_wsl_and_shared_memory_are_named_in_words() -> None:
    told = list(system.in_words(is_wsl_machine=True, unified=["NVIDIA GB10"]))
    assert "WSL" in told[0]
    assert "three quarters" in told[1]
    assert not list(system.in_words(is_wsl_machine=False, unified=[]))


# --- disks ---


def test_the_mount_that_holds_a_folder_is_the_longest_and_the_last() -> None:
    table = disk.mounts(MOUNTS)
    assert len(table) == 4
    for folder, mount in (
        ("/opt/berth", "/"),
        ("/srv/my models/x", "/srv/my models"),
        ("/var/cache/berth/slot-0", "/var/cache"),
        ("/var/cached", "/"),
    ):
        found = disk.mount_of(Path(folder), table)
        assert found is not None
        assert found.folder == Path(mount)
    assert disk.mount_of(Path("/x"), []) is None


def test_a_folder_from_which_no_program_may_run_is_refused(tmp_path: Path) -> None:
    line = f"/dev/sdc1 {tmp_path} ext4 rw,noexec 0 0\n"
    problem = one(disk.noexec([tmp_path / "cache/berth"], disk.mounts(MOUNTS + line)))
    assert "mounted noexec" in problem.message
    assert problem.fix.startswith(f"Run: sudo mount -o remount,exec {tmp_path}")


def test_what_goes_to_one_disk_is_added_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "free_bytes", lambda _folder: 20 * 10**9)
    few = [Wanted("the model", tmp_path / "models", 16 * 10**9)]
    assert not list(disk.short(few))
    problem = one(disk.short([*few, Wanted("vLLM", tmp_path / "opt", 8 * 10**9)]))
    assert isinstance(problem, NoSpace)
    assert "20.0 GB free, 25.0 GB needed (the model 16.0 GB, vLLM 8.0 GB)" in problem.message


def test_what_is_there_already_is_not_counted(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"12345")
    (tmp_path / "b").write_bytes(b"1")
    assert disk.missing_bytes({"a": 5, "b": 5, "c": 7}, tmp_path) == 12


# --- what is on the slot ---


def test_a_service_of_the_same_name_without_the_mark_is_not_ours(tmp_path: Path) -> None:
    places = Places(root=tmp_path)
    places.units.mkdir(parents=True)
    assert not list(neighbours.foreign_service(places, 0))
    places.unit(0).write_text("[Service]\nExecStart=/bin/true\n")
    problem = one(neighbours.foreign_service(places, 0))
    assert isinstance(problem, Conflict)
    assert "left alone" in problem.fix
    places.unit(0).write_text("[X-Berth]\nSlot=0\n")
    assert not list(neighbours.foreign_service(places, 0))


def test_a_masked_or_packaged_service_is_not_ours_either(tmp_path: Path) -> None:
    places = Places(root=tmp_path)
    places.units.mkdir(parents=True)
    places.unit(0).symlink_to("/dev/null")
    assert "is a link to /dev/null" in one(neighbours.foreign_service(places, 0)).message
    places.unit(0).unlink()
    packaged = tmp_path / "usr/lib/systemd/system/berth-slot-0.service"
    packaged.parent.mkdir(parents=True)
    packaged.touch()
    assert "usr/lib/systemd" in one(neighbours.foreign_service(places, 0)).message


def test_a_port_that_somebody_uses_is_named() -> None:
    with socket.create_server(("127.0.0.1", port(57))):
        problem = one(neighbours.busy_port(57, is_running=False))
        assert not list(neighbours.busy_port(57, is_running=True))
        assert not list(neighbours.busy_port(56, is_running=False))
    assert f"Port {port(57)} is used by" in problem.message
    assert str(os.getpid()) in problem.message


def test_two_models_of_one_name_are_refused_and_one_model_on_two_slots_is_not() -> None:
    unit = Unit(
        slot=1,
        name="berth-slot-1.service",
        model="acme/Anvil",
        revision="a",
        served_name="anvil",
        port=8105,
    )
    assert not list(neighbours.same_name([unit], 0, "acme/Anvil", "anvil"))
    assert not list(neighbours.same_name([unit], 1, "acme/Hammer", "anvil"))
    assert not list(neighbours.same_name([unit], 0, "acme/Hammer", "hammer"))
    problem = one(neighbours.same_name([unit], 0, "acme/Hammer", "anvil"))
    assert "Slot 1 serves acme/Anvil" in problem.message
    assert "--served-name" in problem.fix


def test_what_other_slots_were_promised_is_added_up_by_card(tmp_path: Path) -> None:
    places = Places(root=tmp_path)
    places.units.mkdir(parents=True)
    for slot, share in ((0, "0.3"), (1, "0.25"), (2, "0.2")):
        mark = f"Slot={slot}\nModel=a/b\nServedName=b\nCards=GPU-1\nUtilization={share}\n"
        places.unit(slot).write_text(f"[X-Berth]\n{mark}")
    assert promised(places, 0) == {"GPU-1": 0.45}


# --- cards ---


def test_without_a_driver_it_is_said_how_to_get_one() -> None:
    problem = one(card_choice.driver(Cards()))
    assert "no NVIDIA driver" in problem.message
    assert "ubuntu-drivers" in problem.fix
    assert "deploy_cpu.sh" in problem.fix


def test_a_driver_in_trouble_speaks_for_itself() -> None:
    broken = Cards(problem="The driver was updated.", fix="Restart the machine.")
    problem = one(card_choice.driver(broken))
    assert (problem.message, problem.fix) == ("The driver was updated.", "Restart the machine.")


def test_a_driver_without_a_card_is_told() -> None:
    assert "sees no card" in one(card_choice.driver(Cards(driver="580.1"))).message


def test_a_slot_uses_the_card_of_its_number_and_those_after_it() -> None:
    cards = [card(0), card(1), card(2)]
    assert card_choice.chosen(request(slot=1), cards) == [cards[1]]
    assert card_choice.chosen(request(slot=1, tensor_parallel=2), cards) == cards[1:]
    assert card_choice.chosen(request(slot=40, cards=(cards[2].uuid,)), cards) == [cards[2]]


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        ({"slot": 2}, "Slot 2 would use card 2, and this machine has 0: NVIDIA L4"),
        ({"slot": 1, "tensor_parallel": 2}, "Slot 1 would use cards 1 to 2"),
        ({"tensor_parallel": 4}, "4 cards are asked for, and this machine has 2"),
        (
            {"cards": ("GPU-ffffffff-0000-0000-0000-000000000000",)},
            "This machine has no card GPU-ffffffff",
        ),
    ],
)
def test_a_card_that_is_not_there_is_refused(wish: dict[str, object], said: str) -> None:
    with pytest.raises(BadInput) as caught:
        card_choice.chosen(request(**wish), [card(0), card(1)])
    assert said in caught.value.message
    assert caught.value.fix


@pytest.mark.parametrize(
    ("changes", "said", "fix"),
    [
        ({"is_divided": True}, "divided into parts (MIG)", "nvidia-smi -i 0 -mig 0"),
        ({"problem": "It has fallen off the bus.", "fix": "Restart."}, "off the bus", "Restart."),
        ({"uuid": ""}, "does not tell its UUID", "Update"),
        ({"free_bytes": None}, "does not tell its memory", "Update"),
    ],
)
def test_a_card_that_cannot_be_used_says_why(changes: dict[str, Any], said: str, fix: str) -> None:
    problem = one(card_choice.usable([card(**changes)]))
    assert said in problem.message
    assert fix in problem.fix


def test_what_the_slots_own_model_holds_counts_as_free() -> None:
    busy = card(free_bytes=2 * 2**30, processes=(CardProcess(pid=7, memory_bytes=20 * 2**30),))
    [room] = card_choice.rooms([busy], {busy.uuid: 20 * 2**30}, {busy.uuid: 0.1})
    assert room.free_bytes == 22 * 2**30
    assert room.promised == 0.1
