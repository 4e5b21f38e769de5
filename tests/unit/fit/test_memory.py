import contextlib
import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.core.errors import BrokenFile
from lib.fit.architecture import Geometry, Layer, Stored, geometry
from lib.fit.file_names import variants
from lib.fit.gguf import (
    Header,
    NeedMore,
    parse,
    read_file,
)
from lib.fit.memory import (
    BATCH_TOKENS,
    CONTEXT_STEP,
    FULL,
    Choice,
    Load,
    Room,
    choices,
    largest_context,
    nearest,
    need,
    recommend,
    tokens_per_second,
    verdict,
)
from tests.support.blueprints_dense import dense
from tests.support.headers import Blueprint, write
from tests.support.plans import blueprint_file

GIB, MIB = 2**30, 2**20


def plain(layers: int = 32, cached: int = 2_048, weights: int = 4 * GIB, **more: int) -> Geometry:
    """A transformer of ordinary layers: 128 KiB of cache a token, as Llama 3.1 8B."""
    layer = Layer(cached=cached, window=0, state=0, convolved=0, working=63_488)
    return Geometry(
        layers=(layer,) * layers,
        working=0,
        vocabulary=128_256,
        context_length=more.get("trained", 131_072),
        weights_bytes=weights,
        active_bytes=more.get("active", weights),
        file=Stored(bytes=weights, tensors=weights, loaded=weights),
    )


def room(free: float, total: float = 16.0) -> Room:
    return Room(free_bytes=round(free * GIB), total_bytes=round(total * GIB))


@pytest.fixture(scope="module")
def shaped(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Geometry]:
    names = ("Llama-3.1-8B", "Gemma-3-12B", "DeepSeek-V2-Lite", "Qwen3-30B-A3B", "Gemma-3n-E4B")
    folder = tmp_path_factory.mktemp("shapes")
    return {name: geometry(read_file(blueprint_file(name, folder))) for name in names}


@pytest.mark.parametrize(
    ("name", "load", "expected_mib"),
    [
        ("Llama-3.1-8B", Load(context=8_192), 1_024),
        ("Llama-3.1-8B", Load(context=131_072), 16_384),
        ("Llama-3.1-8B", Load(context=32_768, kv_type="q8_0"), 2_176),
        ("Gemma-3-12B", Load(context=8_192), 992),
        ("Gemma-3-12B", Load(context=8_192, slots=4), 3_968),
        ("Gemma-3-12B", Load(context=131_072), 8_672),
        ("DeepSeek-V2-Lite", Load(context=8_192), 243),
        ("Qwen3-30B-A3B", Load(context=8_192), 768),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_cache_is_what_others_published(
    shaped: dict[str, Geometry], name: str, load: Load, expected_mib: int
) -> None:
    assert need(shaped[name], load).kv_cache == expected_mib * MIB


def test_a_recurrent_state_does_not_grow_with_the_context(tmp_path: Path) -> None:
    mamba = geometry(read_file(blueprint_file("Mamba-1.4B", tmp_path)))
    short, long = (need(mamba, Load(context=context)) for context in (1_024, 65_536))
    assert short == long
    assert need(mamba, Load(slots=4)).kv_cache == 4 * short.kv_cache


def test_layers_that_share_their_cache_are_counted_once(shaped: dict[str, Geometry]) -> None:
    caching = [layer for layer in shaped["Gemma-3n-E4B"].layers if layer.cached]
    assert len(caching) == 20


@pytest.mark.parametrize(
    ("architecture", "pattern", "whole"),
    [
        ("gemma3", None, [5, 11]),
        ("gemma2", None, [1, 3, 5, 7, 9, 11]),
        ("gemma2", 4, [3, 7, 11]),
        ("smallthinker", None, [0, 4, 8]),
        ("gemma4", [True] * 11 + [False], [11]),
        ("gemma3", [False], list(range(12))),
        ("gemma3", 0, []),
        ("phi3", None, list(range(12))),  # states a window that the engine does not keep to
    ],
)
def test_a_layer_sees_the_whole_context_or_a_window(
    tmp_path: Path, architecture: str, pattern: int | list[bool] | None, whole: list[int]
) -> None:
    made = dense(
        architecture, layers=12, width=256, forward=512, heads=4, kv=4, vocabulary=100, window=512
    )
    if pattern is not None:
        made.set("attention", sliding_window_pattern=pattern)
    model = geometry(read_file(write(tmp_path / "sliding.gguf", made)))
    assert [index for index, layer in enumerate(model.layers) if not layer.window] == whole


def test_of_experts_only_those_asked_are_read_for_a_token(shaped: dict[str, Geometry]) -> None:
    dense, sparse = shaped["Llama-3.1-8B"], shaped["Qwen3-30B-A3B"]
    assert 0.9 < dense.active_bytes / dense.weights_bytes < 1
    assert 0.05 < sparse.active_bytes / sparse.weights_bytes < 0.15
    slow, fast = (tokens_per_second(m, Load(), 40e9) for m in (dense, sparse))
    assert 6 < slow < 9
    assert fast > 2 * slow


def test_a_cache_read_at_every_token_lowers_the_limit() -> None:
    short, long = (tokens_per_second(plain(), Load(context=c), 40e9) for c in (1_024, 65_536))
    assert long < short / 2


def test_a_longer_context_of_more_slots_in_a_wider_type_needs_more() -> None:
    steps = [
        Load(context=2_048, kv_type="q4_0"),
        Load(context=2_048, kv_type="q8_0"),
        Load(context=2_048),
        Load(context=4_096),
        Load(context=4_096, slots=2),
        Load(context=4_096, slots=2, prompt_cache_bytes=GIB),
    ]
    totals = [need(plain(), load).total for load in steps]
    assert totals == sorted(set(totals))


def test_what_fits_says_how_much_it_takes() -> None:
    said = verdict(plain(), Load(context=8_192), room(9.9))
    assert (said.word, said.fits, said.is_tight) == ("Fits", True, False)
    assert said.sentence == "Needs about 5.2 GiB of the 9.9 GiB free."


def test_what_fits_tightly_says_so() -> None:
    said = verdict(plain(), Load(context=8_192), room(5.8))
    assert (said.word, said.fits, said.is_tight) == ("Fits", True, True)
    assert "leaves little to other programs" in said.sentence


def test_where_the_context_is_too_long_a_shorter_one_is_offered() -> None:
    said = verdict(plain(), Load(context=65_536), room(6.0))
    assert said.word == "Fits with context 12,288"
    assert not said.fits
    assert said.sentence == "Context 65,536 needs about 12.2 GiB, 6.0 GiB are free."


def test_what_does_not_fit_says_whether_closing_programs_would_help() -> None:
    might, never = (verdict(plain(), Load(), room(2.0, total)) for total in (16, 4))
    assert might.word == never.word == "Does not fit"
    assert "Closing other programs would make room." in might.sentence
    assert "this machine has 4.0 GiB in all" in never.sentence
    assert might.largest_context == 0


@pytest.mark.parametrize("free", [0, 1, 10**18])
def test_a_verdict_exists_for_any_amount_of_memory(free: int) -> None:
    said = verdict(plain(), Load(), Room(free_bytes=free, total_bytes=16 * GIB))
    assert said.fits == (free > GIB)


@given(
    free=st.integers(0, 40 * GIB),
    slots=st.integers(1, 8),
    kv_type=st.sampled_from(["f16", "q8_0", "q4_0"]),
    window=st.sampled_from([0, 512, 4_096]),
    trained=st.integers(1, 300_000),
)
@settings(max_examples=200)
def test_the_largest_context_fits_and_the_next_does_not(
    free: int, slots: int, kv_type: str, window: int, trained: int
) -> None:
    model = plain(trained=trained)
    sliding = model.layers[0]._replace(window=window)
    model = model.model_copy(update={"layers": (model.layers[0], *[sliding] * 31)})
    load = Load.model_validate({"slots": slots, "kv_type": kv_type})

    def fits(context: int) -> bool:
        return need(model, load.model_copy(update={"context": context})).total <= FULL * free

    found = largest_context(model, load, free)
    assert found == trained or found % CONTEXT_STEP == 0
    assert found <= trained
    assert found == 0 or fits(found)
    following = min(found + CONTEXT_STEP, trained)
    assert found == trained or following == trained or not fits(following)


FILES = {
    "F16": 16.1,
    "Q8_0": 8.5,
    "Q6_K": 6.6,
    "Q5_K_M": 5.7,
    "Q4_K_M": 4.9,
    "Q3_K_M": 4.0,
    "Q2_K": 3.2,
}


def offered(free: float, files: dict[str, float] = FILES, context: int = 8_192) -> list[Choice]:
    found = variants((f"Model-{name}.gguf", round(size * 1e9)) for name, size in files.items())
    return choices(found, plain(), Load(context=context), room(free, 64))


def chosen(free: float, files: dict[str, float] = FILES, context: int = 8_192) -> str:
    choice = recommend(offered(free, files, context))
    return choice.variant.quantization if choice else ""


@pytest.mark.parametrize(
    ("free", "expected"),
    [
        (60, "Q8_0"),
        (10, "Q6_K"),
        (8, "Q4_K_M"),
        (6.5, "Q3_K_M"),
        (5.3, "Q3_K_M"),
        (4.6, "Q3_K_M"),
        (4.0, ""),
    ],
)
def test_the_best_quantization_that_fits_is_recommended(free: float, expected: str) -> None:
    assert chosen(free) == expected


def test_below_q3_nothing_is_recommended_but_offered_with_a_warning() -> None:
    only = {"Q2_K": 3.2, "IQ2_XS": 2.6}
    assert chosen(60, only) == ""
    assert all(choice.is_poor for choice in nearest(offered(60, only)))


def test_a_comfortable_fit_goes_before_a_tight_one() -> None:
    tight = [c for c in offered(8) if c.verdict.is_tight]
    assert [c.variant.quantization for c in tight] == ["Q6_K", "Q5_K_M"]
    assert chosen(8) == "Q4_K_M"


def test_the_context_asked_for_goes_before_a_finer_quantization() -> None:
    assert chosen(11) == "Q6_K"
    assert chosen(11, context=32_768) == "Q4_K_M"


def test_unquantized_weights_are_recommended_only_where_nothing_else_is() -> None:
    assert chosen(60, {"F16": 16.1, "Q4_K_M": 4.9}) == "Q4_K_M"
    assert chosen(60, {"F16": 16.1}) == "F16"


@pytest.mark.parametrize(
    ("bits", "expected"),
    [
        ({"F16": 0.0, "q4": 4.8}, "q4"),
        ({"F16": 0.0, "q2": 2.6}, "F16"),
        ({"F16": 0.0, "q4": 0.0}, "F16"),
        ({"Q4_K_M": 0.0, "Q6_K_P": 6.7}, "Q4_K_M"),
        ({"q4": 4.8, "q6": 6.6, "q3": 3.4}, "q6"),
        ({"one": 0.0}, "one"),
        ({"one": 3.0}, ""),
    ],
)
def test_what_nobody_measured_is_recommended_where_only_its_size_can_speak(
    bits: dict[str, float], expected: str
) -> None:
    found = [
        variant.model_copy(update={"bits": bits[variant.title]})
        for variant in variants((f"Model-8B-{name}.gguf", 10**9) for name in bits)
    ]
    choice = recommend(choices(found, plain(), Load(), room(64, 64)))
    assert (choice.variant.title if choice else "") == expected


def test_a_quantization_beside_the_ladder_stands_on_the_rung_below_it() -> None:
    assert chosen(60, {"Q5_K_S": 5.5, "Q4_K_M": 4.9, "Q3_K_M": 4.0}) == "Q4_K_M"
    assert chosen(60, {"Q5_K_S": 5.5, "Q3_K_M": 4.0}) == "Q5_K_S"
    assert chosen(60, {"MXFP4": 12.1}) == "MXFP4"


def test_the_nearest_choices_are_the_best_few_that_fit() -> None:
    found = [choice.variant.quantization for choice in nearest(offered(8))]
    assert found == ["Q6_K", "Q5_K_M", "Q4_K_M"]
    assert nearest(offered(1)) == []


def test_a_small_context_needs_a_small_batch() -> None:
    whole, part = (need(plain(), Load(context=c)).compute for c in (BATCH_TOKENS, 64))
    assert part < whole / 4


def bent(tmp_path: Path, **values: int) -> Header:
    """A small llama whose metadata is not what its tensors are."""
    made = Blueprint("llama", layers=2, width=256, vocabulary=1_000)
    made.heads(4, 4, 64)
    for layer in range(2):
        made.attention(layer, 4, 4, 64)
        made.feed_forward(layer, 512)
    for name, value in values.items():
        made.values[name] = value
    return read_file(write(tmp_path / "bent.gguf", made))


@pytest.mark.parametrize("layers", [0, 3, 3_852, 2**32 - 1])
def test_a_layer_count_that_cannot_be_is_refused(tmp_path: Path, layers: int) -> None:
    with pytest.raises(BrokenFile, match=r"layers|layer 2"):
        geometry(bent(tmp_path, block_count=layers))


def test_more_drafting_layers_than_layers_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BrokenFile):
        geometry(bent(tmp_path, nextn_predict_layers=2))


def test_a_header_with_absurd_figures_gives_a_need_all_the_same(tmp_path: Path) -> None:
    largest = 2**31 - 1
    made = Blueprint("llama", layers=2, width=256, vocabulary=10**6)
    made.heads(largest, [largest], largest)
    made.set("attention", sliding_window=largest, sliding_window_pattern=0)
    for layer in range(2):
        made.attention(layer, 4, 4, 64)
        made.feed_forward(layer, 512)
    model = geometry(read_file(write(tmp_path / "absurd.gguf", made)))
    assert verdict(model, Load(), room(8)).word == "Does not fit"


@pytest.fixture(scope="module")
def small_file(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    made = Blueprint("llama", layers=2, width=256, vocabulary=1_000)
    made.heads(4, [4, 2], 64)
    for layer in range(2):
        made.attention(layer, 4, 4, 64)
        made.experts(layer, 4, 512)
    path = write(tmp_path_factory.mktemp("small") / "small.gguf", made)
    return path.read_bytes()[:3_000]


@settings(max_examples=300)
@given(
    changes=st.lists(
        st.tuples(st.integers(0, 2_992), st.sampled_from([0, 1, 255, 2**31, 2**32 - 1, 2**62])),
        min_size=1,
        max_size=4,
    )
)
def test_a_damaged_header_has_a_need_or_is_refused(
    small_file: bytes, changes: list[tuple[int, int]]
) -> None:
    damaged = bytearray(small_file)
    for place, number in changes:
        damaged[place : place + 4] = struct.pack("<Q", number)[:4]
    with contextlib.suppress(BrokenFile, NeedMore):
        model = geometry(parse(bytes(damaged)))
        said = verdict(model, Load(), room(8))
        assert said.need.total > 0
        assert tokens_per_second(model, Load(), 4e10) >= 0
        assert said.largest_context >= 0
