"""`./setup.sh test`: the browser it finds or brings, and what tests/run.sh counts."""

from pathlib import Path

import pytest

from tests.support.clone import NEEDED, Clone, executable

LAST_LINES = {
    "unit": "===== 12 passed in 3.10s =====",
    "api": "=== 2 failed, 8 passed, 1 skipped in 1.00s ===",
    "integration": "=== 3 passed, 1 error in 1.00s ===",
    "e2e": "=== no tests ran in 0.01s ===",
}
HEAVY = {"gpu": "=== 4 passed in 600.00s ==="}


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return Clone(tmp_path)


def test_a_browser_that_is_there_is_used(clone: Clone) -> None:
    clone.has_only(*NEEDED)
    clone.command("google-chrome", "exit 0")
    done = clone.call("install_browser")
    assert (done.returncode, done.stdout) == (0, "")


def test_on_debian_chromium_is_installed(clone: Clone) -> None:
    clone.has_only(*NEEDED, "chmod", "touch")
    browser = clone.bin / "chromium-headless-shell"
    clone.command("id", "echo 0")
    clone.command("apt-get", f'[ "$1" = update ] || {{ touch "{browser}"; chmod +x "{browser}"; }}')
    done = clone.call("install_browser")
    assert done.returncode == 0
    assert browser.exists()


@pytest.mark.parametrize(("playwright", "code"), [("exit 0", 0), ("exit 1", 4)])
def test_elsewhere_playwright_brings_its_own(clone: Clone, playwright: str, code: int) -> None:
    clone.has_only(*NEEDED)
    executable(
        clone.venv / "bin" / "python",
        f'[ "$*" = "-m playwright install chromium" ] || exit 9\n{playwright}',
    )
    done = clone.call('cd "$ROOT"; install_browser')
    assert done.returncode == code
    assert ("Install Chromium or Google Chrome" in done.stderr) == bool(code)


def test_the_heavy_tests_bring_their_box_along(clone: Clone) -> None:
    clone.has_only(*NEEDED)
    clone.command("id", "echo 0")
    clone.command("env", 'shift; exec "$@"')
    clone.command("apt-get", f'echo "$*" >> "{clone.calls}"')
    done = clone.call("install_box")
    assert done.returncode == 0, done.stderr
    assert "systemd-container nginx-light" in clone.calls.read_text()
    for name in ("systemd-nspawn", "nginx", "gcc"):
        clone.command(name, "exit 0")
    clone.calls.unlink()
    assert clone.call("install_box").returncode == 0
    assert not clone.calls.exists()


def test_without_apt_it_is_said_what_the_heavy_tests_need(clone: Clone) -> None:
    clone.has_only(*NEEDED)
    done = clone.call("install_box")
    assert done.returncode == 4
    assert "systemd-nspawn, nginx and gcc" in done.stderr


@pytest.mark.parametrize("failing", [[], ["api", "e2e"], ["mypy"]], ids=["none", "layers", "check"])
def test_all_layers_run_and_are_counted(clone: Clone, failing: list[str]) -> None:
    for name in ("ruff", "mypy", "lint-imports", "shellcheck"):
        executable(clone.venv / "bin" / name, f"exit {int(name in failing)}")
    cases = [
        f'tests/{name}) echo "{line}"; exit {int(name in failing)} ;;'
        for name, line in LAST_LINES.items()
    ]
    executable(clone.venv / "bin" / "python", "\n".join(['case "$3" in', *cases, "esac"]))
    done = clone.run(script="tests/run.sh")
    assert done.returncode == bool(failing)
    lines = done.stdout.splitlines()
    assert lines[-1] == "total: 23 passed, 3 failed, 1 skipped"
    for name, line in LAST_LINES.items():
        assert f"{name:12} {line}" in lines
    assert (f"Failed: {' '.join(failing)}" in lines) == bool(failing)


def test_the_heavy_layer_runs_when_all_are_asked_for_and_in_order(clone: Clone) -> None:
    for name in ("ruff", "mypy", "lint-imports", "shellcheck"):
        executable(clone.venv / "bin" / name, "exit 0")
    lines = {**LAST_LINES, **HEAVY}
    cases = [f'tests/{name}) echo "{line}" ;;' for name, line in lines.items()]
    told = f'echo "$*" >> "{clone.calls}"'
    script = [told, 'case "$3" in', *cases, "esac"]
    executable(clone.venv / "bin" / "python", "\n".join(script))
    done = clone.run("--all", script="tests/run.sh")
    assert done.returncode == 0
    assert done.stdout.splitlines()[-1] == "total: 27 passed, 3 failed, 1 skipped"
    last = clone.calls.read_text().splitlines()[-1]
    assert last.startswith("-m pytest tests/gpu -n 0 ")
