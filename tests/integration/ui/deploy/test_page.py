"""The deploy page up to its button, against a Hub that answers as the real one does."""

import os
import stat
import time
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from lib.core.settings import settings
from lib.deploy import KIND
from lib.engines.room import room_now
from lib.jobs import jobs
from lib.machine.bandwidth import Known
from tests.support.blueprints_dense import dense
from tests.support.deploy_page import MEGABYTE, bodies, deploy_button, labels, opened, said
from tests.support.headers import write
from tests.support.hub_api import OWNER, HubApi
from tests.support.shapes import add_model
from tests.support.stores import hub_cache
from tests.support.tiny_encoder import write_encoder
from tests.support.tiny_gguf import write_tiny

pytestmark = pytest.mark.usefixtures("no_ollama", "ended_jobs")


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
    bar, legend = bodies(page)
    assert "weights 76 MiB" in bar
    assert "weights 76 MiB" in legend  # behind "What the memory is for"
    assert "at most" in said(page).lower()
    assert "Recommended" in page.radio[0].options[0]
    assert "Poor quality" in page.radio[0].options[2]


def test_another_quantization_and_context_change_the_plan_at_once(hub: HubApi, small: str) -> None:
    page = opened(small)
    asked = len(hub.requests)
    page.radio[0].set_value("Q4_K_M").run()
    assert deploy_button(page)[0] == "Deploy Q4_K_M (downloads 50 MB)"
    before = bodies(page)[0]
    page.select_slider[0].set_value(32_768).run()
    assert bodies(page)[0] != before
    assert page.select_slider[0].value == 32_768
    assert page.radio[0].value == "Q4_K_M"
    assert not [one for one in hub.requests[asked:] if "/api/" in one.path]


@pytest.mark.parametrize("is_rough", [True, False])
def test_a_speed_that_was_measured_among_busy_programs_is_marked(
    small: str, monkeypatch: pytest.MonkeyPatch, is_rough: bool
) -> None:
    seen = Known(measured=2e9, is_rough=is_rough)
    monkeypatch.setattr("lib.machine.bandwidth.known", lambda: seen)
    page = opened(small)
    assert ("other programs were busy" in said(page)) == is_rough
    assert ("memory cannot be read faster" in said(page)) != is_rough


def test_the_cache_can_be_stored_in_half_the_memory(small: str) -> None:
    page = opened(small)
    before = bodies(page)[0]
    page.selectbox(key=f"deploy kv_type {small}").set_value("q8_0").run()
    assert bodies(page)[0] != before
    page.button(key="deploy_start").click().run()
    [job] = jobs.recent(kind=KIND)
    assert job.details["kv_type"] == "q8_0"


def test_the_engine_and_the_number_of_conversations_can_be_chosen(small: str) -> None:
    page = opened(small)
    assert "Ollama is not installed" in said(page)
    before = bodies(page)[0]
    page.number_input[0].set_value(4).run()
    assert bodies(page)[0] != before


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


def test_another_revision_is_deployed_and_said(hub: HubApi, small: str) -> None:
    sha = hub.repositories[small]["sha"]
    page = opened(f"{hub.url}/{small}/tree/{sha}")
    assert f"Deployed is revision {sha}" in said(page)
    page.button(key="deploy_start").click().run()
    [job] = jobs.recent(kind=KIND)
    assert job.details["revision"] == sha


def test_a_link_to_a_file_offers_that_file_and_another_can_be_chosen(
    hub: HubApi, small: str
) -> None:
    add_model(hub, small, {"IQ4_KS": 40 * MEGABYTE, "UD-Q4_K_M": 55 * MEGABYTE})
    page = opened(f"{hub.url}/{small}/blob/main/Small-UD-Q4_K_M.gguf")
    assert deploy_button(page)[0] == "Deploy UD-Q4_K_M (downloads 55 MB)"
    page.radio[0].set_value("IQ4_KS").run()
    assert deploy_button(page)[0] == "Deploy IQ4_KS (downloads 40 MB)"
    page.button(key="deploy_start").click().run()
    [job] = jobs.recent(kind=KIND)
    assert (job.details["quantization"], job.details["file"]) == ("IQ4_KS", "")


def test_what_was_chosen_for_a_model_does_not_outvote_what_is_pasted_next(
    hub: HubApi, small: str
) -> None:
    page = opened(small)
    page.radio[0].set_value("Q2_K").run()
    page.text_input(key="deploy_model").set_value(f"{small}:Q4_K_M").run()
    assert deploy_button(page)[0] == "Deploy Q4_K_M (downloads 50 MB)"


def test_a_name_that_a_stranger_chose_is_shown_as_it_is(hub: HubApi) -> None:
    add_model(hub, "acme/Odd-GGUF", {"![x](x.png) :red[b]": 50 * MEGABYTE})
    page = opened("acme/Odd-GGUF")
    assert deploy_button(page)[0].replace("\\", "").startswith("Deploy Odd-![x](x.png) :red[b] (")
    assert "\\!" in deploy_button(page)[0]


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


def test_a_path_in_the_hubs_cache_is_offered_with_what_lies_beside_the_link(
    tmp_path: Path,
) -> None:
    [link, _] = hub_cache(tmp_path / "hub", "acme/VL", "VL-1B-Q4_K_M.gguf", projector=True)
    page = opened(str(link))
    assert "lets it see images" in said(page)
    assert deploy_button(page) == ("Deploy this file", False)
    page.button(key="deploy_start").click().run()
    [job] = jobs.recent(kind=KIND)
    assert job.details["model"] == str(link)


@pytest.mark.parametrize("how", ["closed", "unknown", "off"])
def test_without_the_hub_what_works_is_offered(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    address = {"closed": "http://127.0.0.1:9", "unknown": "http://hub.invalid"}
    monkeypatch.setenv("HF_ENDPOINT", address.get(how, "http://127.0.0.1:9"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1" if how == "off" else "")
    page = opened("acme/Anvil-1B-GGUF")
    assert "What works without the Hub" in said(page)
    assert "Start with a small model" in labels(page)
    assert "set by the environment variable HF_ENDPOINT" in said(page)
    hub_cache(tmp_path / "hf" / "hub", "acme/Anvil-GGUF", "Anvil-1B-Q4_K_M.gguf")
    write_tiny(home / "models" / "here.gguf")
    page = opened("acme/Anvil-1B-GGUF")
    assert "Start with a small model" not in labels(page)
    folder = str(tmp_path / "hf" / "hub")
    page.button(key=f"deploy_folder {folder}").click().run()
    assert page.text_input(key="deploy_model").value == folder
    assert deploy_button(page) == ("Deploy this file", False)


def test_a_whole_folder_is_offered_and_the_chosen_file_deployed(tmp_path: Path) -> None:
    for name in ("tiny-Q8_0", "tiny-Q4_K_M"):
        write_tiny(tmp_path / "mine" / f"{name}.gguf")
    page = opened(str(tmp_path / "mine"))
    page.radio[0].set_value("Q4_K_M").run()
    page.button(key="deploy_start").click().run()
    [job] = jobs.recent(kind=KIND)
    assert job.details["model"] == str(tmp_path / "mine" / "tiny-Q4_K_M.gguf")


def test_what_cannot_be_run_here_says_why_and_has_no_button(tmp_path: Path) -> None:
    made = dense("t5", layers=2, width=64, forward=128, heads=2, kv=2, vocabulary=64, length=32)
    page = opened(str(write(tmp_path / "anvil-t5.gguf", made)))
    assert "cannot be run here" in said(page)
    assert "deploy_start" not in [one.key for one in page.button]


def test_an_encoder_is_offered_with_what_it_does(tmp_path: Path) -> None:
    page = opened(str(write_encoder(tmp_path / "reader.gguf")))
    assert "It makes vectors of texts" in said(page)
    assert deploy_button(page) == ("Deploy this file", False)


def test_deploying_shows_the_job_and_names_it_in_the_address(small: str) -> None:
    page = opened(small)
    page.button(key="deploy_start").click().run()
    assert not page.exception
    [job] = jobs.recent(kind=KIND)
    assert page.query_params["job"] == job.id
    assert page.text_input(key="deploy_model").value == ""
    assert (job.details["quantization"], job.details["context"]) == ("Q8_0", 8_192)
    assert "Deploy Small-GGUF" in said(page)
