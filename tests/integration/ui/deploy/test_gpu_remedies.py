"""What the page offers where a deployment on a slot failed."""

import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from lib.engines.base import StartOptions, State
from lib.engines.vllm import ENGINE, watch
from tests.support.deploy_page import labels, opened, said
from tests.support.jobs import bash, ended
from tests.support.vllm_slots import Box, boxed


@pytest.fixture
def box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Box]:
    monkeypatch.setattr(ENGINE, "_watcher", watch.Watcher())
    yield from boxed(tmp_path, monkeypatch)


def failed(sentence: str) -> str:
    """The id of a job whose last words these are."""
    return ended(bash(f"echo {shlex.quote(sentence)}; exit 7")).id


@pytest.mark.parametrize(
    ("sentence", "label"),
    [
        (
            "A context of 131,072 does not fit beside the model; 41,728 does. Use 41,728, or auto.",
            "Retry with context 41,728",
        ),
        ("The model's weights do not fit on the card.", "Retry with 8-bit weights"),
        (
            "The model leaves no memory for conversations. Raise the utilization.",
            "Retry with 16 requests at a time",
        ),
        ("There is no NVIDIA driver on this machine. Install it.", "Try again"),
    ],
)
def test_each_remedy_is_a_button(sentence: str, label: str) -> None:
    page = opened(job=failed(sentence))
    assert label in labels(page)
    assert sentence.split(";")[0].split(".")[0][:30] in said(page) or label == "Try again"


def test_a_full_card_offers_to_stop_what_runs_on_it(box: Box) -> None:
    slot = box.slot()
    ENGINE.start("tiny", StartOptions())
    words = "The card has 1.0 of its 24.0 GiB free, and the engine was to take 21.0 GiB."
    job = failed(words)
    page = opened(job=job)
    assert f"Stop tiny (slot {slot})" in labels(page)
    page.button(key=f"stop-{job}-tiny").click().run()
    assert not page.exception
    assert ENGINE.models()[0].state == State.STOPPED
