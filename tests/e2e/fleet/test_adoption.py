"""A model of another tool's, from where it lies: found, used, asked, and left as it was."""

import json
import urllib.request
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.support.berth import running_berth
from tests.support.stores import hub_cache, listing, ollama_store, studio
from tests.support.waiting import until

START_MILLISECONDS = 30_000


def answer(url: str, model: str) -> str:
    """What the model says, asked as programs ask it."""
    asked = {"model": model, "max_tokens": 4, "messages": [{"role": "user", "content": "Hello"}]}
    request = urllib.request.Request(
        f"{url}/v1/chat/completions",
        data=json.dumps(asked).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as told:
        return str(json.load(told)["choices"][0]["finish_reason"])


def test_a_model_of_ollamas_is_found_used_asked_and_removed_and_nothing_of_it_changes(
    page: Page, home: Path, tmp_path: Path
) -> None:
    somebody = tmp_path / "somebody"
    ollama_store(somebody / ".ollama/models", "registry.ollama.ai/library/forge/1b")
    studio(somebody / ".lmstudio/models", "acme/VL-GGUF", "VL-1B-Q8_0.gguf")
    hub_cache(somebody / ".cache/huggingface/hub", "acme/A-GGUF", "Anvil-1B-Q4_K_M.gguf")
    before = listing(somebody)
    world = {
        "HOME": str(somebody),
        "HF_HOME": "",
        "HF_HUB_CACHE": "",
        "XDG_CACHE_HOME": "",
        "OLLAMA_MODELS": "",
    }
    with running_berth(home, world) as berth:
        page.goto(f"{berth.url}/Models")
        page.get_by_text("Found on this machine: 3 models").click()
        named = page.get_by_text("forge-1b", exact=True)
        row = page.locator("[class*=st-key-found_here-]").filter(has=named)
        expect(row.get_by_text("Fits.")).to_be_visible()
        expect(row.get_by_role("checkbox", name="Choose forge-1b")).to_be_attached()
        row.get_by_role("button", name="Use it").click()
        expect(row.get_by_text("Is already in Berth as forge-1b.")).to_be_visible()
        page.get_by_role("button", name="Start", exact=True).click()
        expect(page.get_by_text("Ready", exact=True).first).to_be_visible(
            timeout=START_MILLISECONDS
        )
        assert answer(berth.url, "forge-1b") in ("length", "stop")
        page.get_by_role("button", name="More", exact=True).click()
        page.get_by_role("button", name="Take off the list").click()
        dialog = page.get_by_role("dialog")
        expect(dialog).to_contain_text("Its file stays where it is")
        dialog.get_by_role("button", name="Take off the list").click()
        until(lambda: not list((home / "models").rglob("*.gguf")), seconds=30)
        expect(row.get_by_role("button", name="Use it")).to_be_visible()
    assert listing(somebody) == before
