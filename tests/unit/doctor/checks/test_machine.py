"""Driver, disks, ports, engines' versions, clock, home and dashboards, judged by planted facts."""

from pathlib import Path

import pytest

from lib.doctor import floors as table
from lib.doctor.checks import clock, dashboards, disk, driver, floors, home, ports
from lib.doctor.checks.disk import Disk
from lib.doctor.checks.floors import Installed
from lib.doctor.checks.ports import Port
from lib.doctor.finding import Severity
from lib.machine import mounts
from lib.machine.cards import Card, Cards

GB = 10**9
NOW = 1_800_000_000.0
CARD = Card(index=0, name="NVIDIA L4")


def test_a_driver_in_trouble_says_what_to_do_and_nothing_else() -> None:
    [found] = driver.judged(Cards(problem="It is missing.", fix="Install it.", cuda=(11, 0)))
    assert found.severity == Severity.URGENT
    assert (found.title, found.wanted) == ("It is missing.", "Install it.")


def test_each_card_in_trouble_is_a_finding() -> None:
    broken = CARD.model_copy(update={"problem": "It fell off the bus.", "fix": "Restart."})
    [found] = driver.judged(Cards(cards=(CARD, broken), cuda=(13, 0)))
    assert found.title == "NVIDIA L4: It fell off the bus."


@pytest.mark.parametrize(
    ("cuda", "severity"),
    [((11, 8), Severity.WARNING), ((12, 4), Severity.HINT), ((13, 0), None), (None, None)],
)
def test_a_driver_older_than_engines_need_is_found(
    cuda: tuple[int, int] | None, severity: Severity | None
) -> None:
    found = driver.judged(Cards(cards=(CARD,), cuda=cuda, driver="550.1"))
    assert [one.severity for one in found] == ([severity] if severity else [])


def test_without_cards_a_driver_may_be_old() -> None:
    assert driver.judged(Cards(cuda=(11, 8))) == []


def test_a_full_disk_says_what_could_go() -> None:
    facts = disk.Facts((Disk("/models", "Berth's models", 500 * GB, 5 * GB),), 40 * GB, 3 * GB)
    [found] = disk.judged(facts)
    assert found.severity == Severity.WARNING
    assert "5.0 GB of 500.0 GB are free" in found.title
    assert "40.0 GB in models that do not run, 3.0 GB in downloads" in found.fix.label
    assert found.fix.page == "Models"


@pytest.mark.parametrize(
    ("role", "total", "free", "severity"),
    [
        ("Berth's models", 500 * GB, 1 * GB, Severity.URGENT),
        ("Berth's models", 500 * GB, 11 * GB, None),
        ("Berth's models", 20 * GB, 3 * GB, None),
        ("temporary files", 500 * GB, 2 * GB, None),
        ("temporary files", 500 * GB, GB // 2, Severity.WARNING),
    ],
)
def test_how_full_is_too_full(role: str, total: int, free: int, severity: Severity | None) -> None:
    found = disk.judged(disk.Facts((Disk("/a b", role, total, free),)))
    assert [one.severity for one in found] == ([severity] if severity else [])
    assert all(one.fix.command == "du -xk '/a b' | sort -n" for one in found)


def test_a_stranger_at_ollamas_port_and_at_ours_are_named() -> None:
    facts = ports.Facts(Port(11434, "nginx, process 7"), Port(8501), runs_at=8502)
    ollama, berth = ports.judged(facts)
    assert "port 11434 is not Ollama (nginx, process 7)" in ollama.title
    assert berth.severity == Severity.HINT and "Berth runs at 8502" in berth.title
    assert ports.judged(ports.Facts()) == []


@pytest.mark.parametrize(
    ("engine", "version", "is_too_old"),
    [
        (table.OLLAMA, "0.17.0", True),
        (table.OLLAMA, "0.40.4", False),
        (table.LLAMACPP, "b10488", True),
        (table.LLAMACPP, "2026.10.11549", True),
        (table.LLAMACPP, "b12405", False),
        (table.VLLM, "0.31.0", True),
        (table.VLLM, "0.33.0", False),
        (table.LITELLM, "1.82.7", True),
        (table.LITELLM, "1.110.2", False),
        (table.STREAMLIT, "1.63.0", True),
        (table.STREAMLIT, "1.67.0", False),
        (table.OLLAMA, "unknown", False),
        (table.VLLM, "unknown", False),
    ],
)
def test_an_engine_below_its_floor_is_told_why(engine: str, version: str, is_too_old: bool) -> None:
    said = table.objection(engine, version)
    assert bool(said) == is_too_old
    assert not said or engine in said


def test_every_engine_has_one_floor_with_its_source() -> None:
    names = [floor.engine for floor in table.FLOORS]
    assert sorted(names) == sorted(set(names))
    assert all(floor.source and floor.version for floor in table.FLOORS)


def test_what_came_with_berth_is_a_hint_unless_another_engine_does_its_work() -> None:
    wheel = Installed(table.LLAMACPP, "2026.10.11549", "the built-in engine", is_wheel=True)
    own = Installed(table.LLAMACPP, "b12500", "/opt/llama-server")
    assert [one.severity for one in floors.judged([wheel])] == [Severity.HINT]
    assert floors.judged([wheel, own]) == []


def test_an_old_ollama_is_a_warning_with_the_command_that_updates_it() -> None:
    [found] = floors.judged([Installed(table.OLLAMA, "0.16.2")])
    assert found.severity == Severity.WARNING
    assert "0.16.2 is older than 0.17.1" in found.title and "CVE-2026-7482" in found.title
    assert "ollama.com" in found.fix.command


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        (clock.Facts(NOW, newest=NOW + 86_400, newest_name="berth.db"), "berth.db"),
        (clock.Facts(NOW, skew=900.0), "15 min 0 s behind"),
        (clock.Facts(NOW, skew=-900.0), "15 min 0 s ahead of"),
        (clock.Facts(NOW, boot=NOW + 1), "before the start of the machine"),
        (clock.Facts(1.0), "before Berth was made"),
    ],
)
def test_a_wrong_clock_is_found_by_what_is_known(facts: clock.Facts, said: str) -> None:
    [found] = clock.judged(facts)
    assert said in found.title


def test_a_clock_that_is_a_little_off_is_fine() -> None:
    assert clock.judged(clock.Facts(NOW, NOW - 9, NOW + 60, "x", 4.0)) == []


def test_a_home_that_cannot_be_written_is_urgent() -> None:
    [found] = home.judged(home.Facts("/a b", can_write=False, is_open=True))
    assert found.severity == Severity.URGENT
    assert found.fix.command == "ls -ld '/a b'; df '/a b'"


def test_a_home_on_another_machine_is_found() -> None:
    [found] = home.judged(home.Facts("/net/me", filesystem="nfs4"))
    assert "network folder (nfs4)" in found.title
    assert home.judged(home.Facts("/home/me", filesystem="ext4")) == []


def test_a_home_that_is_not_there_yet_is_fine() -> None:
    assert home.judged(home.Facts("/x", exists=False, can_write=False)) == []


def test_the_file_system_of_a_folder_is_told(tmp_path: Path) -> None:
    assert mounts.filesystem_of(tmp_path) != ""


def test_of_several_dashboards_all_but_the_newest_may_go() -> None:
    newest, old = dashboards.Running(9, 8502, 20.0), dashboards.Running(5, 8501, 10.0)
    [found] = dashboards.judged([newest, old])
    assert found.fix.command == "kill 5" and "8502" in found.fix.label
    assert dashboards.judged([newest]) == []
