"""Folders of models, judged by planted facts."""

from lib.doctor.checks import all_checks, model_folders
from lib.doctor.checks.model_folders import Facts
from lib.doctor.finding import Severity


def test_a_folder_that_is_not_there_is_urgent_and_says_what_to_do() -> None:
    [found] = model_folders.judged(Facts(gone=(("/disk/models", 2),)))
    assert found.severity == Severity.URGENT
    assert found.title == (
        "The folder with your models, /disk/models, with 2 models, is not there. Connect its disk."
    )
    assert "nothing is fetched anew" in found.why
    [empty] = model_folders.judged(Facts(gone=(("/disk/models", 0),)))
    assert empty.title == (
        "The folder with your models, /disk/models, is not there. Connect its disk."
    )


def test_a_note_that_cannot_be_read_leads_to_the_settings() -> None:
    [found] = model_folders.judged(Facts(damaged="/home/me/.berth/models_folder.json"))
    assert (found.severity, found.fix.page) == (Severity.URGENT, "Settings")


def test_a_move_that_was_broken_off_is_told_with_its_reason() -> None:
    [found] = model_folders.judged(Facts(unfinished="/old", why="The disk became full."))
    assert found.severity == Severity.WARNING
    assert found.title.endswith("some are still in /old. The disk became full.")


def test_all_in_one_place_is_as_it_should_be() -> None:
    assert model_folders.judged(Facts()) == []
    assert model_folders.CHECK in all_checks()
