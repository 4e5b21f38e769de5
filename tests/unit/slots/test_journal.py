"""The journal of a change: everything has a way back, also after a power cut in mid-word."""

import os
from pathlib import Path

import pytest

from lib.core.errors import Conflict, EngineError
from lib.jobs.report import Report
from lib.processes.identity import created_at
from lib.slots.change import Change, Rehearsal
from lib.slots.journal import Journal, Owner
from lib.slots.steps import Command, GoneFile, WantedFile

GONE = Owner(pid=2**22 + 1, created_at=1.0)


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "state" / "slot-0")


@pytest.fixture
def change(journal: Journal) -> Change:
    return Change(journal, Report())


def me() -> Owner:
    return Owner(pid=os.getpid(), created_at=created_at(os.getpid()))


def made(path: Path, text: str, mode: int = 0o644) -> WantedFile:
    return WantedFile(path=path, text=text, mode=mode)


def test_a_file_that_was_not_there_goes_again_with_its_folders(
    change: Change, tmp_path: Path
) -> None:
    file = tmp_path / "etc" / "berth" / "slot-0.env"
    assert change.do(made(file, "KEY=1\n", 0o600))
    assert (file.read_text(), file.stat().st_mode & 0o777) == ("KEY=1\n", 0o600)
    assert change.undo() == []
    assert not (tmp_path / "etc").exists()


def test_a_file_gets_back_what_it_held_and_who_may_read_it(change: Change, tmp_path: Path) -> None:
    file = tmp_path / "unit"
    file.write_bytes(b"old\xff")
    file.chmod(0o640)
    change.do(made(file, "new"), made(file, "newer"))
    assert file.read_text() == "newer"
    assert change.undo() == []
    assert file.read_bytes() == b"old\xff"
    assert file.stat().st_mode & 0o777 == 0o640


def test_what_is_so_already_is_not_touched_and_not_noted(
    change: Change, journal: Journal, tmp_path: Path
) -> None:
    file = tmp_path / "unit"
    file.write_text("same")
    file.chmod(0o644)
    before = file.stat().st_mtime_ns
    assert not change.do(made(file, "same"))
    assert file.stat().st_mtime_ns == before
    assert journal.notes() == []


def test_other_rights_are_a_difference(change: Change, tmp_path: Path) -> None:
    file = tmp_path / "slot-0.env"
    file.write_text("KEY=1")
    file.chmod(0o644)
    assert change.do(made(file, "KEY=1", 0o600))
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_file_of_the_users_own_is_made_once(change: Change, tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    mine = WantedFile(path=file, text="ours", is_users=True)
    assert change.do(mine)
    file.write_text("edited by hand")
    assert not change.do(mine)
    assert file.read_text() == "edited by hand"


def test_a_file_that_was_removed_comes_back(change: Change, tmp_path: Path) -> None:
    file = tmp_path / "old.conf"
    file.write_text("kept")
    assert change.do(GoneFile(path=file))
    assert not change.do(GoneFile(path=file))
    assert not file.exists()
    change.undo()
    assert file.read_text() == "kept"


def test_commands_are_taken_back_in_reverse(change: Change, tmp_path: Path) -> None:
    log = tmp_path / "log"

    def step(word: str) -> Command:
        return Command(why=word, command=say(f"do {word}"), undo=say(f"undo {word}"))

    def say(text: str) -> tuple[str, ...]:
        return ("sh", "-c", f'echo "{text}" >> "{log}"')

    change.do(step("one"), Command(why="only back", undo=say("undo only")), step("two"))
    change.undo()
    assert log.read_text().splitlines() == [
        "do one",
        "do two",
        "undo two",
        "undo only",
        "undo one",
    ]


def test_a_command_that_fails_is_told_with_its_own_words(change: Change) -> None:
    with pytest.raises(EngineError) as caught:
        change.do(Command(why="start it", command=("sh", "-c", "echo no room >&2; exit 3")))
    assert caught.value.message == "Could not start it: no room."
    assert "sh -c" in caught.value.fix


def test_a_command_that_is_missing_is_told(change: Change) -> None:
    with pytest.raises(EngineError, match="nothing-of-this-name cannot be run"):
        change.do(Command(why="start it", command=("nothing-of-this-name",)))


def test_a_command_that_may_fail_does_not_stop_the_rest(change: Change, tmp_path: Path) -> None:
    change.do(
        Command(why="try", command=("false",), may_fail=True), made(tmp_path / "file", "there")
    )
    assert (tmp_path / "file").exists()


def test_what_cannot_be_taken_back_is_told_and_can_be_tried_again(
    change: Change, journal: Journal, tmp_path: Path
) -> None:
    file = tmp_path / "file"
    ready = tmp_path / "ready"
    change.do(
        Command(why="x", undo=("test", "-e", str(ready))),
        made(file, "new"),
    )
    [problem] = change.undo()
    assert "test -e" in problem
    assert not file.exists()
    assert journal.is_open
    ready.touch()
    assert change.undo() == []
    assert not journal.is_open


def test_the_note_is_on_the_disk_before_the_command_runs(change: Change, journal: Journal) -> None:
    line = f'grep -q back "{journal.folder}/journal.jsonl"'
    change.do(Command(why="look", command=("sh", "-c", line), undo=("true", "back")))


def test_a_half_written_line_is_passed_over_and_the_next_is_whole(
    change: Change, journal: Journal, tmp_path: Path
) -> None:
    change.do(made(tmp_path / "one", "1"))
    with (journal.folder / "journal.jsonl").open("a") as file:
        file.write('{"kind": "file", "pa')
    change.do(made(tmp_path / "two", "2"))
    assert change.undo() == []
    assert not (tmp_path / "one").exists()
    assert not (tmp_path / "two").exists()


def test_what_was_kept_holds_secrets_and_is_roots_alone(
    change: Change, journal: Journal, tmp_path: Path
) -> None:
    file = tmp_path / "slot-0.env"
    file.write_text("KEY=old")
    change.do(made(file, "KEY=new", 0o600))
    [kept] = (journal.folder / "before").iterdir()
    assert kept.stat().st_mode & 0o777 == 0o600
    assert kept.parent.stat().st_mode & 0o777 == 0o700


def test_somebody_else_is_refused_while_its_owner_lives(journal: Journal) -> None:
    assert not journal.begin("acme/One on slot 0", me())
    assert not journal.begin("acme/One on slot 0", me())
    assert journal.is_busy
    with pytest.raises(Conflict, match="acme/One on slot 0"):
        journal.begin("acme/Two on slot 0", GONE)


def test_whoever_comes_after_a_power_cut_goes_on(
    change: Change, journal: Journal, tmp_path: Path
) -> None:
    file = tmp_path / "unit"
    file.write_text("first")
    journal.begin("acme/One on slot 0", GONE)
    change.do(made(file, "second"))
    assert not journal.is_busy
    assert journal.begin("acme/Two on slot 0", me())
    change.do(made(file, "third"))
    change.undo()
    assert file.read_text() == "first"


def test_a_rehearsal_tells_all_but_secrets_and_does_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    secret = WantedFile(path=tmp_path / "key", text="KEY=hush", mode=0o600, is_secret=True)
    changed = Rehearsal(Report()).do(
        made(tmp_path / "unit", "[Unit]\nA=b\n"),
        secret,
        Command(why="reload", command=("systemctl", "daemon-reload"), undo=("false",)),
        Command(why="only back", undo=("false",)),
    )
    assert changed
    shown = capsys.readouterr().out
    assert "    | [Unit]\n    | A=b\n" in shown
    assert "would run: systemctl daemon-reload" in shown
    assert "hush" not in shown
    assert list(tmp_path.iterdir()) == []
