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
# How a stand-in for Python sees which layer it is asked for.
LAYER = """case "$*" in *--last-failed*) layer=$3-again ;; *) layer=$3 ;; esac
case "$layer" in"""
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
    cases.insert(0, '*again) echo "=== 1 failed in 1.00s ==="; exit 1 ;;')
    executable(clone.venv / "bin" / "python", "\n".join([LAYER, *cases, "esac"]))
    done = clone.run(script="tests/run.sh")
    assert done.returncode == bool(failing)
    lines = done.stdout.splitlines()
    assert lines[-1] == "total: 23 passed, 3 failed, 1 skipped"
    for name, line in LAST_LINES.items():
        assert f"{name:12} {line}" in lines
    assert (f"Failed: {' '.join(failing)}" in lines) == bool(failing)


@pytest.mark.parametrize(("second", "code"), [("2 passed", 0), ("1 failed, 1 passed", 1)])
def test_few_that_fail_are_tried_once_more_by_themselves_and_both_is_told(
    clone: Clone, second: str, code: int
) -> None:
    for name in ("ruff", "mypy", "lint-imports", "shellcheck"):
        executable(clone.venv / "bin" / name, "exit 0")
    lines = {**LAST_LINES, "integration": "=== 3 passed in 1.00s ==="}
    cases = [
        f'tests/{name}) echo "{line}"; exit {int(name == "api")} ;;' for name, line in lines.items()
    ]
    cases.insert(0, f'tests/api-again) echo "=== {second} in 1.00s ==="; exit {code} ;;')
    executable(clone.venv / "bin" / "python", "\n".join([LAYER, *cases, "esac"]))
    done = clone.run(script="tests/run.sh")
    assert done.returncode == code
    told = done.stdout.splitlines()
    assert f"{'api':12} {LAST_LINES['api']}" in told
    if code:
        assert told[-2:] == ["Failed: api", "total: 23 passed, 2 failed, 1 skipped"]
    else:
        assert f"{'  once more':12} === {second} in 1.00s ===" in told
        assert told[-1] == "total: 25 passed, 0 failed, 1 skipped"


def test_many_that_fail_are_not_tried_again(clone: Clone) -> None:
    for name in ("ruff", "mypy", "lint-imports", "shellcheck"):
        executable(clone.venv / "bin" / name, "exit 0")
    told = f'echo "$*" >> "{clone.calls}"'
    executable(clone.venv / "bin" / "python", f'{told}\necho "== 4 failed in 1.00s =="; exit 1')
    assert clone.run(script="tests/run.sh").returncode == 1
    assert "--last-failed" not in clone.calls.read_text()


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


def test_where_no_box_can_be_made_the_last_lines_say_so(clone: Clone) -> None:
    for name in ("ruff", "mypy", "lint-imports", "shellcheck"):
        executable(clone.venv / "bin" / name, "exit 0")
    cases = ['--try) echo "this layer needs root"; exit 1 ;;', '*) echo "== 1 passed ==" ;;']
    script = "\n".join(['case "$3" in', *cases, "esac"])
    executable(clone.venv / "bin" / "python", script)
    done = clone.run("--all", script="tests/run.sh")
    assert done.returncode == 0
    assert f"{'gpu':12} LEFT OUT: this layer needs root" in done.stdout.splitlines()


def test_of_the_heavy_layer_whole_files_are_tried_once_more(clone: Clone) -> None:
    for name in ("ruff", "mypy", "lint-imports", "shellcheck"):
        executable(clone.venv / "bin" / name, "exit 0")
    told_of = 'echo "FAILED tests/gpu/test_page.py::test_a[x] - no"'
    broken = f'{told_of}; echo "== 1 failed, 8 passed =="; exit 1'
    cases = [f"tests/gpu) {broken} ;;", '*) echo "== 1 passed ==" ;;']
    told = f'echo "$*" >> "{clone.calls}"'
    executable(clone.venv / "bin" / "python", "\n".join([told, 'case "$3" in', *cases, "esac"]))
    done = clone.run("--all", script="tests/run.sh")
    assert done.returncode == 0, done.stdout
    assert done.stdout.splitlines()[-1] == "total: 13 passed, 0 failed, 0 skipped"
    assert clone.calls.read_text().splitlines()[-1] == "-m pytest tests/gpu/test_page.py -n 0 -v"
