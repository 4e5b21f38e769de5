"""Looks: side by side, in time, remembered; and what is ignored."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from lib.core.access import Role, acting
from lib.core.errors import BadInput, Conflict, Forbidden
from lib.doctor import ignored, mends, report
from lib.doctor.finding import Check, Finding, Fix, Severity, worst_first
from lib.doctor.registry import Look, Registry
from lib.processes.background import wait_until

LONG = 30.0


def finding(name: str, severity: Severity = Severity.WARNING, *facts: str) -> Finding:
    return Finding(
        id=name,
        severity=severity,
        title=f"{name} is wrong.",
        wanted="Right.",
        why="It matters.",
        fix=Fix(label="Mend", command="true"),
        facts=facts,
    )


def check(name: str, gathered: Callable[[], object] = lambda: None) -> Check:
    return Check(name, gathered, lambda _facts: [finding(name)])


def registry(*checks: Check, limit_seconds: float = LONG) -> Registry:
    return Registry(lambda: checks, limit_seconds)


def test_checks_run_side_by_side() -> None:
    both = threading.Barrier(2)
    look = registry(*(check(name, lambda: both.wait(LONG)) for name in "ab")).look()
    assert [one.id for one in look.findings] == ["a", "b"]


def test_a_check_that_raises_costs_itself_alone(caplog: pytest.LogCaptureFixture) -> None:
    def fails() -> None:
        raise RuntimeError("a defect")

    look = registry(check("bad", fails), check("good")).look()
    assert ([one.id for one in look.findings], look.failed) == (["good"], ("bad",))
    assert "The check bad has failed" in caplog.text


def test_a_check_that_hangs_is_told_of_and_not_begun_twice() -> None:
    release, began = threading.Event(), []

    def hangs() -> None:
        began.append(1)
        release.wait(LONG)

    doctor = registry(check("slow", hangs), check("quick"), limit_seconds=0.2)
    assert [doctor.look().late for _ in range(2)] == [("slow",), ("slow",)]
    doctor.forget()
    assert doctor.look().late == ("slow",)
    assert began == [1]
    release.set()
    assert wait_until(lambda: doctor.look().late == (), LONG)


def test_a_page_is_given_what_is_known_and_a_look_begins() -> None:
    release = threading.Event()
    doctor = registry(check("a", lambda: release.wait(LONG)))
    assert doctor.seen() == Look() and doctor.is_looking()
    release.set()
    assert wait_until(lambda: doctor.seen().at > 0, LONG)
    assert not doctor.is_looking()


def test_a_look_is_remembered_until_something_was_mended() -> None:
    looks: list[int] = []
    doctor = registry(check("a", lambda: looks.append(1)))
    doctor.look()
    assert [one.id for one in doctor.seen().findings] == ["a"]
    assert looks == [1]
    doctor.forget()
    assert doctor.seen().findings and wait_until(lambda: len(looks) == 2, LONG)


def test_a_look_from_before_a_mend_counts_no_more() -> None:
    release, states = threading.Event(), ["broken"]

    def gathered() -> str:
        state = states[0]
        if state == "broken":
            release.wait(LONG)
        return state

    slow = Check("a", gathered, lambda state: [finding("a")] if state == "broken" else [])
    doctor = registry(slow)
    doctor.seen()
    states[0] = "mended"
    doctor.forget()
    assert wait_until(lambda: doctor.seen().at > 0, LONG)
    release.set()
    assert doctor.look().findings == () and doctor.seen().findings == ()


def test_what_is_known_of_another_home_is_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    doctor = registry(check("a"))
    doctor.look()
    monkeypatch.setenv("BERTH_HOME", str(tmp_path / "other"))
    assert doctor.seen() == Look()


def test_only_what_needs_somebody_is_counted_and_nothing_begins_unwatched() -> None:
    urgent = Check("a", lambda: None, lambda _: [finding("a", Severity.URGENT)])
    hint = Check("b", lambda: None, lambda _: [finding("b", Severity.HINT)])
    doctor = registry(urgent, hint)
    assert doctor.count() == 0 and not doctor.is_looking()
    doctor.look()
    assert doctor.count() == 1
    ignored.ignore(finding("a", Severity.URGENT))
    assert doctor.count() == 0


def test_the_server_looks_by_itself() -> None:
    doctor = registry(check("a"))
    doctor.is_watching = True
    assert wait_until(lambda: doctor.count() == 1, LONG)


def test_guests_see_and_do_nothing() -> None:
    doctor = registry(check("a"))
    with acting(Role.GUEST, "g"):
        for ask in (
            doctor.look,
            doctor.seen,
            lambda: ignored.ignore(finding("a")),
            lambda: ignored.show("a"),
            lambda: mends.mend(finding("a")),
        ):
            with pytest.raises(Forbidden):
                ask()


def test_a_finding_without_a_button_cannot_be_pressed() -> None:
    with pytest.raises(BadInput, match="no button"):
        mends.mend(finding("a"))


def test_the_worst_comes_first() -> None:
    every = [finding(str(at), severity) for at, severity in enumerate(reversed(Severity))]
    assert [one.severity for one in worst_first(every)] == list(Severity)


def test_an_ignored_finding_comes_back_when_it_changes() -> None:
    ignored.ignore(finding("a", Severity.WARNING, "5 GB"))
    assert ignored.is_ignored(finding("a", Severity.WARNING, "5 GB"))
    assert not ignored.is_ignored(finding("a", Severity.WARNING, "2 GB"))
    assert not ignored.is_ignored(finding("a", Severity.URGENT, "5 GB"))
    ignored.show("a")
    assert not ignored.is_ignored(finding("a", Severity.WARNING, "5 GB"))


@pytest.mark.parametrize("text", ["", "[]", "{", '{"a": 1}'], ids=ascii)
def test_a_broken_list_of_ignored_ones_counts_as_none(home: Path, text: str) -> None:
    (home / "doctor").mkdir(parents=True)
    (home / "doctor" / "ignored.json").write_text(text)
    assert ignored.all_ignored() == {}
    ignored.ignore(finding("a"))
    assert ignored.is_ignored(finding("a"))


def test_where_nothing_can_be_kept_it_is_said(home: Path) -> None:
    home.write_text("no folder")
    with pytest.raises(Conflict, match="cannot be written"):
        ignored.ignore(finding("a"))


def test_findings_as_text_say_what_to_type() -> None:
    pressed = finding("b").model_copy(update={"fix": Fix(label="Close it", action="close_home")})
    opened = finding("c").model_copy(update={"fix": Fix(label="See models", page="Models")})
    look = Look(at=1.0, findings=(finding("a"), pressed, opened), late=("slow",), failed=("bad",))
    said = report.text(look)
    assert said.startswith("Warning   a is wrong.\n          Should be: Right.")
    assert "Mend: true" in said and "Close it: mend b\n" in said
    assert said.endswith("-m lib.doctor mend ID\n")
    assert "See models: open Models in the dashboard" in said
    assert "Not done in time: slow." in said and "Could not look: bad." in said


def test_all_well_is_one_sentence() -> None:
    assert report.text(Look(at=1.0)) == "Nothing needs you: all checks are content.\n"


def test_names_of_others_cannot_write_to_the_terminal() -> None:
    evil = finding("a").model_copy(update={"title": "x\x1b[2J\ny"})
    assert "\x1b" not in report.text(Look(at=1.0, findings=(evil,)))
