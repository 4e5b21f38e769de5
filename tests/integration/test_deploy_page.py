"""The deploy page in every state, against a Hub that answers as the real one does."""

import os
import stat
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from lib import jobs
from lib.deploy import KIND, DeployRequest
from lib.fit import room_now
from lib.jobs import Job
from lib.settings import settings
from tests.support.hub_api import OWNER, HubApi
from tests.support.shapes import add_model
from tests.support.tiny_gguf import write_tiny

PAGE = Path(__file__).resolve().parent.parent.parent / "pages/1_Deploy.py"
SECONDS = 60
SMALL = "acme/Small-GGUF"
MEGABYTE = 10**6


@pytest.fixture(autouse=True)
def no_ollama(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_HOST", "127.0.0.1:1")
    monkeypatch.setenv("PATH", "/usr/bin:/bin")


@pytest.fixture
def small(hub: HubApi) -> str:
    """A model of a few quantizations that any machine can hold."""
    sizes = {"Q8_0": 80, "Q4_K_M": 50, "Q2_K": 30}
    add_model(hub, SMALL, {name: size * MEGABYTE for name, size in sizes.items()})
    return SMALL


@pytest.fixture(autouse=True)
def ended_jobs() -> Iterator[None]:
    yield
    for job in jobs.running():
        job.cancel()


def opened(text: str = "", job: str = "") -> AppTest:
    page = AppTest.from_file(PAGE, default_timeout=SECONDS)
    if job:
        page.query_params["job"] = job
    page.run()
    if text:
        page.text_input(key="deploy_model").set_value(text).run()
    assert not page.exception
    return page


def said(page: AppTest) -> str:
    """All words on the page."""
    shown = (page.markdown, page.caption, page.error, page.warning, page.info, page.success)
    text = "\n".join(str(element.value) for kind in shown for element in kind)
    return text.replace("\\", "")


def labels(page: AppTest) -> list[str]:
    return [button.label for button in page.button]


def deploy_button(page: AppTest) -> tuple[str, bool]:
    button = page.button(key="deploy_start")
    return button.label, button.disabled


def test_nothing_typed_says_what_belongs_here() -> None:
    page = opened()
    assert "before a byte is downloaded" in said(page)
    assert "Show the most used models" in labels(page)


def test_the_most_used_models_are_shown_when_asked_for(hub: HubApi) -> None:
    page = opened()
    assert not hub.requests
    page.button(key="deploy_show_popular").click().run()
    assert "other/Anvil" in said(page)


def test_words_find_repositories_most_used_first_and_one_is_chosen(hub: HubApi, small: str) -> None:
    page = opened("anvil")
    found = [name for name in labels(page) if name == "Choose"]
    assert len(found) > 2
    assert hub.asked_for("search=anvil")
    page.text_input(key="deploy_model").set_value("small").run()
    page.button(key=f"choose-{small}").click().run()
    assert page.text_input(key="deploy_model").value == small
    assert deploy_button(page)[0].startswith("Deploy Q")


def test_filters_narrow_the_search(hub: HubApi) -> None:
    add_model(hub, "acme/Anvil-900B-GGUF", {"Q4_K_M": MEGABYTE})
    hub.repositories["acme/Anvil-900B-GGUF"]["gguf"]["total"] = 900 * 10**9
    page = opened("anvil")
    assert "900B" not in said(page)
    page.pills(key="deploy_kinds").set_value(["Has GGUF files"]).run()
    assert "900B" in said(page)
    page.selectbox(key="deploy_size").select(2).run()
    assert "900B" not in said(page)
    page.selectbox(key="deploy_licence").select("mit").run()
    assert hub.asked_for("license%3Amit")


@pytest.mark.parametrize(
    ("text", "sentence", "button"),
    [
        ("acme/limited", "too many questions", "Try again"),
        ("acme/malformed", "cannot be read", "Try again"),
        ("acme/broken", "answered 500", "Try again"),
        ("acme/Withdrawn-GGUF", "has disabled", ""),
        ("https://example.com/acme/x", "not on the Hugging Face Hub", ""),
        ("acme/../../etc/passwd", "not", ""),
        ("$(touch x); true", "neither a name nor words", ""),
        ("<b>![x](http://127.0.0.1:9/x.png)", "is not", ""),
        ("x" * 2_000, "2,000 characters", ""),
        ("hf_" + "a" * 30, "holds a Hub token", ""),
        ("/nowhere/at all.gguf", "no file “at all.gguf”", ""),
        ("/etc/passwd", "not the path of a GGUF file", ""),
    ],
)
@pytest.mark.usefixtures("hub")
def test_a_look_up_that_fails_says_why_and_what_to_do(
    text: str, sentence: str, button: str
) -> None:
    page = opened(text)
    assert sentence in said(page)
    assert not button or button in labels(page)
    assert "deploy_start" not in [one.key for one in page.button]


@pytest.mark.usefixtures("hub")
def test_a_name_that_is_not_there_offers_what_is_near() -> None:
    page = opened("acme/Anvil-1B-GGU")
    assert "was not found" in said(page)
    assert "choose-acme/Anvil-1B-GGUF" in [button.key for button in page.button]


def test_a_gated_model_takes_a_token_saves_it_and_goes_on(hub: HubApi) -> None:
    add_model(hub, "acme/Gated-GGUF", {"Q4_K_M": 50 * MEGABYTE})
    hub.repositories["acme/Gated-GGUF"]["gated"] = "manual"
    page = opened("acme/Gated-GGUF")
    assert "is gated" in said(page)
    page.text_input(key="hub_token").set_value("not a token")
    _submit(page)
    assert "This is not a Hub token" in said(page)
    page.text_input(key="hub_token").set_value(OWNER)
    _submit(page)
    assert deploy_button(page)[0] == "Deploy Q4_K_M (downloads 50 MB)"
    assert stat.S_IMODE(settings().token_file.stat().st_mode) == 0o600
    assert OWNER not in str(page.session_state)
    assert OWNER not in said(page)


def _submit(page: AppTest) -> None:
    [button] = [one for one in page.button if one.label == "Save the token and retry"]
    button.click().run()
    assert not page.exception


def test_an_old_answer_is_shown_with_its_age(hub: HubApi, small: str) -> None:
    opened(small)
    for file in settings().hub_cache.iterdir():
        os.utime(file, (time.time() - 7_200, time.time() - 7_200))
    hub.faults[small] = hub.faults["acme/broken"]
    page = opened(small)
    assert "As the Hub said 2 h ago" in said(page)
    assert not deploy_button(page)[1]


def test_a_model_that_fits_is_recommended_with_its_price(small: str) -> None:
    page = opened(small)
    assert ":material/check_circle: **Fits.**" in said(page)
    assert deploy_button(page) == ("Deploy Q8_0 (downloads 80 MB)", False)
    [bar] = page.get("html")
    assert "weights 76 MiB" in bar.proto.body
    assert "at most" in said(page).lower()
    assert "Recommended" in page.radio[0].options[0]
    assert "Poor quality" in page.radio[0].options[2]


def test_another_quantization_and_context_change_the_plan_at_once(hub: HubApi, small: str) -> None:
    page = opened(small)
    asked = len(hub.requests)
    page.radio[0].set_value("Q4_K_M").run()
    assert deploy_button(page)[0] == "Deploy Q4_K_M (downloads 50 MB)"
    before = page.get("html")[0].proto.body
    page.select_slider[0].set_value(32_768).run()
    assert page.get("html")[0].proto.body != before
    assert page.select_slider[0].value == 32_768
    assert page.radio[0].value == "Q4_K_M"
    assert not [one for one in hub.requests[asked:] if "/api/" in one.path]


def test_the_engine_and_the_number_of_conversations_can_be_chosen(small: str) -> None:
    page = opened(small)
    assert "Ollama is not installed" in said(page)
    before = page.get("html")[0].proto.body
    page.number_input[0].set_value(4).run()
    assert page.get("html")[0].proto.body != before


def test_choosing_an_engine_that_is_absent_says_that_it_will_be_installed(small: str) -> None:
    page = opened(small)
    page.button_group(key=f"deploy engine {small}").set_value("ollama").run()
    assert not page.exception
    assert "its official installer is run first" in said(page)


def test_of_many_quantizations_the_usual_ones_are_shown_first(hub: HubApi) -> None:
    names = ["Q8_0", "Q6_K", "Q5_K_M", "Q5_K_S", "Q4_K_M", "Q4_K_S", "IQ4_XS", "Q3_K_M", "IQ2_XXS"]
    sizes = {name: (len(names) - at) * 10 * MEGABYTE for at, name in enumerate(names)}
    add_model(hub, "acme/Many-GGUF", sizes)
    page = opened("acme/Many-GGUF:Q4_K_S")
    assert len(page.radio[0].options) == 7
    assert page.radio[0].value == "Q4_K_S"
    page.toggle[0].set_value(True).run()
    assert len(page.radio[0].options) == 9
    page.radio[0].set_value("IQ2_XXS").run()
    page.toggle[0].set_value(False).run()
    assert page.radio[0].value == "IQ2_XXS"
    assert deploy_button(page)[0].startswith("Deploy IQ2_XXS")


def test_another_revision_is_not_deployed_in_silence(hub: HubApi, small: str) -> None:
    page = opened(f"{hub.url}/{small}/tree/{hub.repositories[small]['sha']}")
    assert "what the main branch has" in said(page)


def test_a_tight_fit_wants_the_name_typed(hub: HubApi) -> None:
    add_model(hub, "acme/Tight-GGUF", {"Q4_K_M": int(0.85 * room_now().free_bytes)})
    page = opened("acme/Tight-GGUF")
    page.select_slider[0].set_value(1_024).run()
    assert "of the free memory" in said(page)
    assert deploy_button(page)[1]
    field = page.text_input(key="deploy confirmation acme/Tight-GGUF")
    field.set_value("tight").run()
    assert deploy_button(page)[1]
    field.set_value("tight-gguf").run()
    assert not deploy_button(page)[1]


def test_what_does_not_fit_offers_what_does(hub: HubApi) -> None:
    free = room_now().free_bytes
    sizes = {"Q8_0": 3 * free, "Q4_K_M": free // 100, "Q2_K": free // 200}
    add_model(hub, "acme/Large-GGUF", sizes)
    page = opened("acme/Large-GGUF:Q8_0")
    assert "**Does not fit.**" in said(page)
    assert deploy_button(page)[1]
    assert "Use Q2_K" not in labels(page)
    page.button(key="instead quantization Q4_K_M").click().run()
    assert not page.exception
    assert deploy_button(page)[0].startswith("Deploy Q4_K_M")
    assert not deploy_button(page)[1]


def test_a_model_without_gguf_files_shows_whose_are_used(hub: HubApi) -> None:
    add_model(hub, "busy/Anvil-1B-GGUF", {"Q4_K_M": 50 * MEGABYTE})
    hub.repositories["busy/Anvil-1B-GGUF"]["downloads"] = 10**9
    page = opened("acme/Anvil-1B")
    assert "● **busy/Anvil-1B-GGUF** (used)" in said(page)
    assert "○ acme/Anvil-1B-GGUF" in said(page)


def test_a_file_of_this_machine_can_be_deployed(tmp_path: Path) -> None:
    [file] = write_tiny(tmp_path / "tiny.gguf")
    page = opened(str(file))
    assert deploy_button(page) == ("Deploy this file", False)


JOB = """
import sys
from lib import events
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
    assert "&lt;b&gt;a line of the log&lt;/b&gt;" in page.get("html")[-1].proto.body
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


def test_deploying_shows_the_job_and_names_it_in_the_address(small: str) -> None:
    page = opened(small)
    page.button(key="deploy_start").click().run()
    assert not page.exception
    [job] = jobs.recent(kind=KIND)
    assert page.query_params["job"] == job.id
    assert page.text_input(key="deploy_model").value == ""
    assert (job.details["quantization"], job.details["context"]) == ("Q8_0", 8_192)
    assert "Deploy Small-GGUF" in said(page)


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
