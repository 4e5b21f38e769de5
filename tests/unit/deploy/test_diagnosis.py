"""Which failure a log and an exit code tell of, and what would help."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.deploy.diagnosis import LONGEST_LINE, Action, explained

FAILURES = [
    # the line that tells, the action, its argument, a word of the cause
    (
        "acme/X is gated: its files are for those who have accepted its terms. Accept them at …",
        Action.SIGN_IN,
        "",
        "gated",
    ),
    (
        "acme/X is gated, and the token's account has not been let in. Accept its terms at …",
        Action.RETRY,
        "",
        "not been let in",
    ),
    (
        "The Hub refuses the token: it is mistyped, expired or revoked. Save a new one",
        Action.SIGN_IN,
        "",
        "token",
    ),
    (
        "acme/X was not found: it does not exist, is private or is gated. Check the name.",
        Action.SIGN_IN,
        "",
        "acme/X",
    ),
    (
        "acme/X has no GGUF files, and no repository on the Hub declares to have them of it.",
        Action.NONE,
        "",
        "GGUF",
    ),
    (
        "acme/X has no v2/m-Q5_0, and no other repository of this model has it. Choose one of "
        "UD-Q4_K_XL, Anvil-1.5B-q4 and 3 others.",
        Action.OTHER_QUANTIZATION,
        "UD-Q4_K_XL",
        "v2/m-Q5_0",
    ),
    (
        "acme/X has no GGUF file “a-Q5_0.gguf” in “main”. Choose one of Anvil-1.5B-q4.",
        Action.OTHER_QUANTIZATION,
        "Anvil-1.5B-q4",
        "a-Q5_0.gguf",
    ),
    (
        "Anvil-1.5B-q4 with context 8,192 does not fit. Context 8,192 needs about 9 GiB, 8 GiB are "
        "free. Nearest: UD-Q2_K_XL; Anvil-1.5B-q4 with context 2,048.",
        Action.RETRY_WITH_CONTEXT,
        "2048",
        "context",
    ),
    (
        "UD-Q8_K_XL with context 8,192 does not fit. Needs about 9.1 GiB, 4.0 GiB are free. "
        "Nearest: UD-Q4_K_XL with context 4,096; Q3_K_M.",
        Action.OTHER_QUANTIZATION,
        "UD-Q4_K_XL",
        "more memory",
    ),
    (
        "“Anvil-T5.gguf” cannot be run here: it reads a whole text and then answers it in another "
        "way (encoder-decoder). Choose another model.",
        Action.NONE,
        "",
        "encoder-decoder",
    ),
    (
        "“x.gguf” cannot be deployed: it is an adapter (LoRA), which changes a model it is loaded "
        "with. Choose one of Q4_K_M.",
        Action.NONE,
        "",
        "an adapter",
    ),
    (
        "cdn.example, where huggingface.co keeps x.gguf, refuses its address (403): it may have "
        "expired. Resume it: a new address is asked for.",
        Action.RETRY,
        "",
        "refused the address",
    ),
    (
        "acme/X has no Q5_0, and no other repository of this model has it. Choose one of Q8_0, "
        "Q4_K_M.",
        Action.OTHER_QUANTIZATION,
        "Q8_0",
        "Q5_0",
    ),
    (
        "Q8_0 with context 8,192 does not fit. Context 8,192 needs about 9 GiB, 8 GiB are free. "
        "Nearest: Q8_0 with context 2,048; Q6_K with context 4,096.",
        Action.RETRY_WITH_CONTEXT,
        "2048",
        "context",
    ),
    (
        "Q8_0 with context 8,192 does not fit. Needs about 9.1 GiB, 4.0 GiB are free. "
        "Nearest: Q4_K_M; Q3_K_M.",
        Action.OTHER_QUANTIZATION,
        "Q4_K_M",
        "memory",
    ),
    (
        "Q8_0 with context 8,192 fits only just: it takes 91% of the free memory. Accept that "
        "(--accept-danger), or choose less. Nearest: Q6_K.",
        Action.OTHER_QUANTIZATION,
        "Q6_K",
        "memory",
    ),
    ("The disk is too full: 0.3 GB free, 2.0 GB needed.", Action.FREE_SPACE, "", "disk"),
    ("write: No space left on device", Action.FREE_SPACE, "", "disk"),
    ("huggingface.co limits downloads at the moment (429).", Action.RETRY, "", "limits"),
    ("x.gguf arrived damaged: its checksum is ab, not cd.", Action.RETRY, "", "damaged"),
    ("“x.gguf” is not a GGUF file. Download it again", Action.NONE, "", "no usable model"),
    ("huggingface.co did not answer in time. Check the network", Action.RETRY, "", "stalled"),
    ("huggingface.co cannot be reached: it refuses the connection.", Action.RETRY, "", "network"),
    ("The engine does not know the architecture “lambo”.", Action.NONE, "", "“lambo”"),
    ("bind: address already in use", Action.OTHER_PORT, "", "port"),
    ("Ollama 0.5.0 is not used: versions before 0.17.1 give", Action.INSTALL_ENGINE, "", "0.17.1"),
    ("Ollama's installer failed.", Action.INSTALL_ENGINE, "", "installed"),
    ("Ollama is not installed. Download it from", Action.INSTALL_ENGINE, "", "Ollama"),
    ("Berth is not installed in this folder yet.", Action.INSTALL_ENGINE, "", "installed"),
    ("“x” has no chat template, so it can only continue a text.", Action.NONE, "", "template"),
    ("Test failed: it answers a question. The answer was empty.", Action.RETRY, "", "nothing"),
]


@pytest.mark.parametrize(("line", "action", "argument", "word"), FAILURES)
def test_a_known_failure_has_its_cause_and_its_button(
    line: str, action: Action, argument: str, word: str
) -> None:
    found = explained(f"Looking at this machine.\n{line}\n", 1)
    assert (found.action, found.argument) == (action, argument)
    assert word in found.cause
    assert found.line == line[:LONGEST_LINE]
    for sentence in (found.cause, found.fix):
        assert re.fullmatch(r"[A-Z“].*[.]", sentence)
        assert not re.search(r"[{}!]", sentence)


def test_memory_that_ran_out_offers_half_of_the_context() -> None:
    log = "Starting x with context 8,192.\nThe engine ended (signal 9): memory ran out.\n"
    found = explained(log, 7)
    assert (found.action, found.argument) == (Action.RETRY_WITH_CONTEXT, "4096")


def test_a_script_that_was_killed_says_so() -> None:
    found = explained("Downloading 1 GB.\n", 137)
    assert "killed" in found.cause
    assert found.action == Action.RETRY_WITH_CONTEXT


def test_an_unknown_failure_shows_the_first_line_that_names_an_error() -> None:
    found = explained("all well\nsegmentation error at 7\nsomething else\n", 9)
    assert found.line == "segmentation error at 7"
    assert "9" in found.cause


def test_the_last_known_failure_counts_because_earlier_ones_were_overcome() -> None:
    log = "hf.co did not answer in time. Trying again in 1 s.\nThe disk became full: 0 B free.\n"
    assert explained(log, 5).action == Action.FREE_SPACE


def test_what_a_plan_notes_is_no_failure() -> None:
    log = "Note      It has no chat template, so it can only continue a text.\nodd\n"
    assert explained(log, 7).line == "odd"


@given(st.text(), st.none() | st.integers(0, 255))
def test_any_log_is_explained_in_a_line(log: str, code: int | None) -> None:
    found = explained(log, code)
    assert found.cause
    assert len(found.line) <= LONGEST_LINE + 1
    assert "\n" not in found.line
