"""deploy_cpu.sh, run by a real bash: its options, what it sees of a machine, how it ends."""

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from lib.core import locks
from lib.deploy import KIND
from lib.engines import find_model
from lib.engines.base import State
from lib.engines.llamacpp import ENGINE, records
from lib.jobs import jobs
from lib.jobs.jobs import JobState
from tests.support.deployment import REPOSITORY, Script, add_tiny, last_line
from tests.support.fake_hub import Manner
from tests.support.hub_api import OWNER, STRANGER, HubApi
from tests.support.tiny_gguf import write_tiny, write_truncated, write_wrong_magic
from tests.support.waiting import members, until

pytestmark = pytest.mark.usefixtures("nothing_left_running")

MAC = {
    "uname": 'case "$*" in -s) echo Darwin ;; -m) echo x86_64 ;; *) echo Darwin x86_64 ;; esac',
    "sysctl": """case "$2" in
  machdep.cpu.brand_string) echo "Intel(R) Core(TM) i7-9750H CPU @ 2.60GHz" ;;
  hw.physicalcpu) echo 6 ;;
  hw.memsize) echo 17179869184 ;;
  *) exit 1 ;;
esac""",
    "vm_stat": """cat <<END
Mach Virtual Memory Statistics: (page size of 4096 bytes)
Pages free:                              524288.
Pages active:                           1000000.
Pages inactive:                          262144.
Pages speculative:                       131072.
Pages throttled:                              0.
Pages wired down:                        900000.
END""",
}


@pytest.mark.usefixtures("tiny")
def test_a_model_of_the_hub_is_deployed_and_answers(script: Script) -> None:
    wishes = ("--quant", "Q4_K_M", "--context", "512", "--kv-type", "q8_0")
    done = script.run(REPOSITORY, *wishes)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "tier 1" in done.stdout
    assert done.stdout.count("passed: ") == 4
    assert "is ready at http://127.0.0.1:" in last_line(done)
    model = find_model("Tiny-Q4_K_M")
    assert (model.state, model.context) == (State.READY, 512)
    record = records.read("Tiny-Q4_K_M")
    assert record is not None
    assert record.options.kv_type == "q8_0"
    assert "\033" not in done.stdout  # colours are for terminals


@pytest.mark.usefixtures("tiny")
def test_its_events_name_the_six_phases_in_order(script: Script) -> None:
    assert script.run(REPOSITORY).returncode == 0
    ended = [(event.phase, event.state) for event in script.events() if event.state != "running"]
    assert ended == [
        ("detect", "succeeded"),
        ("plan", "succeeded"),
        ("engine", "skipped"),
        ("download", "succeeded"),
        ("start", "succeeded"),
        ("test", "succeeded"),
    ]
    lines = script.told.read_text(encoding="utf-8").splitlines()
    assert len(lines) == len(script.events())  # every line is JSON
    assert (script.told.parent / "exit_code.self").read_text() == "0\n"


@pytest.mark.usefixtures("tiny")
def test_in_the_background_it_is_a_job_that_the_dashboard_shows(script: Script) -> None:
    done = script.run(REPOSITORY, "--background", "--quant", "Q4_K_M")
    assert done.returncode == 0, done.stdout + done.stderr
    [job] = jobs.recent(kind=KIND)
    assert str(job.folder / "log") in last_line(done)
    until(lambda: not jobs.find(job.id).is_active)
    assert jobs.find(job.id).state == JobState.SUCCEEDED
    assert job.details["quantization"] == "Q4_K_M"


@pytest.mark.usefixtures("tiny")
def test_done_again_it_fetches_nothing(script: Script, tiny: HubApi) -> None:
    assert script.run(REPOSITORY).returncode == 0
    tiny.requests.clear()
    assert script.run(REPOSITORY).returncode == 0
    assert tiny.asked_for("/resolve/") == []


@pytest.mark.usefixtures("tiny")
def test_a_dry_run_says_what_it_would_do_and_changes_nothing(script: Script, home: Path) -> None:
    done = script.run(REPOSITORY, "--dry-run")
    assert done.returncode == 0
    commands = [line for line in done.stdout.splitlines() if "would run: " in line]
    assert [command.split(" -m ")[1].split()[:2] for command in commands] == [
        ["lib.download.hub_files", REPOSITORY],
        ["lib.engines", "adopt"],
        ["lib.fleet", "start"],
        ["lib.deploy.smoke", "the-name-it-prints"],
    ]
    assert not (home / "models").exists()
    assert not (home / "engines").exists() or not list((home / "engines").glob("*.json"))


def test_a_file_of_this_machine_is_used_where_it_is(
    script: Script, home: Path, tmp_path: Path
) -> None:
    [file] = write_tiny(tmp_path / "my models" / "mine v2.gguf")
    done = script.run("mine v2.gguf", cwd=file.parent)
    assert done.returncode == 0, done.stdout + done.stderr
    [link] = (home / "models").rglob("*.gguf")
    assert link.is_symlink()
    assert link.resolve() == file
    ENGINE.remove("mine-v2")
    assert file.exists()
    assert not link.is_symlink()


def test_two_files_of_one_name_are_two_models(script: Script, tmp_path: Path) -> None:
    for folder in ("one", "two", "two"):  # the last is the same again
        [file] = write_tiny(tmp_path / folder / "same.gguf")
        assert script.run(str(file)).returncode == 0
    assert len(ENGINE.models()) == 2


def test_a_divided_file_is_used_with_all_its_parts(script: Script, tmp_path: Path) -> None:
    files = write_tiny(tmp_path / "cut" / "big.gguf", parts=3)
    assert script.run(str(files[1])).returncode == 0
    files[2].unlink()
    done = script.run(str(files[1]))
    assert done.returncode == 2
    assert "Part 3 of 3 is missing" in last_line(done)


@pytest.mark.parametrize("count", [1, 8, 256, 4_096])
def test_a_machine_with_any_number_of_processors_is_looked_at(
    script: Script, tmp_path: Path, count: int
) -> None:
    one = "processor\t: {}\nmodel name\t: Example EX 9999 @ 2.60GHz\ncpu MHz\t\t: 2600.000\n\n"
    (tmp_path / "cpuinfo").write_text("".join(one.format(n) for n in range(count)))
    done = script.call(f'cpu_name "{tmp_path}/cpuinfo"')
    assert (done.returncode, done.stdout) == (0, "Example EX 9999 @ 2.60GHz\n")
    for other in ("/nowhere", "/dev/null"):
        done = script.call(f"cpu_name {other}; echo end")
        assert done.stdout == "end\n"


def test_a_macs_memory_is_read_from_sysctl_and_vm_stat(script: Script) -> None:
    for name, text in MAC.items():
        script.command(name, text)
    done = script.call(
        'CHILD="" BOLD="" PLAIN=""; detect; echo "$FREE_BYTES $TOTAL_BYTES $CORES"',
    )
    assert done.returncode == 0, done.stderr
    assert "macOS x86_64, Intel(R) Core(TM) i7-9750H CPU @ 2.60GHz, 6 cores" in done.stdout
    assert "3.5 of 16.0 GiB memory free" in done.stdout
    assert last_line(done) == f"{(524288 + 262144 + 131072) * 4096} {16 * 2**30} 6"


def test_pages_of_16_kib_count_four_times(script: Script) -> None:
    script.command("vm_stat", MAC["vm_stat"].replace("4096", "16384"))
    done = script.call("vm_stat | free_bytes_of_vm_stat")
    assert done.stdout == str((524288 + 262144 + 131072) * 16384)


def test_a_machine_that_does_not_tell_its_memory_is_refused(script: Script) -> None:
    for name, text in MAC.items():
        script.command(name, text)
    script.command("vm_stat", "echo nothing")
    done = script.run("a/b")
    assert done.returncode == 7
    assert "memory" in last_line(done)


@pytest.mark.usefixtures("tiny")
def test_what_fits_is_decided_by_the_memory_it_detected(script: Script) -> None:
    for name, text in MAC.items():
        script.command(name, text)
    script.command("vm_stat", _vm_stat_with(100 * 2**20))
    done = script.run(REPOSITORY)
    assert done.returncode == 3
    assert "does not fit" in last_line(done)


@pytest.mark.usefixtures("tiny")
def test_a_tight_fit_is_refused_and_its_flag_accepts_it(script: Script) -> None:
    for name, text in MAC.items():
        script.command(name, text)
    script.command("vm_stat", _vm_stat_with(350 * 2**20))
    refused = script.run(REPOSITORY)
    assert refused.returncode == 3
    assert "--accept-danger" in last_line(refused)
    accepted = script.run(REPOSITORY, "--accept-danger", "--dry-run")
    assert accepted.returncode == 0


def _vm_stat_with(free_bytes: int) -> str:
    head = "echo 'Mach Virtual Memory Statistics: (page size of 4096 bytes)'"
    return f"{head}\necho 'Pages free:     {free_bytes // 4096}.'"


@pytest.mark.usefixtures("tiny")
def test_on_a_terminal_it_asks_before_it_goes_on(script: Script, home: Path) -> None:
    code, shown = script.on_terminal([REPOSITORY], "n\n")
    assert code == 130
    assert "Go on? [Y/n]" in shown
    assert "\033[1m" in shown
    assert not list(home.rglob("*.gguf"))
    code, shown = script.on_terminal([REPOSITORY], "\n")
    assert code == 0, shown
    code, shown = script.on_terminal([REPOSITORY, "--yes"], "")
    assert "Go on?" not in shown


@pytest.mark.usefixtures("tiny")
def test_a_tight_fit_is_asked_about_on_a_terminal(script: Script) -> None:
    for name, text in MAC.items():
        script.command(name, text)
    script.command("vm_stat", _vm_stat_with(350 * 2**20))
    code, shown = script.on_terminal([REPOSITORY], "\n")
    assert code == 3
    assert "Use that much memory? [y/N]" in shown


def test_a_gated_model_ends_with_4(script: Script, hub: HubApi, tmp_path: Path) -> None:
    add_tiny(hub, tmp_path / "files", changes={"gated": "auto"})
    for token, said in (("", "save a Hub token"), (STRANGER, "Accept its terms")):
        done = script.run(REPOSITORY, token=token)
        assert done.returncode == 4
        assert said in last_line(done)
    assert script.run(REPOSITORY, token=OWNER).returncode == 0


def test_a_model_that_is_not_there_ends_with_4(script: Script, hub: HubApi) -> None:
    done = script.run("acme/None")
    assert done.returncode == 4
    assert "acme/None was not found" in last_line(done)


def test_no_network_ends_with_6(script: Script) -> None:
    done = script.run("acme/Anvil-1B", world={"HF_ENDPOINT": "http://127.0.0.1:9"})
    assert done.returncode == 6
    assert "cannot be reached" in last_line(done)


def test_a_hub_that_limits_ends_with_6(script: Script, hub: HubApi) -> None:
    done = script.run("acme/limited")
    assert done.returncode == 6
    assert "Retry in" in last_line(done)


@pytest.mark.parametrize("make", [write_truncated, write_wrong_magic])
def test_a_broken_file_ends_with_2(
    script: Script, tmp_path: Path, make: Callable[[Path], Path]
) -> None:
    file = tmp_path / "broken.gguf"
    make(file)
    done = script.run(str(file))
    assert done.returncode == 2
    assert "broken.gguf" in last_line(done)


def test_a_model_that_the_engine_does_not_know_ends_with_7(script: Script, tmp_path: Path) -> None:
    [file] = write_tiny(tmp_path / "odd.gguf")
    data = file.read_bytes()
    file.write_bytes(data.replace(b"llama", b"lambo"))
    done = script.run(str(file))
    assert done.returncode == 7, done.stdout
    assert "“lambo”" in last_line(done)


def test_cancelled_in_a_download_it_leaves_no_process_and_no_lock_and_keeps_the_part(
    script: Script, hub: HubApi, home: Path, tmp_path: Path
) -> None:
    files = add_tiny(hub, tmp_path / "files", "Q4_K_M", manner=Manner(bytes_per_second=100_000))
    running = script.start(REPOSITORY)
    try:
        running.until("Downloading")
        [part] = until(lambda: list(home.rglob("*.part")))
        until(lambda: part.stat().st_size > 50_000)
        assert running.interrupt() == 130
    finally:
        running.close()
    assert running.output.splitlines()[-1].startswith("Cancelled.")
    assert members(running.process.pid) == []
    assert not locks.is_held(part)
    kept = part.stat().st_size
    assert 0 < kept < files[0].stat().st_size
    assert script.events()[-1].state == "cancelled"
    hub.files.clear()
    add_tiny(hub, tmp_path / "files", "Q4_K_M")
    assert script.run(REPOSITORY).returncode == 0
    [rest] = [r for r in hub.asked_for("/resolve/") if r.headers.get("Range") == f"bytes={kept}-"]
    assert rest


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGHUP])
def test_the_script_alone_can_be_told_to_end(
    script: Script, hub: HubApi, tmp_path: Path, how: signal.Signals
) -> None:
    add_tiny(hub, tmp_path / "files", "Q4_K_M", manner=Manner(bytes_per_second=50_000))
    running = script.start(REPOSITORY)
    try:
        running.until("Downloading")
        running.process.send_signal(how)
        assert running.ended() == 130
    finally:
        running.close()
    assert members(running.process.pid) == []
