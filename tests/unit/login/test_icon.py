"""What there is to click: an entry of the desktop, on macOS an application that is a script."""

import plistlib
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from lib.core.access import Role, acting
from lib.core.errors import BadInput, Conflict, Forbidden
from lib.core.settings import ROOT, settings
from lib.login import icon, linux, macos
from lib.login.started import Started
from tests.support.desktop import executed, parsed

ODD = """/home/ada/my "berth"/it's 100 % $(touch x) `y` \\ $HOME; & done"""
VARIABLES = {"BERTH_HOME": f"{ODD}/.berth", "PATH": "/usr/bin:/opt/a b/bin"}
START = Started(root=Path(ODD), home=Path(ODD) / ".berth", port=8600, variables=VARIABLES)


@pytest.fixture
def on_macos(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")


def test_an_entry_among_the_applications_opens_berth(account: Path) -> None:
    assert not icon.look().is_on
    assert "There is an icon to click" in icon.put_there(8_700)
    now = icon.look()
    assert now.path == account / "user/.local/share/applications/berth.desktop"
    assert (now.is_on, now.is_stale) == (True, False)
    entry = parsed(now.found)
    assert executed(entry)[-3:] == ["open", "--port", "8700"]
    assert executed(entry)[-4] == entry["TryExec"] == str(ROOT / "setup.sh")
    assert Path(entry["Icon"]).exists()
    assert entry["Terminal"] == "false"
    assert "hf_secret" not in now.found
    icon.take_away()
    assert not icon.look().found


@pytest.mark.parametrize("text", [linux.entry(START), linux.at_login(START)], ids=["icon", "login"])
def test_an_odd_path_is_started_to_the_letter(text: str) -> None:
    entry = parsed(text)
    words = executed(entry)
    assert words[:3] == ["env", f"BERTH_HOME={ODD}/.berth", "PATH=/usr/bin:/opt/a b/bin"]
    assert words[3:8] == ["/bin/bash", f"{ODD}/setup.sh", "open", "--port", "8600"]
    assert entry["TryExec"] == f"{ODD}/setup.sh"
    assert linux.essence_of_entry(text) == linux.essence_of_entry(text.replace("8600", "1"))
    other = linux.essence_of_entry(text.replace("/.berth", "/other"))
    assert linux.essence_of_entry(text) != other


def test_an_entry_of_a_folder_that_was_moved_or_of_another_home_is_told(account: Path) -> None:
    icon.put_there()
    path = icon.look().path
    path.write_text(path.read_text().replace(str(ROOT), "/elsewhere"))
    assert icon.look().is_stale
    icon.put_there()
    path.write_text(path.read_text().replace(str(settings().home), "/other"))
    assert icon.look().is_stale


def test_an_entry_that_was_removed_by_hand_is_not_called_there(account: Path) -> None:
    icon.put_there()
    icon.look().path.unlink()
    assert not icon.look().is_on
    icon.take_away()


def test_what_is_not_berths_is_neither_replaced_nor_removed(account: Path) -> None:
    path = icon.look().path
    path.parent.mkdir(parents=True)
    path.write_text("[Desktop Entry]\nName=Berth\n")
    for act in (icon.put_there, icon.take_away):
        with pytest.raises(Conflict, match=r"is not Berth's"):
            act()
    assert path.read_text() == "[Desktop Entry]\nName=Berth\n"


@pytest.mark.usefixtures("on_macos")
def test_on_macos_it_is_an_application(account: Path) -> None:
    icon.put_there()
    bundle = account / "user/Applications/Berth.app"
    info = plistlib.loads((bundle / "Contents/Info.plist").read_bytes())
    program = bundle / "Contents/MacOS" / info["CFBundleExecutable"]
    assert program.stat().st_mode & 0o777 == 0o700
    assert info["CFBundlePackageType"] == "APPL"
    assert info["CFBundleIdentifier"] == macos.BUNDLE
    assert info["LSUIElement"] is True
    picture = (bundle / "Contents/Resources" / info["CFBundleIconFile"]).read_bytes()
    assert picture[:4] == b"icns"
    assert struct.unpack(">I", picture[4:8])[0] == len(picture)
    assert (icon.look().is_on, icon.look().is_stale) == (True, False)
    icon.take_away()
    assert not bundle.exists()


@pytest.mark.usefixtures("on_macos")
def test_its_program_is_clean_for_bash_and_starts_what_it_should(
    account: Path, tmp_path: Path
) -> None:
    icon.put_there()
    program = account / "user/Applications/Berth.app/Contents/MacOS/Berth"
    checker = Path(sys.executable).parent / "shellcheck"
    assert subprocess.run([checker, program]).returncode == 0
    script = program.read_text()
    assert script.startswith("#!/bin/bash\n")
    assert "\nset -eu\n" in script
    assert f"\nexec /bin/bash {ROOT}/setup.sh open --port 8501\n" in script


@pytest.mark.parametrize("is_there", [True, False], ids=["there", "gone"])
def test_its_program_runs_in_an_odd_folder_and_says_where_that_is_gone(
    tmp_path: Path, is_there: bool
) -> None:
    root = tmp_path / """it's "odd" $(touch x)"""
    root.mkdir()
    said = tmp_path / "said"
    if is_there:
        told = f'printf "%s\\n" "$BERTH_HOME" "$@" > "{said}"\n'
        (root / "setup.sh").write_text(told)
    osascript = tmp_path / "osascript"
    osascript.write_text(f'#!/bin/sh\nshift 6\nprintf "%s\\n" "$@" > "{said}"\n')
    osascript.chmod(0o755)
    start = Started(root=root, home=root, port=8600, variables={"BERTH_HOME": str(root)})
    program = tmp_path / "Berth"
    program.write_text(macos.launcher(start).replace("/usr/bin/osascript", str(osascript)))
    assert subprocess.run(["bash", program], cwd="/").returncode == 0
    lines = said.read_text().splitlines()
    if is_there:
        assert lines == [str(root), "open", "--port", "8600"]
    else:
        [line] = lines
        assert line.startswith(f"{root}/setup.sh is gone.")
        assert "./setup.sh --icon" in line


@pytest.mark.usefixtures("on_macos")
def test_another_application_of_that_name_stays(account: Path) -> None:
    info = account / "user/Applications/Berth.app/Contents/Info.plist"
    info.parent.mkdir(parents=True)
    info.write_bytes(plistlib.dumps({"CFBundleIdentifier": "com.example.berth"}))
    for act in (icon.put_there, icon.take_away):
        with pytest.raises(Conflict):
            act()
    assert info.exists()


@pytest.mark.usefixtures("on_macos")
def test_an_application_for_another_folder_or_home_is_told(account: Path) -> None:
    icon.put_there()
    program = account / "user/Applications/Berth.app/Contents/MacOS/Berth"
    program.write_text(program.read_text().replace(str(ROOT), "/elsewhere"))
    assert icon.look().is_stale
    icon.put_there()
    program.write_text(program.read_text().replace("--port 8501", "--port 9000"))
    assert not icon.look().is_stale


def test_a_path_that_no_file_can_hold_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BERTH_HOME", "/tmp/two\nlines")
    with pytest.raises(BadInput, match="cannot hold"):
        icon.look()


def test_only_the_owner_does_that() -> None:
    with acting(Role.GUEST):
        for act in (icon.put_there, icon.take_away):
            with pytest.raises(Forbidden):
                act()
