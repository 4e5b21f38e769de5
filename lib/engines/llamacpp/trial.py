"""Whether a `llama-server` can do the engine's work: found out by having it done, on a tiny model.

It has to tell its version, load the model with our flags, answer with our key and continue a text.
"""

import contextlib
import re
import secrets
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from pydantic import SecretStr, ValidationError

from lib.core.errors import EngineError
from lib.core.files import tail, write_text
from lib.core.http import request_json
from lib.core.names import shown
from lib.engines.llamacpp import launch as llamacpp_launch
from lib.engines.llamacpp import props
from lib.engines.llamacpp.causes import REFUSED_FLAG, PortTaken, explain
from lib.engines.llamacpp.launch import DISPENSABLE, Launch, Program
from lib.engines.llamacpp.tiny import CONTEXT, write_tiny
from lib.engines.openai_api import authorization
from lib.fit.image_work import MOST_TOKENS
from lib.processes import background as process

TRIAL_SECONDS = 30.0  # the first start of a build for a GPU compiles for it
VERSION_SECONDS = 10.0
DYING_SECONDS = 1.0
MODEL, ALIAS = "tiny.gguf", "trial"
_BUILD = re.compile(r"^version: (?P<old>\d+) \(|\(build (?P<new>\d+), ", re.MULTILINE)
_VERSION = re.compile(r"^version: (\S+)", re.MULTILINE)
_REFUSED = re.compile(REFUSED_FLAG, re.MULTILINE)


class _Run(NamedTuple):
    """A program that was started for the trial."""

    child: process.Child
    log: Path
    exit_file: Path

    @property
    def exit_code(self) -> int | None:
        return process.exit_code(self.child, self.exit_file)

    @property
    def cause(self) -> EngineError:
        return explain(tail(self.log), self.exit_code)


def tried(path: str, trial_seconds: float = TRIAL_SECONDS) -> Program:
    """The program with its version and the flags that it lacks, or with the problem it has."""
    program = Program(path=path)
    with tempfile.TemporaryDirectory(prefix="berth-", ignore_cleanup_errors=True) as name:
        try:
            program = program.model_copy(update={"version": _version(path, Path(name))})
            return _loading(program, Path(name), time.monotonic() + trial_seconds)
        except EngineError as error:
            return program.model_copy(update={"problem": error.message})


def version_in(said: str) -> str:
    """`b10488` from what `--version` prints, `0.1.2-dev` of a build without number, or ""."""
    build, version = _BUILD.search(said), _VERSION.search(said)
    number = int(build["old"] or build["new"]) if build else 0
    return f"b{number}" if number else version[1] if version else ""


def _version(path: str, folder: Path) -> str:
    with _running([path, "--version"], folder) as run:
        if not process.wait_until(lambda: not process.is_alive(run.child), VERSION_SECONDS):
            raise EngineError(f"It told no version within {VERSION_SECONDS:.0f} s.")
        if version := version_in(tail(run.log)):
            return version
        if run.exit_code:
            raise run.cause
        raise EngineError("It is no llama-server: it tells no version as one does.")


def _loading(program: Program, folder: Path, give_up_at: float) -> Program:
    """The program without the flags that it refused, once it has done all that is asked."""
    write_tiny(folder / MODEL)
    while True:
        with contextlib.suppress(PortTaken):
            refused = _refused(program, folder, give_up_at)
            if not refused:
                return program
            if refused not in DISPENSABLE or refused in program.without:
                raise EngineError(f"It does not know the option {shown(refused)}.")
            program = program.model_copy(update={"without": (*program.without, refused)})


def _refused(program: Program, folder: Path, give_up_at: float) -> str:
    """A flag it does not know, or "" when it has loaded the model and continued a text."""
    launch, key = _launch(folder), SecretStr(secrets.token_urlsafe(32))
    write_text(Path(launch.key_file), key.get_secret_value() + "\n")
    with _running(llamacpp_launch.command(launch, Path(), program), folder) as run:
        while not _is_ready(launch, key):
            if not process.is_alive(run.child):
                if match := _REFUSED.search(tail(run.log)):
                    return match[1]
                raise run.cause
            if time.monotonic() > give_up_at:
                raise EngineError("It did not load a tiny model in time.")
            time.sleep(process.POLL_SECONDS)
        _continue_text(launch, key, run)
    return ""


def _launch(folder: Path) -> Launch:
    return Launch(
        path=str(folder / MODEL),
        alias=ALIAS,
        port=process.free_port(),
        key_file=str(folder / "key"),
        context=CONTEXT,
        slots=1,
        threads=1,
        prompt_cache_mib=0,
        kv_type="f16",
        gpu_layers=0,
        image_tokens=MOST_TOKENS,  # only to see whether it knows the flag
    )


def _is_ready(launch: Launch, key: SecretStr) -> bool:
    try:
        return props.ask(launch.url, key).model_alias == ALIAS
    except ValidationError as error:
        raise EngineError("It is too old: it does not tell which model it serves.") from error
    except EngineError:
        return False


def _continue_text(launch: Launch, key: SecretStr, run: _Run) -> None:
    """What dies of an instruction that the processor lacks often does so only here."""
    body = {"model": ALIAS, "prompt": "abc", "max_tokens": 2}
    try:
        request_json("POST", f"{launch.url}/v1/completions", body, authorization(key))
    except EngineError:
        if process.wait_until(lambda: not process.is_alive(run.child), DYING_SECONDS):
            raise run.cause from None
        raise


@contextlib.contextmanager
def _running(command: Sequence[str], folder: Path) -> Iterator[_Run]:
    """Start it; it has ended when this ends."""
    log, exit_file = folder / "log", folder / "exit"
    child = process.start(command, llamacpp_launch.environment(), log, exit_file)
    try:
        yield _Run(child, log, exit_file)
    finally:
        process.stop(child, exit_file)
