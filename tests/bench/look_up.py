"""What a look-up with its fit costs: bytes, questions, seconds.

python -m tests.bench.look_up

A repository of a model with a vocabulary of 150,000 tokens, looked up cold, again, and with the
engine asked; repositories of 10 and of 300 files, in processor time (of this program and the small
Hub in it), in turns and as the best of some rounds; 2,161 names.
"""

import os
import re
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from lib import deploy
from lib.fit.file_names import variants
from lib.fit.memory import Room
from lib.machine import bandwidth
from tests.support.blueprints_dense import dense
from tests.support.headers import write
from tests.support.hub_api import HubApi
from tests.support.shapes import PATTERN
from tests.support.vocabularies import TOKENS, grown

ROOM = Room(free_bytes=16 * 2**30, total_bytes=32 * 2**30)
QUANTIZATIONS = ("Q4_K_M", "Q8_0", "Q6_K", "Q5_K_M", "Q3_K_M", "Q2_K", "IQ4_XS", "Q4_0", "Q5_0")
ROUNDS = 9
FEW, MANY = 10, 300
NAMES = 2_161


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder, HubApi() as hub:
        os.environ |= {"BERTH_HOME": f"{folder}/berth", "HF_ENDPOINT": hub.url}
        os.environ["OLLAMA_HOST"] = "127.0.0.1:9"
        bandwidth.known()
        data = _model(Path(folder))
        _one(hub, data)
        _several(hub, data)
        _names()


def _model(folder: Path) -> bytes:
    shape = dense(
        layers=32, width=256, forward=512, heads=4, kv=2, vocabulary=TOKENS, length=64, tied=True
    )
    pairs = [f"{word} {word[::-1]}" for word in grown(TOKENS, 1)]
    return write(folder / "m.gguf", shape, grown(TOKENS), pairs).read_bytes()


def _one(hub: HubApi, data: bytes) -> None:
    repo = _repository(hub, "acme/One-GGUF", ["Anvil-8B-Q4_K_M.gguf"], data)
    for what, asked in (("cold", False), ("again", False), ("engine asked", True)):
        hub.requests.clear()
        seconds = _seconds(lambda asked=asked: _plan(repo, ask_engine=asked))  # type: ignore[misc]
        requests, size = len(hub.requests), _bytes(hub) / 2**20
        print(f"{what:14} {seconds * 1e3:6.0f} ms  {requests} requests  {size:.2f} MiB")


def _several(hub: HubApi, data: bytes) -> None:
    forms = {"one model": "Anvil-8B-v{}-{}.gguf", "many models": "Anvil-{}B-{}.gguf"}
    for what, form in forms.items():
        name = what.split()[0]
        turns = [
            [_cost(hub, f"{name}-{count}-{at}", form, count, data) for count in (FEW, MANY)]
            for at in range(ROUNDS)
        ]
        few, many = (min(costs) * 1e3 for costs in zip(*turns, strict=True))
        print(f"{what:14} {FEW}: {few:.0f} ms, {MANY}: {many:.0f} ms, {many / few:.2f} times")


def _cost(hub: HubApi, name: str, form: str, count: int, data: bytes) -> float:
    """Seconds of the processor."""
    ways = len(QUANTIZATIONS)
    files = [form.format(1 + at // ways, QUANTIZATIONS[at % ways]) for at in range(count)]
    repo = _repository(hub, f"acme/{name}-GGUF", files, data)
    began = time.process_time()
    _plan(repo)
    return time.process_time() - began


def _names() -> None:
    files = [(f"Anvil-{at}B-{QUANTIZATIONS[at % 9]}-v{at % 7}.gguf", at) for at in range(NAMES)]
    seconds = min(_seconds(lambda: variants(files)) for _ in range(ROUNDS))
    print(f"{NAMES:,} names    {seconds * 1e3:.0f} ms")


def _repository(hub: HubApi, repo: str, files: Sequence[str], data: bytes) -> str:
    """Its files have the same bytes, and each a size and a checksum of its own."""
    hub.copy_repository(PATTERN, repo, siblings=[])
    answer = hub.repositories[repo]
    hub.add(repo, answer["sha"], files[0], data)
    served = hub.files[f"/{repo}/resolve/{answer['sha']}/{files[0]}"]
    _ = served.sha256  # worked out before anybody asks
    for at, name in enumerate(files):
        hub.files[f"/{repo}/resolve/{answer['sha']}/{name}"] = served
        digest = f"{hash((repo, name)) % 2**256:064x}"
        size = len(data) + at  # as files are padded at their ends
        lfs = {"sha256": digest, "size": size, "pointerSize": 134}
        row = {"rfilename": name, "blobId": digest[:40], "size": size, "lfs": lfs}
        answer["siblings"].append(row)
    return repo


def _plan(repo: str, *, ask_engine: bool = False) -> None:
    deploy.plan(deploy.wished(model=repo), ROOM, ask_engine=ask_engine)


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _bytes(hub: HubApi) -> int:
    headers = (request.headers for request in hub.asked_for("resolve"))
    ends = [re.findall(r"\d+", one.get("range") or one.get("Range") or "") for one in headers]
    return sum(int(end) - int(start) + 1 for start, end in ends)


if __name__ == "__main__":
    main()
