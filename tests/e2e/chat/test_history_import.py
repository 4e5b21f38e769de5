"""Conversations that are exported, and files that are imported, those of strangers too."""

import json
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.support.history import act, ask, saved, stored


def test_what_is_exported_can_be_imported_and_overwrites_nothing(
    chat: Page, tmp_path: Path
) -> None:
    ask(chat, "Round trip ⛵")
    with chat.expect_download() as one:
        act(chat, "Round trip ⛵", "Export as Markdown")
    text = saved(one.value)
    assert text.startswith("# Round trip ⛵\n\n**You**\n\nRound trip ⛵\n\n**fake**\n\nt0 t1 ")
    with chat.expect_download() as every:
        chat.get_by_role("button", name="Export all").click()
    exported = tmp_path / "all.json"
    exported.write_text(saved(every.value), encoding="utf-8")
    before = stored(chat)
    chat.locator("input[type=file][accept*=json]").set_input_files(exported)
    expect(chat.get_by_text("Imported 1 conversation.")).to_be_visible()
    expect(chat.locator(".berth-title")).to_have_text(["Round trip ⛵"] * 2)
    after = stored(chat)
    assert before[0] in after
    assert len({one["id"] for one in after}) == 2
    turns = [json.loads(one["document"])["turns"] for one in after]
    assert turns[0] == turns[1]


@pytest.mark.parametrize(
    "content",
    [
        "",
        "no json",
        '{"format": "berth-conversations", "version": 1, "conversations": [{"docu',
        "[]",
        '{"format": "something else"}',
        '{"format":"berth-conversations","version":1,"conversations":[{"document":{"turns":7}}]}',
    ],
)
def test_a_file_that_cannot_be_imported_gets_a_sentence(
    chat: Page, tmp_path: Path, content: str
) -> None:
    bad = tmp_path / "bad.json"
    bad.write_text(content, encoding="utf-8")
    chat.locator("input[type=file][accept*=json]").set_input_files(bad)
    expect(chat.get_by_role("alert")).to_contain_text("Choose a JSON file")
    assert stored(chat) == []


def test_a_hostile_import_is_shown_as_text_and_nothing_more(chat: Page, tmp_path: Path) -> None:
    evil = "<img src=x onerror=\"document.title='taken'\"><script>document.title='taken'</script>"
    turns = [
        {"role": "user", "content": f"{evil}\0 \u202e reversed"},
        {"role": "assistant", "content": f"{evil} ![p](http://127.0.0.1:9/pixel.png) the-end"},
        {"role": "assistant", "content": "twice", "reply": "a" * 32, "model": f"{evil}![p](q)"},
        {
            "role": "assistant",
            "content": "twice",
            "reply": "a" * 32,
            "state": "loading",
            "figures": {"tokens_per_second": 1e300, "finish_reason": evil},
            "problem": {"message": f"![p](http://127.0.0.1:9/pixel.png) {evil}", "fix": ""},
        },
    ]
    entry = {"title": f"\u202e{evil}" + "x" * 10_000, "ts": 0, "document": {"turns": turns}}
    bundle = {"format": "berth-conversations", "version": 1, "conversations": [entry]}
    file = tmp_path / "evil.json"
    file.write_text(json.dumps(bundle), encoding="utf-8")
    wanted: list[str] = []
    chat.on("request", lambda request: wanted.append(request.url))
    chat.locator("input[type=file][accept*=json]").set_input_files(file)
    title = chat.locator(".berth-title")
    expect(title).to_have_count(1)
    assert len(title.inner_text()) == 120
    assert "\u202e" not in title.inner_text()
    title.click()
    expect(chat.get_by_text("the-end")).to_be_visible()
    expect(chat.get_by_test_id("stChatMessage").filter(visible=True)).to_have_count(4)
    assert chat.title() != "taken"
    assert chat.get_by_test_id("stChatMessage").locator("img").count() == 0
    assert not [url for url in wanted if "pixel" in url]
    assert chat.get_by_test_id("stException").count() == 0
    ask(chat, "Goes on")
