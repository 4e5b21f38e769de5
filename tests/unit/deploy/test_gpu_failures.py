"""Failures of GPU slots: each recorded log, and each sentence of a check, with what would help."""

import pytest

from lib.deploy.diagnosis import Action, Known, explained
from lib.deploy.gpu_failures import KNOWN
from lib.engines.vllm.causes import Kind, find
from tests.support import vllm_logs as logs

HELPS = {
    Kind.CARD_TAKEN: (Action.FREE_CARD, ""),
    Kind.WEIGHTS_TOO_LARGE: (Action.HALVE_WEIGHTS, "fp8_per_tensor"),
    Kind.NO_ROOM_FOR_CACHE: (Action.FEWER_REQUESTS, "16"),
    Kind.MEMORY_RAN_OUT: (Action.FEWER_REQUESTS, "16"),
    Kind.TOO_MANY_REQUESTS: (Action.FEWER_REQUESTS, "16"),
    Kind.CONTEXT_TOO_LARGE: (Action.RETRY_WITH_CONTEXT, "41728"),
    Kind.CONTEXT_BEYOND_MODEL: (Action.RETRY_WITH_CONTEXT, "32768"),
    Kind.QUANTIZATION: (Action.NONE, ""),
    Kind.ARCHITECTURE: (Action.NONE, ""),
    Kind.REMOTE_CODE: (Action.NONE, ""),
    Kind.TOO_FEW_CARDS: (Action.NONE, ""),
    Kind.DISK_FULL: (Action.FREE_SPACE, ""),
}
AGAIN = (Action.RETRY, "")


@pytest.mark.parametrize(
    ("log", "kind"),
    [(log, kind) for log, kind, _ in logs.REFUSALS],
    ids=[str(kind) for _, kind, _ in logs.REFUSALS],
)
def test_each_refusal_of_the_engine_has_its_button(log: str, kind: Kind) -> None:
    cause = find(log, 1)
    assert cause is not None
    said = f"== start\nStarting the service.\n{cause.message} {cause.fix}\n"
    for text in (said, log):
        found = explained(text, 7)
        wanted = HELPS.get(kind, AGAIN)
        assert (found.action, found.argument) == wanted, text
        assert found.line and found.fix


CHECKS = [
    ("There is no NVIDIA driver on this machine. Install it.", Action.RETRY, "no NVIDIA card"),
    (
        "The NVIDIA driver knows CUDA 12.4, and vLLM needs 13.0. Update the driver.",
        Action.RETRY,
        "CUDA 12.4",
    ),
    (
        "Card 0 is divided into parts (MIG), which is not supported yet. Choose another card.",
        Action.NONE,
        "MIG",
    ),
    (
        "These steps need root's rights, which this account does not have: service. Run: sudo x",
        Action.RETRY,
        "root's rights",
    ),
    (
        "systemd does not run this machine, so no service can be made.",
        Action.NONE,
        "not run by systemd",
    ),
    (
        "gcc and Python.h are missing, which vLLM needs when it starts. Run: sudo apt-get install",
        Action.RETRY,
        "gcc and Python.h",
    ),
    (
        "/var/cache/berth lies on /var, which is mounted noexec: nothing could run there.",
        Action.RETRY,
        "Nothing may be run",
    ),
    (
        "Port 8104 is used by python3 (process 7). End that program, or choose another slot.",
        Action.RETRY,
        "Port 8104 of this slot is used by python3 (process 7)",
    ),
    (
        "berth-slot-0.service exists and does not carry Berth's mark. Rename it.",
        Action.RETRY,
        "not Berth's",
    ),
    ("It has no safetensors files at its top. Take the original.", Action.NONE, "safetensors"),
    ("X runs only with code that comes with the model, and Berth", Action.NONE, "program code"),
    ("The weights are quantized with bitsandbytes, which vLLM reads", Action.NONE, "bitsandbytes"),
    ("nginx's configuration was broken before Berth came: x.", Action.RETRY, "nginx"),
    ("LiteLLM does not take its settings: bad indent.", Action.RETRY, "LiteLLM"),
    (
        "Test failed: engine. The engine says that it is healthy, and gives no token: slow",
        Action.RETRY,
        "no token",
    ),
    ("Another run is under way here: slot 0 (process 7).", Action.RETRY, "under way"),
]


@pytest.mark.parametrize(("line", "action", "word"), CHECKS)
def test_each_sentence_of_a_check_has_its_button(line: str, action: Action, word: str) -> None:
    found = explained(f"== check\n{line}\n", 7)
    assert found.action == action
    assert word in found.cause
    assert found.line == line


def test_every_row_is_provoked_by_a_line() -> None:
    assert len(CHECKS) == len(KNOWN)
    assert all(isinstance(row, Known) for row in KNOWN)


@pytest.mark.parametrize(
    ("last", "action"),
    [
        ("The disk is too full: 0.3 GB free, 2.0 GB needed.", Action.FREE_SPACE),
        ("The card has 1 of its 24 GiB free, and the engine was to take 9 GiB.", Action.FREE_CARD),
    ],
)
def test_what_a_script_says_after_the_engines_log_counts_more(last: str, action: Action) -> None:
    assert explained(logs.refused(logs.TOO_LONG) + last, 5).action == action


def test_a_failure_on_the_processor_is_not_taken_for_one_of_a_card() -> None:
    found = explained(
        "Q8_0 with context 8,192 does not fit. Context 8,192 needs about 9 GiB, 8 GiB are free."
        " Nearest: Q8_0 with context 2,048.",
        3,
    )
    assert (found.action, found.argument) == (Action.RETRY_WITH_CONTEXT, "2048")
