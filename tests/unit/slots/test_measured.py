"""What engines really gave, remembered beside what was expected."""

from pathlib import Path

from lib.hub import RepoFile
from lib.slots import measured
from lib.slots.check.collected import as_it_runs
from lib.slots.plan import Estimate, PlannedCard, Program, SlotPlan
from lib.slots.probe import Capacity
from lib.slots.request import wished

CARD = PlannedCard(index=0, uuid="GPU-1", name="NVIDIA L4", total_bytes=24, free_bytes=23)
GIVEN = Capacity(context=8192, kv_tokens=65_536, conversations=8.0)


def plan(**changes: object) -> SlotPlan:
    fields = {
        "request": wished(model="acme/Anvil-8B", slot=0),
        "revision": "a" * 40,
        "files": (RepoFile(path="model.safetensors", bytes=16),),
        "weights_bytes": 16,
        "model_type": "llama",
        "cards": (CARD,),
        "program": Program(folder=Path("/opt/berth/vllm-0.33.0"), version="0.33.0", is_there=True),
        "context": None,
        "utilization": 0.9,
        "max_num_seqs": 64,
        "estimate": Estimate(sentence="Fits.", context=8192, kv_tokens=70_000, conversations=8.5),
        "home": "/home/kim/.berth",
        "made_at": 1.0,
    }
    return SlotPlan.model_validate({**fields, **changes})


def test_it_is_recalled_for_the_same_model_on_such_a_card(home: Path) -> None:
    measured.remember(measured.measured(plan(), GIVEN, {"weights": 12.5}))
    found = measured.recall("acme/Anvil-8B", "a" * 40, ("NVIDIA L4",), "")
    assert found is not None
    assert found.sentence == (
        "vLLM gave 65,536 tokens of memory for conversations, the longest 8,192; "
        "about 70,000 were expected."
    )
    assert measured.seconds_before(plan()) == {"weights": 12.5}
    assert measured.recall("acme/Anvil-8B", "b" * 40, ("NVIDIA L4",), "") is None
    assert measured.recall("acme/Anvil-8B", "a" * 40, ("NVIDIA L4",) * 2, "") is None
    assert measured.recall("acme/Anvil-8B", "a" * 40, ("NVIDIA L4",), "fp8_per_tensor") is None


def test_the_newest_of_each_kind_is_kept(home: Path) -> None:
    for tokens in (1, 2):
        more = GIVEN.model_copy(update={"kv_tokens": tokens})
        measured.remember(measured.measured(plan(), more, {}))
    measured.remember(measured.measured(plan(revision="b" * 40), GIVEN, {}))
    assert [record.given.kv_tokens for record in measured.all_measured()] == [65_536, 2]


def test_records_that_cannot_be_read_are_passed_over(home: Path) -> None:
    file = home / "slots" / "measured.json"
    file.parent.mkdir(parents=True)
    for text in ("", "[", "{}", '[{"model": 7}]'):
        file.write_text(text)
        assert measured.all_measured() == []
    measured.remember(measured.measured(plan(), GIVEN, {}))
    assert len(measured.all_measured()) == 1


def test_a_model_that_runs_keeps_its_share_of_a_card_that_is_never_equally_free() -> None:
    runs = plan(utilization=0.9, context=512)
    again = as_it_runs(plan(utilization=0.89), runs)
    assert (again.utilization, again.context) == (0.9, 512)
    assert as_it_runs(plan(utilization=0.93), runs).utilization == 0.9


def test_it_is_planned_anew_where_anything_else_is_wanted_or_the_share_is_gone() -> None:
    runs = plan(utilization=0.9)
    for share in (0.5, 0.97):  # less can be had, or much more than it has
        assert as_it_runs(plan(utilization=share), runs).utilization == share
    assert as_it_runs(plan(utilization=0.8), None).utilization == 0.8
    for changes in (
        {"request": wished(model="acme/Anvil-8B", slot=0, context="4096")},
        {"revision": "b" * 40},
        {"cards": (CARD.model_copy(update={"uuid": "GPU-2"}),)},
        {"parsers": ("--reasoning-parser", "qwen3")},
    ):
        assert as_it_runs(plan(utilization=0.89, **changes), runs).utilization == 0.89
