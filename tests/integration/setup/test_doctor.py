"""./setup.sh doctor: asks the installed Berth, and installs nothing."""

from pathlib import Path

from tests.support.clone import Clone


def test_without_an_installation_it_says_what_to_do_first(tmp_path: Path) -> None:
    clone = Clone(tmp_path)
    done = clone.run("doctor")
    assert done.returncode == 4
    assert done.stderr.splitlines() == [
        "Berth is not installed yet.",
        "Install it first: ./setup.sh --install-only",
    ]
    assert not clone.venv.exists()


def test_it_tells_the_findings_and_ends_with_their_code(tmp_path: Path, home: Path) -> None:
    clone = Clone(tmp_path)
    clone.make_venv()
    home.mkdir()
    home.chmod(0o755)
    done = clone.run("doctor")
    assert done.returncode == 1
    assert "Close it: mend home:open" in done.stdout
    assert not clone.has_called_pip
