"""Conversations that are exported, and files that are imported, those of strangers too."""

import json
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.support import exports
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
    expect(chat.get_by_text("1 was here already.")).to_be_visible()
    assert stored(chat) == before
    act(chat, "Round trip ⛵", "Delete")
    chat.locator("input[type=file][accept*=json]").set_input_files(exported)
    expect(chat.get_by_text("Imported 1 conversation.")).to_be_visible()
    expect(chat.locator(".berth-title")).to_have_text(["Round trip ⛵"])
    turns = [json.loads(one["document"])["turns"] for one in (*before, *stored(chat))]
    assert turns[0] == turns[1]


def imported(page: Page, file: Path) -> None:
    page.locator("input[type=file][accept*=json]").set_input_files(file)


def test_what_chatgpt_sends_is_imported_as_it_is_and_known_the_second_time(
    chat: Page, tmp_path: Path
) -> None:
    file = tmp_path / "chatgpt.zip"
    file.write_bytes(exports.chatgpt_zip(exports.chatgpt(), exports.chatgpt("Rivers", "The Nile")))
    imported(chat, file)
    said = "Imported 2 conversations. 2 pictures and files were left out."
    expect(chat.get_by_text(said)).to_be_visible()
    imported(chat, file)
    expect(chat.get_by_text("2 were here already.")).to_be_visible()
    expect(chat.locator(".berth-title")).to_have_count(2)
    chat.locator(".berth-title", has_text="Capitals").click()
    expect(chat.get_by_text("Rome is its capital.")).to_be_visible()
    expect(chat.get_by_text("gpt-5")).to_be_visible()
    expect(chat.get_by_text("2/2")).to_be_visible()
    ask(chat, "It goes on")


def test_open_webuis_file_is_imported_and_what_it_has_more_of_later_is_added(
    chat: Page, tmp_path: Path
) -> None:
    file, talk = tmp_path / "webui.json", exports.open_webui()
    file.write_text(json.dumps([talk]), encoding="utf-8")
    imported(chat, file)
    expect(chat.get_by_text("Imported 1 conversation.")).to_be_visible()
    history = talk["chat"]["history"]
    history["messages"]["a2"] = {"role": "assistant", "content": "Yes.", "parentId": "q2"}
    history["currentId"] = "a2"
    file.write_text(json.dumps([talk]), encoding="utf-8")
    imported(chat, file)
    expect(chat.get_by_text("1 had more messages in the file")).to_be_visible()
    chat.locator(".berth-title").click()
    expect(chat.get_by_text("Yes.", exact=True)).to_be_visible()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"PK\x03\x04 and nothing more", "This .zip cannot be read."),
        (exports.chatgpt_zip()[:-30], "This .zip cannot be read."),
        (b"[" + b"1," * 11_000_000 + b"1]", "more than 20 MB of conversations"),
    ],
    ids=["no zip", "cut zip", "too large"],
)
def test_a_file_that_the_browser_can_tell_gets_a_sentence_at_once(
    chat: Page, tmp_path: Path, data: bytes, words: str
) -> None:
    file = tmp_path / "bad.zip"
    file.write_bytes(data)
    imported(chat, file)
    expect(chat.locator(".berth-says")).to_contain_text(words)
    assert stored(chat) == []


def test_what_does_not_fit_is_counted_and_said_once(chat: Page, tmp_path: Path) -> None:
    many = [exports.chatgpt(f"Long {n}", "x" * 900_000) for n in range(8)]
    file = tmp_path / "many.zip"
    file.write_bytes(exports.chatgpt_zip(*many))
    imported(chat, file)
    expect(chat.get_by_text("did not fit into the browser's storage")).to_be_visible()
    expect(chat.get_by_test_id("stAlert")).to_have_count(1)


def test_the_actions_of_a_conversation_close_after_pin(chat: Page) -> None:
    ask(chat, "Pinned one")
    act(chat, "Pinned one", "Pin")
    expect(chat.locator(".berth-actions")).to_have_count(0)
    expect(chat.get_by_text("Pinned", exact=True)).to_be_visible()
    expect(chat.get_by_role("button", name="Actions for Pinned one")).to_be_focused()


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
