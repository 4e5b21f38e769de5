"""The deploy page's part for graphics cards, on every kind of machine."""

import os
import platform
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import streamlit as st

from lib.core.errors import BerthError
from lib.core.settings import settings
from lib.engines.base import State
from lib.engines.vllm import ENGINE
from lib.engines.vllm.places import Places, unit_name
from lib.jobs import jobs
from lib.slots import job as slot_job
from lib.slots.check import system
from lib.slots.measured import Measured, remember
from lib.slots.plan import Estimate
from lib.slots.probe import Capacity
from lib.ui.deploy.gpu import free_card
from tests.support.cards import WORLDS
from tests.support.deploy_page import labels, opened, said
from tests.support.gpu_page import SEVEN, SEVENTY, gpu_page, on_cards, start_button
from tests.support.hub_api import HubApi
from tests.support.shapes import add_model
from tests.support.slots import MODEL, PLAIN, GpuServer
from tests.support.vllm_slots import free_slot, give_back
from tests.support.waiting import until

pytestmark = pytest.mark.usefixtures("no_ollama", "ended_jobs")

TABS = ["This machine's processor", "Graphics cards"]


@pytest.fixture
def server(
    request: pytest.FixtureRequest, tmp_path: Path, hub: HubApi, monkeypatch: pytest.MonkeyPatch
) -> Iterator[GpuServer]:
    world = getattr(request, "param", "two-cards")
    with gpu_page(tmp_path / "server", hub, world, monkeypatch) as found:
        yield found
    give_back()


def in_world(*names: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("server", names, indirect=True)


def run_on(server: GpuServer, slot: int, model: str = MODEL) -> None:
    """Have a model run on a slot, put there by the script; its first card is the server's first."""
    done = server.run(model, str(slot), "--cards", server.card, *PLAIN)
    assert done.returncode == 0, done.stdout


# --- every kind of machine ---


@in_world(*WORLDS)
def test_every_machine_is_shown_without_a_bug(server: GpuServer) -> None:
    page = on_cards(SEVEN)
    assert [tab.label for tab in page.tabs] in (TABS, [])
    assert SEVEN in said(page)


@in_world("two-cards")
def test_the_empty_slot_with_most_room_is_chosen_and_another_can_be(server: GpuServer) -> None:
    page = on_cards(SEVEN)
    assert start_button(page) == ("Deploy on slot 0 (downloads 15.2 GB)", False)
    bars = [html.proto.body for html in page.get("html")]
    assert any("free 38.5 GiB" in bar for bar in bars)
    assert any("free 11.1 GiB" in bar for bar in bars)
    page.button(key="choose-slot-1").click().run()
    assert start_button(page) == ("Deploy on slot 1 (downloads 15.2 GB)", True)
    assert "**Does not fit.**" in said(page)


@in_world("two-cards")
def test_a_model_that_fits_tells_context_conversations_and_share(server: GpuServer) -> None:
    page = on_cards(SEVEN)
    told = said(page)
    assert "**Fits.**] 14.5 GiB of weights leave" in told
    assert "conversations of 32,768 tokens at a time, all that the model takes" in told
    assert "vLLM 0.33.0 takes 47 % of the card" in told
    slider = page.select_slider(key=f"slot slider {SEVEN}")
    assert slider.options[0] == "as many as fit: 32,768"
    slider.set_value(8_192).run()
    assert "conversations of 8,192 tokens" in said(page)
    assert page.session_state[f"slot context {SEVEN}"] == 8_192


@in_world("turing")
def test_a_model_that_does_not_fit_offers_what_would_as_buttons(server: GpuServer) -> None:
    page = on_cards(SEVEN)
    assert "**Does not fit.**] It needs about 15.1 GiB before its cache" in said(page)
    assert start_button(page)[1]
    [button] = [one for one in page.button if one.label == "8-bit weights"]
    button.click().run()
    assert start_button(page) == ("Deploy on slot 0 (downloads 15.2 GB)", False)
    assert page.toggle(key=f"slot has_small_weights {SEVEN}").value


@in_world("turing")
def test_a_version_with_fewer_bits_is_searched_for(server: GpuServer) -> None:
    page = on_cards(SEVEN)
    [button] = [one for one in page.button if one.label == "Look for a 4-bit version"]
    button.click().run()
    assert page.text_input(key="deploy_model").value == "Seven-7B AWQ"
    assert page.pills(key="deploy_kinds").value == ["Fits this machine"]  # GGUF or not


@in_world("eight-cards")
def test_several_cards_are_offered_where_one_is_too_small(server: GpuServer) -> None:
    for index in range(8):
        memory = {"total": 80 * 2**30, "reserved": 2**29, "used": 2**29, "free": 79 * 2**30}
        server.cards.card(index, nvmlDeviceGetMemoryInfo_v2=memory)
    page = on_cards(SEVENTY)
    assert "**Does not fit.**" in said(page)
    [button] = [one for one in page.button if one.label.startswith("Use 2 cards")]
    button.click().run()
    assert page.session_state[f"slot tensor_parallel {SEVENTY}"] == 2
    assert "**Fits with context" in said(page)
    assert "on each card" in said(page)


@in_world("two-cards")
def test_a_slot_that_would_hold_it_is_offered(server: GpuServer) -> None:
    page = on_cards(SEVEN, slot=1)
    [button] = [one for one in page.button if one.label == "Use slot 0"]
    button.click().run()
    assert start_button(page) == ("Deploy on slot 0 (downloads 15.2 GB)", False)


@in_world("pascal")
def test_a_card_that_vllm_cannot_use_says_so(server: GpuServer) -> None:
    told = said(on_cards(SEVEN))
    assert "compute capability 6.1; vLLM needs 7.5 or newer" in told
    assert "choose another slot or another model" in told


@in_world("mig")
def test_a_divided_card_is_named_and_not_used(server: GpuServer) -> None:
    page = on_cards(SEVEN)
    assert "divided into parts (MIG)" in said(page)
    assert start_button(page)[1]


@in_world("lost-card")
def test_a_card_that_answers_no_more_cannot_be_chosen(server: GpuServer) -> None:
    page = on_cards(SEVEN)
    assert "fallen off the bus" in said(page)
    assert page.button(key="choose-slot-1").disabled


@in_world("unified")
def test_shared_memory_is_explained(server: GpuServer) -> None:
    assert "shares the machine's memory" in said(on_cards(MODEL))


@in_world("mismatch", "no-permission", "not-loaded")
def test_a_driver_in_trouble_says_what_to_do_and_a_rehearsal_is_offered(server: GpuServer) -> None:
    page = on_cards(SEVEN)
    assert [tab.label for tab in page.tabs] == TABS
    assert "driver" in said(page)
    assert labels(page) == ["Show every file and command"]


@in_world("no-driver")
def test_without_cards_there_is_a_fold_with_what_is_missing_and_a_rehearsal(
    server: GpuServer,
) -> None:
    page = on_cards(MODEL)
    assert not page.tabs
    [fold] = [one for one in page.expander if one.label == "On a GPU server"]
    assert not fold.children  # nothing is looked up for it before it is opened
    page.session_state["slot_elsewhere"] = True
    page.run()
    assert "There is no NVIDIA driver on this machine." in said(page)
    page.button(key="slot_rehearse").click().run()
    [text] = [code.value for code in page.code if "berth-slot-0.service" in code.value]
    assert "It would be refused here" in text
    assert "systemctl start berth-slot-0.service" in text
    assert not server.places.unit(0).exists()


@in_world("no-driver")
def test_a_mac_gets_one_sentence(server: GpuServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    page = on_cards(SEVEN)
    assert said(page).count("graphics cards") == 1
    assert "runs on Linux servers with NVIDIA cards." in said(page)
    assert not [one for one in page.expander if "GPU" in one.label]


def test_a_gguf_repository_is_for_the_processor_first(server: GpuServer, hub: HubApi) -> None:
    add_model(hub, "acme/Small-GGUF", {"Q4_K_M": 50_000_000})
    page = opened("acme/Small-GGUF")
    assert page.button(key="deploy_start").label.startswith("Deploy Q4_K_M")
    page.session_state["deploy tab acme/Small-GGUF"] = TABS[1]
    page.run()
    assert "GGUF" in page.error[0].value
    assert "slot_start" not in [button.key for button in page.button]


# --- what stands in the way ---


def test_each_thing_in_the_way_is_a_line_with_what_mends_it(server: GpuServer) -> None:
    (server.root / "run/systemd/system").rmdir()
    server.command("nginx", "exit 0")
    page = on_cards(MODEL)
    told = said(page)
    assert "**1 thing stands in the way:**" in told
    assert "systemd does not run this machine" in told
    assert start_button(page)[1]


def test_what_can_be_done_without_is_left_out_by_a_button(server: GpuServer) -> None:
    server.command("nginx", "echo 'nginx: [emerg] unexpected \"}\"' >&2; exit 1")
    page = on_cards(MODEL, with_nginx=True)
    assert "nginx's configuration was broken before Berth came" in said(page)
    assert start_button(page)[1]
    page.button(key="slot-with_nginx-out").click().run()
    assert not start_button(page)[1]
    assert not page.toggle(key=f"slot with_nginx {MODEL}").value


def test_a_foreign_service_of_the_slots_name_is_left_alone(server: GpuServer) -> None:
    server.systemd.write(unit_name(0), ["sleep", "9"])
    page = on_cards(MODEL)
    assert "does not carry Berth's mark" in said(page)
    assert start_button(page)[1]


def test_a_name_that_cannot_be_one_is_told_and_can_be_corrected(server: GpuServer) -> None:
    page = on_cards(MODEL, served_name="no name; rm")
    assert "is not a model name" in page.error[0].value
    page.text_input(key=f"slot served_name {MODEL}").set_value("anvil").run()
    assert not start_button(page)[1]


@pytest.mark.parametrize(
    ("repo", "why"),
    [("acme/Anvil-1B-GGUF", "GGUF"), ("acme/limited", "too many questions")],
)
def test_a_model_that_cannot_be_had_says_why(server: GpuServer, repo: str, why: str) -> None:
    page = on_cards(repo)
    page.session_state[f"deploy tab {repo}"] = TABS[1]
    page.run()
    assert why in page.error[0].value
    assert "slot_start" not in [button.key for button in page.button]


def test_without_roots_rights_the_command_is_shown_and_nothing_is_begun(
    server: GpuServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def on_a_real_root(_places: Places, script: Sequence[str]) -> Iterator[BerthError]:
        yield from rights(Places(), script)

    rights = system.rights
    monkeypatch.setattr(system, "rights", on_a_real_root)
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    server.command("sudo", "echo 'sudo: a password is required' >&2; exit 1")
    page = on_cards(MODEL)
    assert "slot_start" not in [button.key for button in page.button]
    [command] = [code.value for code in page.code]
    assert command.startswith(f"sudo BERTH_HOME={settings().home} bash ")
    assert f"deploy_model.sh {MODEL} 0 --yes" in command
    assert "no root rights" in page.info[0].value
    assert "berth-slot-0.service" in said(page)
    assert not jobs.recent()


# --- beginning one ---


def test_the_button_begins_the_job_once_and_shows_it(server: GpuServer) -> None:
    page = on_cards(MODEL, served_name="tiny")
    page.button(key="slot_start").click().run()
    [job] = jobs.recent(kind=slot_job.KIND)
    assert job.resource == "slot:0"
    assert job.details["served_name"] == "tiny"
    assert job.command[2:] == (MODEL, "0", "--yes", *job.command[5:])
    assert "Deploy Tiny-Instruct on slot 0" in said(page)
    assert job.id in page.query_params["job"]
    until(lambda: not jobs.find(job.id).is_active)


def test_a_slot_with_a_model_says_what_runs_there_and_that_it_is_replaced(
    server: GpuServer,
) -> None:
    slot = free_slot()
    run_on(server, slot)
    page = on_cards(SEVEN, slot=slot)
    told = said(page)
    assert f"**Slot {slot}**" in told
    assert "Tiny-Instruct" in told
    assert "green-badge[Ready]" in told
    assert "It is stopped first, and started again should this fail" in page.warning[0].value
    assert start_button(page) == (f"Replace on slot {slot} (downloads 15.2 GB)", False)
    page = on_cards(MODEL, slot=slot)
    assert not page.warning
    assert start_button(page) == (f"Deploy on slot {slot} (nothing to download)", False)


def test_what_the_engine_gave_stands_beside_the_estimate(server: GpuServer) -> None:
    plan = on_cards(SEVEN)
    assert "Measured" not in said(plan)
    remember(
        Measured(
            model=SEVEN,
            revision=server.hub.repositories[SEVEN]["sha"],
            cards=("NVIDIA A100 80GB PCIe",),
            vllm="0.33.0",
            utilization=0.47,
            asked_context=None,
            estimate=Estimate(sentence="", kv_tokens=420_000),
            given=Capacity(context=32_768, kv_tokens=401_000, conversations=12.2),
            at=0.0,
        )
    )
    st.cache_resource.clear()
    assert "vLLM gave 401,000 tokens of memory" in said(on_cards(SEVEN))
    assert "about 420,000 were expected" in said(on_cards(SEVEN))


def test_a_program_that_is_not_berths_is_named(server: GpuServer) -> None:
    server.cards.runs(1, [(os.getpid(), 3 * 2**30)])
    assert f"(pid {os.getpid()}), which is not Berth's, holds 3.0 GiB" in said(on_cards(SEVEN))


@in_world("one-card")
def test_a_full_card_is_freed_by_stopping_what_berth_runs_on_it(
    server: GpuServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_on(server, free_slot())
    mine = os.getpid()
    server.cards.runs(0, [(mine, 17 * 2**30)])
    monkeypatch.setattr(free_card, "model_names", lambda *_: {mine: "Tiny-Instruct"})
    page = on_cards(SEVEN, slot=0)
    assert "On an empty NVIDIA GeForce RTX 4090 it fits" in said(page)
    [button] = [one for one in page.button if one.label.startswith("Stop Tiny")]
    assert button.label.endswith("(frees 17.0 GiB)")
    button.click().run()
    assert not page.exception
    assert [model.state for model in ENGINE.models()] == [State.STOPPED]


@in_world("one-card")
def test_a_card_that_strangers_fill_leads_to_the_system_page(server: GpuServer) -> None:
    assert "See what holds it" in labels(on_cards(SEVEN))
