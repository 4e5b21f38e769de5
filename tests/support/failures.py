"""Every failure known by name: how the real script is brought to it, its code, what would help."""

import signal
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

from lib.deploy.diagnosis import Action
from tests.support.deployment import REPOSITORY, Script, add_tiny
from tests.support.fake_hub import Manner
from tests.support.fake_ollama import running_ollama
from tests.support.hub_api import STRANGER, HubApi
from tests.support.shapes import add_model
from tests.support.tiny_gguf import write_tiny, write_truncated
from tests.support.waiting import until

Done = subprocess.CompletedProcess[str]
BIG = "acme/Big-GGUF"
IMPATIENT = {"BERTH_STALL_SECONDS": "0.5", "BERTH_RETRIES": "0"}


@dataclass
class Stage:
    """Where a failure is played."""

    script: Script
    hub: HubApi
    folder: Path

    def tiny(self, manner: Manner | None = None, **changes: object) -> None:
        """A small model on the Hub."""
        add_tiny(self.hub, self.folder, "Q4_K_M", changes=changes, manner=manner)

    def has_memory(self, free_bytes: int) -> None:
        """The machine is a Mac with so much free."""
        head = "echo 'Mach Virtual Memory Statistics: (page size of 4096 bytes)'"
        self.script.command("uname", 'case "$1" in -s) echo Darwin ;; *) echo x86_64 ;; esac')
        self.script.command("sysctl", f'[ "$2" = hw.memsize ] && echo {2 * free_bytes} || echo 4')
        self.script.command("vm_stat", f"{head}\necho 'Pages free: {free_bytes // 4096}.'")

    def run(self, *arguments: str, token: str = "", **world: str) -> Done:
        """Run the script to its end, impatient with the network."""
        return self.script.run(*arguments, token=token, world=IMPATIENT | world)


def gated(stage: Stage) -> Done:
    stage.tiny(gated="auto")
    return stage.run(REPOSITORY)


def not_let_in(stage: Stage) -> Done:
    stage.tiny(gated="manual")
    return stage.run(REPOSITORY, token=STRANGER)


def private(stage: Stage) -> Done:
    stage.tiny(private=True)
    return stage.run(REPOSITORY)


def token_is_wrong(stage: Stage) -> Done:
    stage.tiny()
    return stage.run(REPOSITORY, token="hf_" + "x" * 30)


def not_there(stage: Stage) -> Done:
    return stage.run("acme/None")


def no_gguf(stage: Stage) -> Done:
    stage.hub.copy_repository("acme/Anvil-1B", "acme/Alone", tags=[])
    return stage.run("acme/Alone")


def quantization_is_missing(stage: Stage) -> Done:
    stage.tiny(tags=["gguf"])
    return stage.run(REPOSITORY, "--quant", "Q5_0")


def quantization_is_unknown(stage: Stage) -> Done:
    stage.tiny(tags=["gguf"])
    return stage.run(REPOSITORY, "--quant", "Q99")


def memory_is_short(stage: Stage) -> Done:
    add_model(stage.hub, BIG, {"Q8_0": 8 * 10**9, "Q4_K_M": 4 * 10**9})
    stage.has_memory(6 * 2**30)
    return stage.run(BIG, "--quant", "Q8_0")


def context_is_too_large(stage: Stage) -> Done:
    add_model(stage.hub, BIG, {"Q8_0": 10**9})
    stage.has_memory(2 * 2**30)
    return stage.run(BIG, "--context", "131072")


def fit_is_tight(stage: Stage) -> Done:
    stage.tiny()
    stage.has_memory(350 * 2**20)
    return stage.run(REPOSITORY)


def disk_is_full(stage: Stage) -> Done:
    add_model(stage.hub, BIG, {"Q8_0": 10**16})
    stage.has_memory(2**60)
    return stage.run(BIG)


def step_is_killed(stage: Stage) -> Done:
    """As the system does where memory runs out."""
    stage.tiny(manner=Manner(bytes_per_second=50_000))
    running = stage.script.start(REPOSITORY)
    try:
        running.until("Downloading")
        children = until(lambda: psutil.Process(running.process.pid).children())
        children[0].send_signal(signal.SIGKILL)
        code = running.ended()
    finally:
        running.close()
    return subprocess.CompletedProcess([], code, running.output, "")


def hub_is_out_of_reach(stage: Stage) -> Done:
    return stage.run(REPOSITORY, HF_ENDPOINT="http://127.0.0.1:9")


def hub_limits(stage: Stage) -> Done:
    return stage.run("acme/limited")


def download_stalls(stage: Stage) -> Done:
    return _with_manner(stage, Manner(stall_after=100_000))


def connection_dies(stage: Stage) -> Done:
    return _with_manner(stage, Manner(die_after=100_000))


def file_arrives_damaged(stage: Stage) -> Done:
    return _with_manner(stage, Manner(is_wrong=True))


def _with_manner(stage: Stage, manner: Manner) -> Done:
    """The files are served so after the header was read and kept."""
    stage.tiny()
    stage.run(REPOSITORY, "--dry-run")
    stage.tiny(manner=manner)
    return stage.run(REPOSITORY)


def file_is_cut(stage: Stage) -> Done:
    return stage.run(str(write_truncated(stage.folder / "cut.gguf")))


def architecture_is_unknown(stage: Stage) -> Done:
    [file] = write_tiny(stage.folder / "odd.gguf")
    file.write_bytes(file.read_bytes().replace(b"llama", b"lambo"))
    return stage.run(str(file))


def ollama_is_missing(stage: Stage) -> Done:
    stage.tiny()
    return stage.run(REPOSITORY, "--engine", "ollama", PATH=_system(stage))


def installer_fails(stage: Stage) -> Done:
    stage.tiny()
    stage.script.command("curl", 'echo "exit 1" >"$3"')
    return stage.run(REPOSITORY, "--engine", "ollama", "--yes", PATH=_system(stage))


def ollama_is_too_old(stage: Stage) -> Done:
    stage.tiny()
    with running_ollama("--version", "0.5.0") as fake:
        return stage.run(REPOSITORY, "--engine", "ollama", OLLAMA_HOST=fake.url)


def port_is_taken(stage: Stage) -> Done:
    stage.tiny()
    stage.script.command("ollama", "echo 'Error: listen tcp: bind: address already in use'; exit 1")
    return stage.run(REPOSITORY, "--engine", "ollama")


def test_fails(stage: Stage) -> Done:
    stage.tiny()
    with running_ollama() as fake:
        fake.behave(die_after=0)
        return stage.run(REPOSITORY, "--engine", "ollama", OLLAMA_HOST=fake.url)


def _system(stage: Stage) -> str:
    """The PATH without what the user may have installed."""
    return f"{stage.script.bin}:/usr/bin:/bin"


FAILURES: list[tuple[Callable[[Stage], Done], int, Action]] = [
    (gated, 4, Action.SIGN_IN),
    (not_let_in, 4, Action.RETRY),
    (private, 4, Action.SIGN_IN),
    (token_is_wrong, 4, Action.SIGN_IN),
    (not_there, 4, Action.SIGN_IN),
    (no_gguf, 4, Action.NONE),
    (quantization_is_missing, 2, Action.OTHER_QUANTIZATION),
    (quantization_is_unknown, 2, Action.OTHER_QUANTIZATION),
    (memory_is_short, 3, Action.OTHER_QUANTIZATION),
    (context_is_too_large, 3, Action.RETRY_WITH_CONTEXT),
    (fit_is_tight, 3, Action.OTHER_QUANTIZATION),
    (disk_is_full, 5, Action.FREE_SPACE),
    (step_is_killed, 7, Action.RETRY),
    (hub_is_out_of_reach, 6, Action.RETRY),
    (hub_limits, 6, Action.RETRY),
    (download_stalls, 6, Action.RETRY),
    (connection_dies, 6, Action.RETRY),
    (file_arrives_damaged, 2, Action.RETRY),
    (file_is_cut, 2, Action.NONE),
    (architecture_is_unknown, 7, Action.NONE),
    (ollama_is_missing, 7, Action.INSTALL_ENGINE),
    (installer_fails, 7, Action.INSTALL_ENGINE),
    (ollama_is_too_old, 7, Action.INSTALL_ENGINE),
    (port_is_taken, 7, Action.OTHER_PORT),
    (test_fails, 8, Action.RETRY),
]
