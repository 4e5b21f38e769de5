"""What a look-up with its fit asks the Hub for, the first time and again."""

import re
from pathlib import Path

import pytest

from lib import deploy
from lib.deploy import Plan
from lib.fit.kinds import Kind
from lib.fit.memory import Room
from lib.hub import contents, look_up
from tests.support.blueprints_dense import dense
from tests.support.by_products import write_by_product
from tests.support.headers import write
from tests.support.hub_api import HubApi
from tests.support.shapes import PATTERN, header_bytes
from tests.support.vocabularies import TOKENS, grown

pytestmark = pytest.mark.usefixtures("no_ollama")

REPO = "acme/Wordy-1B-GGUF"
ROOM = Room(free_bytes=64 * 2**30, total_bytes=128 * 2**30)


@pytest.fixture
def wordy(hub: HubApi, tmp_path: Path) -> HubApi:
    """A repository of a model with a vocabulary as large as most have now."""
    shape = dense(
        layers=8, width=256, forward=512, heads=4, kv=2, vocabulary=TOKENS, length=64, tied=True
    )
    pairs = [f"{word} {word[::-1]}" for word in grown(TOKENS, 1)]
    file = write(tmp_path / "m.gguf", shape, grown(TOKENS), pairs)
    hub.copy_repository(PATTERN, REPO, siblings=[])
    hub.add_file(REPO, "Wordy-1B-Q4_K_M.gguf", file.read_bytes())
    return hub


def planned(*, ask_engine: bool = False) -> Plan:
    return deploy.plan(deploy.wished(model=REPO), ROOM, ask_engine=ask_engine)


def asked_bytes(hub: HubApi) -> int:
    asked = (request.headers for request in hub.asked_for("resolve"))
    told = [str(one.get("range") or one.get("Range") or "") for one in asked]
    ends = [re.findall(r"\d+", one) for one in told]
    return sum(int(end) - int(start) + 1 for start, end in ends)


def test_of_a_large_vocabulary_at_most_four_mebibytes_are_read_and_again_nothing(
    wordy: HubApi,
) -> None:
    found = planned()
    assert 0 < asked_bytes(wordy) <= 4 * 2**20
    assert len(wordy.requests) <= 10
    wordy.requests.clear()
    assert planned().rows == found.rows
    assert wordy.requests == []


def test_asking_the_engine_fetches_nothing_again(wordy: HubApi) -> None:
    planned()
    wordy.requests.clear()
    found = planned(ask_engine=True)
    assert found.engine_plan is not None
    assert wordy.requests == []


def test_of_a_collection_few_headers_are_read_and_its_adapter_is_told_by_its_own(
    hub: HubApi, tmp_path: Path
) -> None:
    repo, adapter = "acme/Collection-GGUF", "Wordy-30B-style-r32-F16.gguf"
    hub.copy_repository(PATTERN, repo, siblings=[])
    for billions in range(1, 41):
        for name, bits in (("Q4_K_M", 5), ("Q8_0", 9)):
            file, size = f"Wordy-{billions}B-{name}.gguf", billions * bits * 10**9 // 8
            hub.add_file(repo, file, header_bytes() + file.encode(), size=size)
    data = write_by_product(tmp_path / "x.gguf", "adapter").read_bytes()
    hub.add_file(repo, adapter, data, size=240 * 10**6)
    found = contents(look_up(repo))
    assert len(hub.asked_for("resolve")) == 4  # three stand for the models
    assert len(found.models) == 80
    assert found.beside == {adapter: Kind.ADAPTER}
    assert len({found.shapes[variant.first] for variant in found.models}) == 1
