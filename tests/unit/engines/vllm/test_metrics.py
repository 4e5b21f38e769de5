"""What vLLM tells of itself, read from a recorded answer."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.engines.vllm.metrics import Figures, Speeds, line, parsed, speeds

RECORDED = (Path(__file__).parents[3] / "support" / "vllm_metrics.txt").read_text()


def test_a_recorded_answer_is_understood() -> None:
    now = parsed(RECORDED)
    assert (now.running, now.waiting, now.waiting_by_reason) == (2, 1, {"capacity": 1})
    assert now.kv_share == 0.3712
    assert (now.generated, now.prompted, now.stepped) == (11, 74, 85)
    assert (now.first_tokens, round(now.first_token_seconds, 3)) == (4, 0.176)
    assert (now.kv_tokens, now.concurrency) == (1_048_576, 2048.0)
    assert now.is_vllm


def test_several_engines_of_one_server_are_added_up() -> None:
    second = RECORDED.replace('engine="0"', 'engine="1"').replace("0.3712", "0.8")
    now = parsed(second + RECORDED)
    assert (now.running, now.waiting, now.generated) == (4, 2, 22)
    assert now.kv_share == 0.8
    assert now.kv_tokens == 1_048_576


def test_another_servers_metrics_are_not_vllms() -> None:
    assert parsed("llamacpp:requests_processing 1\n# nothing else\n") == Figures()
    assert not parsed("").is_vllm


@pytest.mark.parametrize("value", ["NaN", "+Inf", "x", "", "1e999"])
def test_a_value_that_is_no_number_is_passed_over(value: str) -> None:
    assert parsed(f'vllm:num_requests_running{{engine="0"}} {value}\n').running == 0


def test_quotes_and_braces_in_a_label_end_nothing() -> None:
    text = 'vllm:num_requests_waiting_by_reason{model_name="a\\"}b",reason="capacity"} 3\n'
    assert parsed(text).waiting_by_reason == {"capacity": 3}


@given(st.text(max_size=3_000))
def test_any_text_is_read_without_a_failure(text: str) -> None:
    parsed(text)
    parsed("vllm:kv_cache_usage_perc{" + text)


@given(st.floats(allow_nan=True, allow_infinity=True))
def test_any_number_gives_a_line(value: float) -> None:
    names = ("num_requests_running", "kv_cache_usage_perc", "num_preemptions_total")
    now = parsed("".join(f"vllm:{name} {value}\n" for name in names))
    assert isinstance(line(now, Speeds()), str)


def test_speeds_come_from_two_readings() -> None:
    before = Figures(generated=100, first_tokens=1, first_token_seconds=0.5)
    after = Figures(generated=182, first_tokens=3, first_token_seconds=0.9)
    lately = speeds(before, after, 2.0)
    assert lately.tokens_per_second == 41
    assert lately.first_token_seconds == pytest.approx(0.2)


def test_two_readings_too_close_together_tell_no_speed() -> None:
    assert speeds(Figures(), Figures(generated=5), 0.01).tokens_per_second is None


def test_a_server_that_was_restarted_between_two_readings_tells_no_speed() -> None:
    before = Figures(generated=100, first_tokens=9, first_token_seconds=3)
    assert speeds(before, Figures(generated=2, first_tokens=1), 2.0) == Speeds()


@pytest.mark.parametrize(
    ("now", "lately", "said"),
    [
        (Figures(), Speeds(), ""),
        (
            Figures(running=2, waiting=1, waiting_by_reason={"capacity": 1}, kv_share=0.95),
            Speeds(tokens_per_second=41.3),
            "2 answering · 1 waiting for memory · KV 95 % · 41 tok/s",
        ),
        (
            Figures(running=4, waiting=2, waiting_by_reason={"capacity": 2}, kv_share=0.371),
            Speeds(first_token_seconds=0.214),
            "4 answering · 2 waiting for a place · KV 37 % · first token 0.21 s",
        ),
        (Figures(waiting=1, waiting_by_reason={"deferred": 1}), Speeds(), "1 waiting"),
        (
            Figures(running=1, preemptions=3),
            Speeds(),
            "1 answering · 3 put back for memory",
        ),
    ],
)
def test_one_line_says_what_it_does(now: Figures, lately: Speeds, said: str) -> None:
    assert line(now, lately) == said
