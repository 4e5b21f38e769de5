"""The deploy page with a deployment on a slot that is under way, has failed or is done."""

import sys
import time
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from lib.jobs import jobs
from lib.jobs.jobs import Job
from lib.slots import job as slot_job
from lib.slots.request import SlotRequest
from tests.support.deploy_page import labels, opened, said
from tests.support.jobs import ended
from tests.support.waiting import until

pytestmark = pytest.mark.usefixtures("no_ollama", "ended_jobs", "hub")

MODEL = "acme/Anvil-8B"
JOB = """
import sys, time
from lib.jobs import events
for phase in ("check", "unload", "download", "service", "gateway"):
    events.emit(phase)
    events.emit(phase, "succeeded")
events.emit("start", note="Starting Anvil-8B.")
events.emit("start", note="Starting the program (ready in about " + sys.argv[2] + ")")
events.emit("start", note="Loading the weights (ready in about " + sys.argv[2] + ")")
events.emit("start", done=4_000_000_000, total=16_000_000_000, note="part 1 of 4")
print(sys.argv[3], flush=True)
if sys.argv[1] == "wait":
    time.sleep(600)
if sys.argv[1] == "0":
    events.emit("start", "succeeded")
    events.emit("test", "succeeded", note="Anvil-8B is ready at http://127.0.0.1:8100/v1")
sys.exit(int(sys.argv[1]))
"""


def started(exit_code: str, last_line: str = "", left: str = "2 min 5 s") -> Job:
    """A deployment that goes so far as to load the weights, and then ends like this."""
    request = SlotRequest(model=MODEL, slot=1, max_num_seqs=64, served_name="anvil")
    return jobs.start(
        [sys.executable, "-c", JOB, exit_code, left, last_line],
        title=request.title,
        kind=slot_job.KIND,
        resource=request.resource,
        details=request.model_dump(mode="json"),
    )


def loading(job: Job) -> AppTest:
    until(lambda: jobs.find(job.id).progress().total)
    return opened(job=job.id)


def failed(last_line: str) -> tuple[Job, AppTest]:
    job = ended(started("7", last_line))
    return job, opened(job=job.id)


def next_request(job: Job) -> dict[str, Any]:
    """What the newest deployment asks for."""
    newest = jobs.recent(kind=slot_job.KIND)[0]
    assert newest.id != job.id
    return newest.details


def bar(page: AppTest) -> str:
    [shown] = [bar for bar in page.get("progress") if "Loading" in bar.proto.text]
    return str(shown.proto.text)


def test_a_start_shows_its_phases_its_steps_and_how_long_it_takes() -> None:
    page = loading(started("wait"))
    told = said(page)
    assert ":green[✓]&nbsp;Gateway" in told
    assert "**●&nbsp;Start**" in told
    assert bar(page).startswith("**Loading the weights** · about ")
    assert bar(page).endswith("s left")
    assert ":green[✓]&nbsp;Program" in told
    assert "**●&nbsp;Weights**]&nbsp;4.0&nbsp;GB&nbsp;of&nbsp;16.0&nbsp;GB,&nbsp;" in told
    assert ":gray[○&nbsp;Graphs]" in told


def test_a_start_that_takes_longer_than_expected_says_so() -> None:
    job = started("wait", left="0.00 s")
    page = loading(job)
    assert "takes longer than expected: " in bar(page)


def test_the_newest_one_under_way_is_shown_without_an_address() -> None:
    loading(started("wait"))
    assert "Deploy Anvil-8B on slot 1" in said(opened())


def test_one_that_waits_for_its_slot_says_so_and_can_be_cancelled() -> None:
    first, second = started("wait"), started("wait")
    page = opened(job=second.id)
    assert "Queued" in said(page)
    page.button(key=f"cancel-{second.id}").click().run()
    assert jobs.find(second.id).state == "cancelled"
    assert jobs.find(first.id).is_active


@pytest.mark.parametrize(
    ("line", "label", "changed"),
    [
        (
            "The model leaves no memory for conversations. Raise the utilization.",
            "Retry with 16 requests at a time",
            {"max_num_seqs": 16},
        ),
        (
            "The model leaves no memory for conversations. Raise the utilization.",
            "Retry with 97 % of the card",
            {"utilization": 0.97},
        ),
        (
            "A context of 131,072 does not fit beside the model; 41,728 does. Use 41,728, or auto.",
            "Retry with context 41,728",
            {"context": 41_728},
        ),
        (
            "The model's weights do not fit on the card. Choose a quantized model.",
            "Retry with 8-bit weights",
            {"quantization": "fp8_per_tensor"},
        ),
        (
            "The card has 1.0 of its 24.0 GiB free, and the engine was to take 21.0 GiB.",
            "Try again with what is free now",
            {"utilization": None},
        ),
    ],
)
def test_a_remedy_begins_the_same_with_that_one_change(
    line: str, label: str, changed: dict[str, Any]
) -> None:
    job, page = failed(line)
    [button] = [one for one in page.button if one.label == label]
    button.click().run()
    assert not page.exception
    assert next_request(job) == {**job.details, **changed}


@pytest.mark.parametrize(
    ("line", "command"),
    [
        (
            "gcc is missing, which vLLM needs when it starts. Run: sudo apt-get install gcc",
            "sudo apt-get install gcc",
        ),
        (
            "These steps need root's rights, which this account does not have: start, test. "
            f"Run: sudo BERTH_HOME=/b bash deploy_model.sh {MODEL} 1 --yes",
            f"sudo BERTH_HOME=/b bash deploy_model.sh {MODEL} 1 --yes",
        ),
        (
            "vLLM compiles at its start, and finds no C compiler or no headers of Python. Install "
            "them (Debian, Ubuntu: sudo apt install gcc python3-dev), then start it again.",
            "sudo apt install gcc python3-dev",
        ),
    ],
)
def test_a_command_that_mends_it_can_be_copied(line: str, command: str) -> None:
    _, page = failed(line)
    assert command in [code.value for code in page.code]
    assert "Try again" in labels(page)


def test_a_model_that_is_too_large_leads_to_a_search_for_fewer_bits() -> None:
    _, page = failed("acme/Anvil-8B does not fit. It needs about 15.1 GiB before its cache.")
    [button] = [one for one in page.button if one.label == "Look for a 4-bit version"]
    button.click().run()
    assert page.text_input(key="deploy_model").value == "Anvil-8B AWQ"


def test_the_choices_come_back_as_they_were() -> None:
    job, page = failed("There is no NVIDIA driver on this machine. Install it.")
    page.button(key=f"choices-{job.id}").click().run()
    assert page.text_input(key="deploy_model").value == MODEL
    assert page.session_state[f"slot slot {MODEL}"] == 1
    assert page.session_state[f"slot max_num_seqs {MODEL}"] == 64
    assert page.session_state[f"slot served_name {MODEL}"] == "anvil"


def test_a_success_whose_model_was_removed_says_so() -> None:
    job = ended(started("0"))
    assert "has been removed since" in said(opened(job=job.id))
    assert job.ended and job.ended <= time.time()


def test_earlier_ones_are_listed() -> None:
    ended(started("7", "The model's weights do not fit on the card."))
    assert "Deploy Anvil\\-8B on slot 1" in labels(opened())
