"""Another folder for the models: what is refused, what stays usable, and what is told."""

from pathlib import Path

import pytest

from lib.core import model_place
from lib.core.access import Role, acting
from lib.core.errors import BadInput, BrokenFile, Conflict, Forbidden
from lib.core.files import make_private
from lib.core.settings import ROOT, settings
from lib.deploy import job as deploy_job
from lib.deploy.request import DeployRequest
from lib.doctor.checks import disk as disk_check
from lib.doctor.checks import files as files_check
from lib.doctor.checks import model_folders
from lib.download.hub_files import folder_of
from lib.engines.base import StartOptions
from lib.engines.llamacpp import ENGINE, files
from lib.fleet import model_folder
from lib.jobs import jobs
from tests.support.tiny_gguf import write_tiny

COMMIT = "a" * 40
REPO = f"acme/Anvil-GGUF/{COMMIT}"


@pytest.fixture
def anvil(models: Path) -> str:
    """A model that was downloaded, in the folder of before."""
    write_tiny(models / REPO / "anvil.gguf")
    return "anvil"


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """Where a second disk would be mounted."""
    (tmp_path / "disk").mkdir()
    return tmp_path / "disk"


def test_new_models_go_to_the_folder_and_the_old_ones_stay_usable(anvil: str, disk: Path) -> None:
    said = model_folder.choose(f" {disk}/models ")
    assert f"goes to {disk}/models. Those of before stay in" in said
    assert settings().models == disk / "models"
    assert folder_of("acme/Hammer-GGUF", COMMIT).is_relative_to(disk)
    assert files.find(anvil).full_path == settings().home / "models" / REPO / "anvil.gguf"
    now = model_folder.look()
    assert (now.folder.models, now.before and now.before.models) == (0, 1)


def test_what_belongs_to_a_download_goes_on_where_it_began(anvil: str, disk: Path) -> None:
    model_folder.choose(str(disk))
    assert folder_of("acme/Anvil-GGUF", COMMIT) == settings().home / "models" / REPO


def test_a_model_of_before_starts_and_is_removed_with_its_file(anvil: str, disk: Path) -> None:
    model_folder.choose(str(disk))
    before = files.find(anvil).full_path
    ENGINE.start(anvil, StartOptions())
    assert ENGINE.upstream(anvil)
    ENGINE.stop(anvil)
    ENGINE.remove(anvil)
    assert not before.exists()
    assert model_folder.look().before is None


def test_back_to_the_folder_of_before_finds_both(anvil: str, disk: Path) -> None:
    model_folder.choose(str(disk))
    write_tiny(disk / "hammer.gguf")
    model_folder.choose("")
    assert settings().model_roots == (settings().home / "models", disk)
    assert {file.name for file in files.all_files()} == {"anvil", "hammer"}


def test_the_same_folder_changes_nothing(disk: Path) -> None:
    model_folder.choose(str(disk))
    assert model_folder.choose(str(disk)) == "That is where they lie."
    assert settings().model_roots == (disk,)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("models", "“models” is not the whole path."),
        ("/a\nb", "This is no path of a folder."),
        ("{home}/engines", "is inside Berth's own folder."),
        ("{home}", "is inside Berth's own folder."),
        ("{home}/models/deeper", "is inside Berth's own folder."),
        (str(ROOT / "lib"), "is inside Berth's program."),
        ("/", "is inside /."),
        ("{disk}/file", "is a file."),
        ("/proc/1/models", "Nothing can be written to"),
        ("/dev/shm/berth-models", "is kept in memory, and gone after a restart."),
    ],
)
def test_what_cannot_be_the_folder_is_refused_in_words(
    home: Path, disk: Path, text: str, told: str
) -> None:
    (disk / "file").write_text("")
    with pytest.raises(BadInput) as error:
        model_folder.choose(text.format(home=home, disk=disk))
    assert told in error.value.message
    assert error.value.fix
    assert settings().models == home / "models"
    assert not (home / model_place.NAME).exists()


def test_a_folder_with_somebody_elses_files_is_refused(home: Path, disk: Path) -> None:
    write_tiny(disk / "theirs.gguf")
    with pytest.raises(BadInput, match=r"has something else in it: theirs\.gguf\.") as error:
        model_folder.choose(str(disk))
    assert error.value.fix == f"Name an empty folder, for instance {disk}/berth-models."
    assert not (disk / model_place.MARKER).exists()


def test_a_folder_that_was_berths_before_is_taken_with_its_models(disk: Path) -> None:
    write_tiny(disk / "old.gguf")
    (disk / model_place.MARKER).write_text("")
    model_folder.choose(str(disk))
    assert files.find("old").root == str(disk)


def test_a_loop_of_links_is_refused(disk: Path) -> None:
    (disk / "a").symlink_to(disk / "b")
    (disk / "b").symlink_to(disk / "a")
    with pytest.raises(BadInput):
        model_folder.choose(f"{disk}/a")


def test_it_waits_for_a_deployment(disk: Path, ended_jobs: None) -> None:
    job = jobs.start(["sleep", "600"], title="Deploy anvil", kind="deploy")
    with pytest.raises(Conflict, match="“Deploy anvil” is under way"):
        model_folder.choose(str(disk))
    job.cancel()
    model_folder.choose(str(disk))


def test_guests_may_not(disk: Path) -> None:
    with acting(Role.GUEST):
        for act in (lambda: model_folder.choose(str(disk)), model_folder.move):
            with pytest.raises(Forbidden):
                act()


def test_a_third_folder_waits_until_the_first_is_empty(
    anvil: str, disk: Path, tmp_path: Path
) -> None:
    model_folder.choose(str(disk))
    with pytest.raises(Conflict, match="Some models still lie in") as error:
        model_folder.choose(str(tmp_path / "third"))
    assert error.value.fix == "Move them first."


def test_a_disk_that_is_gone_is_told_and_nothing_is_forgotten(disk: Path) -> None:
    model_folder.choose(str(disk / "models"))
    write_tiny(disk / "models" / REPO / "anvil.gguf")
    assert files.find("anvil").problem == ""
    disk.rename(disk.with_name("unplugged"))
    gone = files.find("anvil")
    assert gone.problem == f"Its folder is not there: {disk}/models."
    assert gone.fix == "Connect its disk. Nothing of it was removed."
    [found] = model_folders.judged(model_folders.gathered())
    assert found.title == (
        f"The folder with your models, {disk}/models, with 1 model, is not there. Connect its disk."
    )
    assert files_check.gathered().damaged == ()
    assert str(settings().models) not in [one.path for one in disk_check.gathered().disks]
    with pytest.raises(BrokenFile, match="Its folder is not there"):
        ENGINE.start("anvil", StartOptions())
    with pytest.raises(Conflict, match="Its folder is not there"):
        ENGINE.remove("anvil")
    with pytest.raises(Conflict, match="is not there"):
        deploy_job.start(DeployRequest(model="acme/Anvil-GGUF"))
    disk.with_name("unplugged").rename(disk)
    assert files.find("anvil").problem == ""
    assert model_folders.judged(model_folders.gathered()) == []


def test_names_outlive_other_changes_while_their_disk_is_gone(
    anvil: str, models: Path, disk: Path
) -> None:
    model_folder.choose(str(disk))
    write_tiny(disk / "acme" / "anvil.gguf")
    [name] = {file.name for file in files.all_files()} - {anvil}
    disk.rename(disk.with_name("unplugged"))
    write_tiny(models / "hammer.gguf")
    assert {file.name for file in files.all_files()} == {anvil, name, "hammer"}
    disk.with_name("unplugged").rename(disk)
    assert files.find(name).full_path == disk / "acme" / "anvil.gguf"


def test_nothing_is_made_in_the_empty_folder_where_a_disk_was_mounted(disk: Path) -> None:
    model_folder.choose(str(disk))
    disk.rename(disk.with_name("unplugged"))
    disk.mkdir()
    with pytest.raises(OSError, match="the folder with your models is not there"):
        make_private(disk / REPO)
    assert [*disk.iterdir()] == []


def test_the_folder_of_before_that_is_gone_can_be_left_out(anvil: str, disk: Path) -> None:
    model_folder.choose(str(disk))
    write_tiny(disk / "hammer.gguf")
    assert files.find("hammer").problem == ""
    model_folder.choose("")
    disk.rename(disk.with_name("unplugged"))
    assert files.find("hammer").problem
    with pytest.raises(Conflict, match="Some models still lie in") as error:
        model_folder.choose(str(disk.with_name("third")))
    assert error.value.fix == "Connect its disk and move them, or forget it."
    model_folder.forget_before()
    assert [file.name for file in files.all_files()] == [anvil]
    disk.with_name("unplugged").rename(disk)
    model_folder.choose(str(disk))
    assert {file.name for file in files.all_files()} == {anvil, "hammer"}


def test_a_damaged_note_forgets_no_model_and_is_told(disk: Path, home: Path) -> None:
    model_folder.choose(str(disk))
    write_tiny(disk / "hammer.gguf")
    (home / model_place.NAME).write_text("{")
    [found] = model_folders.judged(model_folders.gathered())
    assert "cannot be read, so nobody knows in which folder the models are" in found.title
    with pytest.raises(Conflict):
        model_place.require_there(home)
    model_folder.choose(str(disk))
    assert files.find("hammer").problem == ""
