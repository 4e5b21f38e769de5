"""Why vLLM did not start, from its log."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.core.errors import EngineError
from lib.engines.vllm.causes import Kind, Retry, find
from tests.support import vllm_logs as logs


@pytest.mark.parametrize(
    ("log", "kind", "message"), logs.REFUSALS, ids=[str(kind) for _, kind, _ in logs.REFUSALS]
)
def test_each_refusal_has_its_kind_and_its_sentence(log: str, kind: Kind, message: str) -> None:
    cause = find(log, 1)
    assert cause is not None
    assert (cause.kind, cause.message) == (kind, message)
    assert cause.fix.endswith(".")
    assert cause.line


def test_every_kind_that_a_log_can_tell_has_a_recorded_log() -> None:
    told = {kind for _, kind, _ in logs.REFUSALS}
    assert set(Kind) - told == {Kind.KILLED, Kind.UNKNOWN}


def test_only_two_refusals_are_worth_another_try() -> None:
    tries = {kind: find(log, 1) for log, kind, _ in logs.REFUSALS}
    worth = {kind: cause.retry for kind, cause in tries.items() if cause and cause.retry != "never"}
    assert worth == {
        Kind.CONTEXT_TOO_LARGE: Retry.SMALLER_CONTEXT,
        Kind.NEIGHBOUR_MOVED: Retry.LATER,
    }


def test_the_context_that_fits_is_a_number() -> None:
    cause = find(logs.refused(logs.TOO_LONG))
    assert cause is not None
    assert (cause.retry, cause.context) == (Retry.SMALLER_CONTEXT, 41_728)
    assert cause.fix == "Use a context of 41,728, or auto."


def test_without_an_estimate_a_smaller_context_is_not_promised() -> None:
    cause = find(logs.refused(logs.TOO_LONG.replace("estimated maximum", "hoped for")))
    assert cause is not None
    assert (cause.kind, cause.context) == (Kind.NO_ROOM_FOR_CACHE, None)


def test_the_first_error_counts_and_not_the_summary_that_ends_the_log() -> None:
    cause = find(logs.refused("FooError: the frobnicator is stuck"), 1)
    assert cause is not None
    assert cause.kind == Kind.UNKNOWN
    assert cause.message == "The engine ended (exit code 1): FooError: the frobnicator is stuck."


def test_of_a_validation_the_second_line_tells() -> None:
    log = (
        "ValidationError: 1 validation error for ModelConfig\n  Value error, odd [type=value_error]"
    )
    cause = find(log)
    assert cause is not None
    assert cause.message == "The engine ended: odd."


def test_only_the_last_start_in_the_log_counts() -> None:
    first = logs.refused("OSError: [Errno 98] Address already in use", logs.BEGUN)
    assert find(first + logs.STARTED) is None
    cause = find(first + logs.refused("OSError: [Errno 28] No space left on device"))
    assert cause is not None
    assert cause.kind == Kind.DISK_FULL


def test_errors_of_requests_that_were_refused_are_no_cause() -> None:
    assert find(logs.STARTED + logs.REFUSED_REQUEST, 0) is None
    assert find(logs.REFUSED_REQUEST) is None, "of a log that was cut to its end"
    cause = find(logs.STARTED + logs.REFUSED_REQUEST + logs.DIED)
    assert cause is not None
    assert cause.kind == Kind.CORE_DIED


def test_what_a_core_died_of_counts_whatever_is_answered_meanwhile() -> None:
    last = logs.REFUSED_REQUEST + logs.ANSWERED
    cause = find(logs.STARTED + last + logs.CRASHED + logs.DIED + last + logs.ANSWERED_500)
    assert cause is not None
    assert cause.kind == Kind.UNKNOWN
    assert "illegal memory access" in cause.message


def test_a_healthy_start_has_no_cause() -> None:
    assert find(logs.STARTED, 0) is None
    assert find("") is None


def test_source_code_that_a_traceback_quotes_is_no_cause() -> None:
    assert (
        find('    raise ValueError(\n        "No available memory for the cache blocks. "\n')
        is None
    )


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (-9, "Something ended the engine (signal 9), perhaps because memory ran out."),
        (137, "Something ended the engine (signal 9), perhaps because memory ran out."),
        (-11, "The engine ended (signal 11) without a word that is known here."),
        (3, "The engine ended (exit code 3) without a word that is known here."),
    ],
)
def test_where_the_log_is_silent_the_exit_code_tells(code: int, message: str) -> None:
    cause = find(logs.BEGUN, code)
    assert cause is not None
    assert cause.message == message


@pytest.mark.parametrize("code", [None, 0, -15, 143])
def test_an_ordinary_end_is_no_failure(code: int | None) -> None:
    assert find(logs.BEGUN, code) is None


def test_a_cause_can_be_raised() -> None:
    cause = find(logs.refused(logs.TOO_LONG))
    assert cause is not None
    with pytest.raises(EngineError, match="does not fit beside the model") as raised:
        raise cause.error
    assert raised.value.fix == cause.fix


@given(st.text(max_size=2_000), st.none() | st.integers(-64, 255))
def test_any_text_is_read_without_a_failure(text: str, code: int | None) -> None:
    find(text, code)
