"""The deploy page on a GPU server in a folder, without a browser."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from tests.support import checkpoint_configs, weight_shapes
from tests.support.cards import living_in
from tests.support.checkpoint_repos import add_checkpoint
from tests.support.deploy_page import PAGE, SECONDS
from tests.support.hub_api import HubApi
from tests.support.slots import MODEL, GpuServer

SEVEN, SEVENTY = "acme/Seven-7B", "acme/Seventy-70B"
PLAIN = {"with_gateway": False, "with_nginx": False}


@contextlib.contextmanager
def gpu_page(
    folder: Path, hub: HubApi, world: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[GpuServer]:
    """The server, for this very process; the Hub has a tiny, a usual and a large model."""
    st.cache_resource.clear()  # what another test's machine was found to be
    with living_in(world) as cards:
        server = GpuServer(folder, hub, cards)
        for name, value in server.world().items():
            monkeypatch.setenv(name, value)
        monkeypatch.delenv("BERTH_EVENTS", raising=False)
        server.add_model(MODEL)
        for repo, config in (
            (SEVEN, checkpoint_configs.QWEN25_7B),
            (SEVENTY, checkpoint_configs.LLAMA_70B),
        ):
            add_checkpoint(hub, repo, config, weight_shapes.dense(config), 4)
        try:
            yield server
        finally:
            server.systemd.end()


def on_cards(model: str, **choices: object) -> AppTest:
    """The page with this model and these choices, nothing in front of the engine."""
    page = AppTest.from_file(PAGE, default_timeout=SECONDS)
    for name, value in {**PLAIN, **choices}.items():
        page.session_state[f"slot {name} {model}"] = value
    page.run()
    page.text_input(key="deploy_model").set_value(model).run()
    assert not page.exception, page.exception
    return page


def start_button(page: AppTest) -> tuple[str, bool]:
    """What stands on the button that deploys on a slot, and whether it is disabled."""
    button = page.button(key="slot_start")
    return button.label, button.disabled
