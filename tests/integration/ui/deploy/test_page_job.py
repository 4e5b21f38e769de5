"""The deploy page with a deployment that is under way, has failed or is done."""

import sys
import time

import pytest

from lib.core.settings import settings
from lib.deploy import KIND, DeployRequest
from lib.jobs import jobs
from lib.jobs.jobs import Job
from tests.support.deploy_page import (
    SECONDS,
    SMALL,
    bodies,
    deploy_button,
    labels,
    opened,
    said,
)
from tests.support.hub_api import HubApi
from tests.support.tiny_gguf import write_tiny

pytestmark = pytest.mark.usefixtures("no_ollama", "ended_jobs")

JOB = """
import sys
from lib.jobs import events
for phase in ("detect", "plan", "engine"):
    events.emit(phase)
    events.emit(phase, "succeeded")
events.emit("download", done=50_000_000, total=200_000_000)
print("The first line")
print(sys.argv[2], flush=True)
if sys.argv[1] == "wait":
    __import__("time").sleep(600)
if sys.argv[1] == "0":
    for phase in ("download", "start", "test"):
        events.emit(phase, "succeeded", note="small is ready at http://localhost/v1")
sys.exit(int(sys.argv[1]))
"""


def started(exit_code: str, last_line: str = "The last line") -> Job:
    """A deployment that goes so far as to download, and then ends like this."""
    request = DeployRequest(model=SMALL, quantization="Q4_K_M", context=8_192)
    return jobs.start(
        [sys.executable, "-c", JOB, exit_code, last_line],
        title=request.title,
        kind=KIND,
        resource=request.resource,
        details=request.model_dump(),
    )


def ended(job: Job) -> Job:
    deadline = time.monotonic() + SECONDS
    while jobs.find(job.id).is_active and time.monotonic() < deadline:
        time.sleep(0.05)
    return jobs.find(job.id)


def downloading(job: Job) -> Job:
    deadline = time.monotonic() + SECONDS
    while jobs.find(job.id).progress().phase != "download" and time.monotonic() < deadline:
        time.sleep(0.05)
    return jobs.find(job.id)


def test_a_running_deployment_shows_phases_bar_log_and_cancel() -> None:
    job = downloading(started("wait", "<b>a line of the log</b>"))
    page = opened(job=job.id)
    assert "Deploy Small-GGUF (Q4_K_M)" in said(page)
    assert ":green[✓]&nbsp;Machine" in said(page)
    assert "**●&nbsp;Download**" in said(page)
    assert ":gray[○&nbsp;Test]" in said(page)
    [bar] = [bar for bar in page.get("progress") if "Downloading" in bar.proto.text]
    assert "25%" in bar.proto.text
    assert "50 MB of 200 MB" in bar.proto.text
    assert "&lt;b&gt;a line of the log&lt;/b&gt;" in bodies(page)[-1]
    page.button(key=f"cancel-{job.id}").click().run()
    assert jobs.find(job.id).state == "cancelled"
    assert "What has arrived is kept" in said(opened(job=job.id))


def test_the_newest_deployment_under_way_is_shown_without_an_address() -> None:
    job = downloading(started("wait"))
    assert any("Downloading 25%" in bar.proto.text for bar in opened().get("progress"))
    job.cancel()


@pytest.mark.parametrize(
    "job_id", ["20261122-141801-483152-02fc", "../../etc/passwd", "\0", "x" * 9999]
)
def test_an_address_that_names_no_deployment_gets_a_sentence_and_the_list(job_id: str) -> None:
    ended(started("0"))
    page = opened(job=job_id)
    assert "There is no job" in said(page)
    assert "Earlier deployments (1)" in [fold.label for fold in page.expander]


def test_earlier_deployments_are_listed_with_outcome_and_duration() -> None:
    ended(started("0"))
    failed = ended(started("7"))
    page = opened()
    shown = page.expander[0].label, [badge.value for badge in page.expander[0].markdown]
    assert shown[0] == "Earlier deployments (2)"
    assert f"show-{failed.id}" in [button.key for button in page.button]


@pytest.mark.parametrize(
    ("line", "code", "cause", "button"),
    [
        (
            "The memory for the context could not be had.",
            "7",
            "memory for the context",
            "Retry with",
        ),
        (
            "Q8_0 with context 8,192 does not fit. Nearest: Q4_K_M.",
            "3",
            "more memory",
            "Q4_K_M inst",
        ),
        ("acme/x is gated: its files are for those", "4", "is gated", "Save the token and retry"),
        ("The disk is too full: 1 MB free.", "5", "disk is full", "Remove tiny (frees"),
        ("Port 8104 is used by another program.", "7", "uses the port", "another port"),
        ("Ollama is not installed.", "7", "Ollama is not there", "Use the built-in engine"),
        ("huggingface.co cannot be reached: no route.", "6", "network broke", "Try again"),
        ("Error: a thing nobody has seen before <b>", "9", "exit code 9", "Try again"),
    ],
)
def test_a_failure_has_its_cause_its_line_and_the_button_that_mends_it(
    line: str, code: str, cause: str, button: str
) -> None:
    write_tiny(settings().models / "tiny.gguf")
    job = ended(started(code, f"Chosen: Q8_0 with context 8,192.\n{line}"))
    page = opened(job=job.id)
    assert cause in said(page)
    assert line in [code.value for code in page.code]
    assert any(button in label for label in labels(page)), labels(page)
    assert "Download the log" in [one.proto.label for one in page.get("download_button")]


def test_retrying_with_less_context_starts_that_and_shows_it(small: str) -> None:
    job = ended(started("7", "Chosen: Q4_K_M with context 8,192.\nout of memory"))
    page = opened(job=job.id)
    page.button(key=f"retry-{job.id}").click().run()
    assert not page.exception
    [new] = jobs.running(KIND)
    assert page.query_params["job"] == new.id
    assert new.details["context"] == 4_096
    assert new.details["model"] == small


def test_a_retry_that_is_refused_says_why(hub: HubApi) -> None:
    job = ended(started("6", "The network cannot be reached."))
    hub.faults[SMALL] = hub.faults["acme/broken"]
    page = opened(job=job.id)
    page.button(key=f"retry-{job.id}").click().run()
    assert not page.exception
    assert "answered 500" in said(page)


def test_another_way_leads_back_to_the_choices(small: str) -> None:
    job = ended(started("7"))
    page = opened(job=job.id)
    page.button(key=f"choices-{job.id}").click().run()
    assert page.text_input(key="deploy_model").value == small
    assert deploy_button(page)[0].startswith("Deploy")


def test_a_pause_can_be_resumed() -> None:
    job = downloading(started("wait"))
    page = opened(job=job.id)
    page.button(key=f"pause-{job.id}").click().run()
    page = opened(job=job.id)
    assert "It is paused" in said(page)
    assert "Resume" in labels(page)


def test_a_success_leads_to_the_chat_and_names_the_endpoint() -> None:
    write_tiny(settings().models / "small.gguf")
    page = opened(job=ended(started("0")).id)
    assert "small" in [code.value for code in page.code]
    assert any(code.value.endswith("/v1") for code in page.code)
    assert "Chat" in labels(page)


def test_a_success_whose_model_was_removed_says_so() -> None:
    page = opened(job=ended(started("0")).id)
    assert "has been removed since" in said(page)


def test_without_a_network_the_starter_is_offered_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    page = opened()
    page.button(key="deploy_show_popular").click().run()
    assert not page.exception
    assert "What works without the Hub" in said(page)
    assert labels(page).count("Start with a small model") == 1
    page.text_input(key="deploy_model").set_value("acme/Anvil").run()
    assert not page.exception
    assert labels(page).count("Start with a small model") == 1


def test_the_starter_that_is_watched_is_shown_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    job = jobs.start(["sleep", "600"], title="Starter", kind="starter")
    page = opened("acme/Anvil", job=job.id)
    assert "What works without the Hub" in said(page)
    assert labels(page).count("Cancel") == 1
    page.button(key=f"cancel-{job.id}").click().run()
    assert not page.exception
    assert jobs.find(job.id).state == "cancelled"
