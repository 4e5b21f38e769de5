"""Whether a checkpoint fits graphics cards: the arithmetic, its words, and each refusal."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.fit import working_memory
from lib.fit.card_checks import CardRoom
from lib.fit.card_memory import REPACKED, CardVerdict, Serving, judge
from lib.fit.checkpoint import Checkpoint, read_checkpoint
from lib.fit.tensor_sums import summed
from lib.fit.ways_out import Change, nearest
from tests.support import checkpoint_configs as configs
from tests.support import weight_shapes as weights
from tests.support.checkpoint_configs import Config, quantized
from tests.support.safetensors_files import tensors_of
from tests.support.weight_shapes import Format, Named

GIB = 2**30


def checkpoint(config: Config, shapes: Named) -> Checkpoint:
    layers = config.get("num_hidden_layers") or config["text_config"]["num_hidden_layers"]
    return read_checkpoint(config, summed(tensors_of(shapes), layers))


def card(
    total: float, capability: tuple[int, int] = (8, 9), free: float = -1, **more: object
) -> CardRoom:
    values = {
        "name": "Card",
        "total_bytes": round(total * GIB),
        "free_bytes": round((free if free >= 0 else total - 0.3) * GIB),
        "capability": capability,
    }
    return CardRoom.model_validate(values | more)


LLAMA = checkpoint(configs.LLAMA_8B, weights.dense(configs.LLAMA_8B))
LLAMA_70B = checkpoint(configs.LLAMA_70B, weights.dense(configs.LLAMA_70B))
QWEN_AWQ = checkpoint(
    quantized(configs.QWEN25_7B, configs.AWQ), weights.dense(configs.QWEN25_7B, Format.AWQ)
)
GPT_OSS = checkpoint(configs.GPT_OSS_20B, weights.gpt_oss(configs.GPT_OSS_20B))
VISION = checkpoint(
    configs.QWEN25_VL_7B,
    weights.with_tower(weights.dense(configs.QWEN25_VL_7B | {"model_type": "qwen2"})),
)
TINY = checkpoint(configs.TINY, weights.dense(configs.TINY, Format.F32))
C24, C16, T4 = card(24), card(16), card(14.75, (7, 5))


def verdict(
    found: Checkpoint = LLAMA, rooms: tuple[CardRoom, ...] = (C24,), **serving: object
) -> CardVerdict:
    return judge(found, Serving.model_validate(serving), rooms)


def test_what_is_taken_and_what_is_left_is_what_was_asked_for() -> None:
    found = verdict()
    assert found.utilization == 0.92
    assert found.requested == int(24 * GIB * 0.92)
    assert found.weights == round(LLAMA.weights.total * REPACKED)
    assert found.needed + found.kv_bytes == found.requested
    assert found.needed == found.weights + found.activation + found.graphs + found.overhead


def test_by_itself_the_context_is_as_long_as_fits_and_the_verdict_says_it() -> None:
    found = verdict()
    assert found.fits
    assert 45_000 < found.context < 55_000
    assert found.word == f"Fits with context {found.context:,}"
    assert f"one conversation of {found.context:,} tokens" in found.sentence
    assert "the model itself could do 131,072" in found.sentence
    assert found.conversations == pytest.approx(1, abs=0.01)


def test_a_context_is_never_made_smaller_in_silence() -> None:
    found = verdict(context=100_000)
    assert not found.fits
    assert found.word == f"Fits with context {found.context:,}"
    assert "not of the 100,000 asked for" in found.sentence


def test_a_shorter_context_leaves_room_for_more_conversations() -> None:
    long, short = verdict(context=32_768), verdict(context=8_192)
    assert long.fits and short.fits
    assert short.conversations == pytest.approx(4 * long.conversations, rel=0.01)
    assert long.word == "Fits"
    assert "about 1.6 conversations of 32,768 tokens" in long.sentence


def test_all_that_the_model_takes_is_said_to_be_all() -> None:
    found = verdict(QWEN_AWQ)
    assert (found.word, found.context) == ("Fits", 32_768)
    assert found.sentence.endswith("at a time, all that the model takes.")


def test_no_more_conversations_are_promised_than_are_let_in() -> None:
    assert "about 64 conversations of 1,024 tokens" in verdict(TINY).sentence


def test_weights_that_are_too_much_are_said_with_numbers() -> None:
    found = verdict(rooms=(C16,))
    assert (found.word, found.context, found.fits) == ("Does not fit", 0, False)
    assert found.sentence == (
        "It needs about 15.9 GiB before its cache, and 14.7 GiB of Card can be had."
    )


def test_too_little_for_any_conversation_does_not_fit() -> None:
    found = verdict(rooms=(card(17.35),))
    assert found.kv_bytes > 0
    assert (found.word, found.context) == ("Does not fit", 0)
    assert "too little for a conversation of any use" in found.sentence


def test_what_others_hold_cannot_be_had() -> None:
    found = verdict(QWEN_AWQ, (card(24, free=9),))
    assert found.utilization == 0.34  # (9 - 0.7) / 24
    assert found.fits
    busy = verdict(rooms=(card(24, free=9),))
    assert "because 15.0 GiB are in use" in busy.sentence


def test_a_share_that_is_asked_for_must_be_free_once_cuda_has_begun() -> None:
    assert verdict(QWEN_AWQ, utilization=0.9).fits
    found = verdict(QWEN_AWQ, (card(24, free=12),), utilization=0.5)
    assert not found.fits
    assert "50% of Card are 12.0 GiB, and 11.3 GiB can be had now" in found.sentence


def test_two_slots_share_a_card() -> None:
    found = verdict(QWEN_AWQ, (card(24, free=11.5, promised=0.5),))
    assert found.fits
    assert found.utilization + 0.5 < 1
    found = verdict(QWEN_AWQ, (card(24, promised=0.5),), utilization=0.5)
    assert "Other slots on Card have 50% of it" in found.sentence


def test_a_full_card_holds_nothing() -> None:
    assert verdict(TINY, (card(24, free=0.4),)).sentence == (
        "Card has 410 MiB free, too little for any model."
    )


def test_where_the_memory_is_the_machines_own_a_quarter_is_left_to_it() -> None:
    found = verdict(rooms=(card(119.7, (12, 1), free=110, is_unified=True),))
    assert (found.utilization, found.context) == (0.75, 131_072)
    small = verdict(LLAMA_70B, (card(119.7, (12, 1), free=110, is_unified=True),))
    assert "because the machine needs the rest" in small.sentence


def test_cards_share_weights_and_cache() -> None:
    one, two = verdict(), verdict(rooms=(C24, C24), cards=2)
    assert two.weights == round(one.weights / 2)
    assert two.kv_tokens > 4 * one.kv_tokens
    assert "on each card" in two.sentence


def test_the_smallest_and_fullest_card_decide() -> None:
    even = verdict(rooms=(C24, C24), cards=2)
    uneven = verdict(rooms=(C24, card(16, free=10)), cards=2)
    assert uneven.utilization == 0.58
    assert uneven.requested < even.requested


def test_only_the_chosen_cards_count() -> None:
    assert verdict(rooms=(C24, card(8, (6, 1)))) == verdict(rooms=(C24,))


def test_weights_made_smaller_while_they_are_loaded_leave_the_embeddings() -> None:
    plain, small = verdict(), verdict(quantize="fp8_per_tensor")
    beside = 2 * 128_256 * 4_096 * 2 * REPACKED
    assert small.weights == pytest.approx((plain.weights - beside) / 2 + beside, rel=1e-6)


def test_an_8_bit_cache_holds_twice_as_much() -> None:
    assert verdict(kv_dtype="fp8").kv_tokens == pytest.approx(2 * verdict().kv_tokens, rel=0.001)


def test_without_images_there_is_more_room() -> None:
    seeing, blind = verdict(VISION), verdict(VISION, text_only=True)
    assert blind.weights == seeing.weights - round(VISION.weights.towers * REPACKED)
    assert blind.activation < seeing.activation / 4


def test_fewer_conversations_need_less_to_work_with() -> None:
    many, few = verdict(max_num_seqs=256), verdict(max_num_seqs=4)
    assert few.graphs < many.graphs / 5
    assert few.kv_bytes > many.kv_bytes


REFUSALS = {
    "an old card": (LLAMA, {}, (card(24, (6, 1)),), "vLLM needs 7.5 or newer"),
    "a format": (GPT_OSS, {}, (T4,), "MXFP4, 4 bits needs compute capability 8.0"),
    "a divided card": (LLAMA, {}, (card(40, (8, 0), is_divided=True),), "divided into parts (MIG)"),
    "a context": (LLAMA, {"context": 200_000}, (C24,), "allows 131,072 tokens of context"),
    "twice smaller": (QWEN_AWQ, {"quantize": "fp8_per_tensor"}, (C24,), "is quantized already"),
    "a small cache": (LLAMA, {"kv_dtype": "fp8"}, (card(24, (8, 6)),), "8-bit cache needs"),
    "heads": (QWEN_AWQ, {"cards": 3}, (C24,) * 3, "28 attention heads do not divide by 3"),
    "cached heads": (
        checkpoint(configs.PHI4, {}), {"cards": 4}, (C24,) * 4,
        "10 heads of keys and values do not divide by 4",
    ),
    "groups": (
        QWEN_AWQ.model_copy(update={"shape": QWEN_AWQ.shape.model_copy(update={"heads": 32})}),
        {"cards": 8}, (C24,) * 8, "AWQ, 4 bits scales 128 weights together",
    ),
    "too few": (LLAMA, {"cards": 2}, (C24,), "2 cards are asked for, 1 are here"),
    "no half": (
        checkpoint(configs.GEMMA3_1B, {}), {}, (T4,), "cannot compute in bfloat16",
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    ("found", "serving", "rooms", "words"), REFUSALS.values(), ids=REFUSALS.keys()
)
def test_what_no_memory_helps_has_its_sentence(
    found: Checkpoint, serving: dict[str, object], rooms: tuple[CardRoom, ...], words: str
) -> None:
    said = verdict(found, rooms, **serving)
    assert words in " ".join(said.refusals)
    assert said.sentence == said.refusals[0]
    assert (said.word, said.fits, said.context) == ("Does not fit", False, 0)


def test_a_turing_card_serves_bfloat16_as_half() -> None:
    assert verdict(QWEN_AWQ, (T4,)).needs_half
    assert not verdict(QWEN_AWQ, (C24,)).needs_half


WAYS = {
    "a shorter context": (LLAMA, {"context": 100_000}, (C24,), Change.CONTEXT),
    "one that the model allows": (LLAMA, {"context": 200_000}, (C24,), Change.CONTEXT),
    "without images": (VISION, {}, (card(18),), Change.TEXT_ONLY),
    "fewer at a time": (LLAMA, {"max_num_seqs": 512}, (card(18.1),), Change.CONVERSATIONS),
    "an 8-bit cache": (LLAMA, {}, (card(17.5),), Change.SMALL_CACHE),
    "8-bit weights": (LLAMA, {}, (C16,), Change.SMALL_WEIGHTS),
    "another repository": (LLAMA, {}, (card(10),), Change.REPOSITORY),
    "another format": (GPT_OSS, {}, (card(16, (7, 5)),), Change.REPOSITORY),
    "more cards": (LLAMA_70B, {"cards": 2}, (card(80, (9, 0)),) * 4, None),
    "an empty card": (LLAMA, {}, (card(24, free=3),), Change.FREE_CARD),
    "cards that divide its heads": (QWEN_AWQ, {"cards": 3}, (C24,) * 4, Change.CARDS),
}


@pytest.mark.parametrize(("found", "serving", "rooms", "change"), WAYS.values(), ids=WAYS.keys())
def test_the_nearest_way_in_which_it_would_fit(
    found: Checkpoint, serving: dict[str, object], rooms: tuple[CardRoom, ...], change: Change
) -> None:
    asked = Serving.model_validate(serving)
    if change is None:
        assert judge(found, asked, rooms).fits
        return
    assert not judge(found, asked, rooms).fits
    ways = nearest(found, asked, rooms)
    assert change in [way.change for way in ways]
    for way in ways:
        assert way.verdict.fits
        assert way.sentence.endswith(".")
        if way.change not in (Change.REPOSITORY, Change.FREE_CARD):
            assert judge(found, way.serving, rooms) == way.verdict


def test_nothing_is_offered_where_nothing_helps() -> None:
    assert nearest(LLAMA_70B, Serving(), (card(4, (6, 1)),)) == []


@given(
    st.floats(2, 200),
    st.floats(0, 1),
    st.integers(1, 512),
    st.one_of(st.none(), st.integers(1, 131_072)),
)
def test_the_numbers_always_add_up(
    total: float, free: float, conversations: int, context: int | None
) -> None:
    room = card(total, free=total * free)
    found = verdict(rooms=(room,), max_num_seqs=conversations, context=context)
    assert found.needed + found.kv_bytes == found.requested
    assert found.requested <= max(room.free_bytes - working_memory.CONTEXT_BYTES, 0)
    assert 0 <= found.context <= (context or 131_072)
    assert found.sentence.endswith(".")
    assert (found.context > 0) == found.word.startswith("Fits")


@given(st.floats(16, 100), st.floats(0.1, 20))
def test_more_memory_never_means_less_context(total: float, more: float) -> None:
    assert verdict(rooms=(card(total + more),)).context >= verdict(rooms=(card(total),)).context
