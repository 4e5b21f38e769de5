"""What a script loads: asked of the ledger, kept for later starts, taken back where it fails."""

import io
from collections.abc import Iterator
from pathlib import Path

import pytest

from lib.core.access import Role, acting
from lib.engines import find_model, variants
from lib.engines.base import StartOptions, State
from lib.engines.llamacpp import records
from lib.engines.llamacpp.launch import DEFAULT_CONTEXT
from lib.fleet import actions, removals, steps, tries
from lib.fleet.ledger import NoRoom
from lib.jobs.report import Report
from tests.support.tiny_gguf import write_tiny

KEY = "llamacpp/tiny"
CHOSEN = StartOptions(context=512, slots=2)


@pytest.fixture(autouse=True)
def _tiny(home: object, models: Path) -> Iterator[None]:
    write_tiny(models / "tiny.gguf", context=100_000)
    with acting(Role.OWNER):
        yield


def start(options: StartOptions) -> str:
    said = io.StringIO()
    steps.start("tiny", "llamacpp", options, Report(said))
    return said.getvalue()


def test_what_a_deployment_chose_holds_for_later_starts() -> None:
    assert "Starting tiny with context 512." in start(CHOSEN)
    actions.stop(find_model("tiny"))
    actions.start(find_model("tiny"), StartOptions())
    record = records.read("tiny")
    assert record is not None
    assert (record.context, record.options.slots) == (512, 2)


def test_a_deployment_as_usual_leads_back_to_what_is_computed() -> None:
    start(CHOSEN)
    assert variants.of(KEY).chosen == variants.AS_DEPLOYED
    start(StartOptions(context=DEFAULT_CONTEXT))
    assert variants.of(KEY).chosen == variants.COMPUTED


def test_where_there_is_no_room_nothing_is_loaded_or_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lib.machine.sampler.memory_available_bytes", lambda: 2**20)
    with pytest.raises(NoRoom, match="needs about"):
        start(CHOSEN)
    assert find_model("tiny").state == State.STOPPED
    assert variants.of(KEY) == variants.Variants()


def test_after_a_deployment_as_usual_nothing_is_to_be_loaded_anew() -> None:
    start(StartOptions(context=DEFAULT_CONTEXT))
    record = records.read("tiny")
    assert record is not None
    assert record.options == variants.resolved(KEY, StartOptions())


def test_a_deployment_takes_a_removal_back_and_forgets_earlier_ends() -> None:
    removals.mark(find_model("tiny"), "as it is")
    tries.keep("tiny", tries.Tries(count=3, gave_up="It was left alone."))
    start(CHOSEN)
    assert removals.of(find_model("tiny")) is None
    assert tries.of("tiny") is None


def test_what_a_deployment_chose_has_a_place_beside_a_dozen_others() -> None:
    for number in range(variants.MOST):
        variants.save(KEY, f"number {number}", StartOptions(slots=2))
    start(CHOSEN)
    assert variants.of(KEY).options == CHOSEN
