"""Attaching files: the element alone, mounted by hand and given any data, and on the chat page."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import FilePayload, Locator, Page, Route, expect

from lib.core.settings import ROOT
from tests.e2e.conftest import PHONE
from tests.support import files
from tests.support.berth import lay_fake, running_berth
from tests.support.fake_engine import Running, running_fake
from tests.support.server import Server

CSS = (ROOT / "lib" / "ui" / "elements" / "attach.css").read_text(encoding="utf-8")
MOUNT = """async (css) => {
    document.head.append(Object.assign(document.createElement("style"), { textContent: css }));
    const place = document.createElement("div");
    place.id = "place";
    place.style = "position: fixed; z-index: 9999999; inset: auto 0 0 0; background: white";
    document.body.append(place);
    const input = document.createElement("textarea");
    input.dataset.testid = "stChatInputTextArea";
    input.onkeydown = ({ key }) => { if (key === "Enter") window.sent = (window.sent || 0) + 1; };
    document.body.append(input);
    const { default: attach } = await import("/api/ui/test/attach.js");
    const setTriggerValue = () => {};
    window.attach = (data) => {
        window.unmount = attach({ parentElement: place, data, setTriggerValue });
    };
}"""
DATA = {"conversation": "c" * 32, "model": "", "canSee": True, "sent": 0, "room": None}
TRANSFER = """given => {
    const transfer = new DataTransfer();
    for (const [name, text, type] of given) transfer.items.add(new File([text], name, { type }));
    return transfer;
}"""


@pytest.fixture
def place(page: Page, server: Server) -> Locator:
    """The element on a page, with nothing attached yet."""
    page.goto(f"{server.url}/System")
    expect(page.get_by_role("heading", name="System")).to_be_visible()
    mount(page)
    return page.locator("#place")


def mount(page: Page) -> None:
    page.evaluate(MOUNT, CSS)
    tell(page)


def tell(page: Page, **changed: Any) -> None:
    """Give the element other data, as the page does when it runs."""
    page.evaluate("data => window.attach(data)", {**DATA, **changed})


def remount(page: Page) -> None:
    page.reload()
    mount(page)


def choose(place: Locator, *chosen: tuple[str, bytes]) -> None:
    payloads = [FilePayload(name=n, mimeType="", buffer=data) for n, data in chosen]
    place.locator("input[type=file]").set_input_files(payloads)


def chips(place: Locator) -> Locator:
    return place.get_by_role("listitem").filter(visible=True)


def remove(place: Locator, name: str) -> None:
    place.get_by_role("button", name=f"Remove {name}").click()


def paste(page: Page, given: list[list[str]], text: str = "") -> bool:
    """Whether the paste was left to the page."""
    left: bool = page.evaluate(
        f"""([given, text]) => {{
            const transfer = ({TRANSFER})(given);
            if (text) transfer.setData("text/plain", text);
            const how = {{ clipboardData: transfer, bubbles: true, cancelable: true }};
            return document.body.dispatchEvent(new ClipboardEvent("paste", how));
        }}""",
        [given, text],
    )
    return left


def drag(page: Page, kind: str, given: list[list[str]]) -> None:
    page.evaluate(
        f"""([kind, given]) => {{
            const how = {{ dataTransfer: ({TRANSFER})(given), bubbles: true, cancelable: true }};
            document.body.dispatchEvent(new DragEvent(kind, how));
        }}""",
        [kind, given],
    )


def held(page: Page, method: str) -> list[Route]:
    """The next request of this method waits, until it is continued."""
    waiting: list[Route] = []

    def hold(route: Route) -> None:
        if route.request.method == method and not waiting:
            waiting.append(route)
        else:
            route.continue_()

    page.route("**/api/attachments?**", hold)
    return waiting


def first(page: Page, waiting: list[Route]) -> Route:
    """The request that waits, as soon as it does."""
    while not waiting:
        page.wait_for_timeout(20)
    return waiting[0]


def test_files_are_chosen_by_the_button_and_show_their_tokens(page: Page, place: Locator) -> None:
    with page.expect_file_chooser() as chooser:
        place.get_by_role("button", name="Attach files").click()
    assert chooser.value.is_multiple()
    choose(place, ("notes.md", b"x" * 3_600), ("photo.png", files.picture()))
    expect(chips(place)).to_have_text(["notes.mdabout 1,000 tokens×", "photo.pngabout 580 tokens×"])
    expect(place.locator(".berth-attach-sum")).to_have_text("2 files · about 1,600 tokens")


def test_what_was_attached_is_there_after_a_reload_and_can_be_removed(
    page: Page, place: Locator
) -> None:
    choose(place, ("a.txt", b"a"), ("b.txt", b"b"))
    expect(chips(place)).to_contain_text(["about 1 token", "about 1 token"])
    remount(page)
    expect(chips(place)).to_have_count(2)
    remove(place, "a.txt")
    expect(place.get_by_role("button", name="Remove b.txt")).to_be_focused()
    expect(chips(place)).to_have_count(1)
    remount(page)
    expect(chips(place)).to_contain_text(["b.txt"])


def test_a_file_is_dropped_anywhere_and_the_page_says_so(page: Page, place: Locator) -> None:
    dropped = [["d.txt", "dropped", "text/plain"]]
    hint = page.get_by_text("Drop files to attach them")
    expect(hint).to_be_hidden()
    drag(page, "dragover", dropped)
    expect(hint).to_be_visible()
    drag(page, "drop", dropped)
    expect(hint).to_be_hidden()
    expect(chips(place)).to_contain_text(["d.txt"])


def test_the_hint_goes_when_the_drag_does_and_text_is_not_caught(
    page: Page, place: Locator
) -> None:
    drag(page, "dragover", [["d.txt", "x", ""]])
    hint = page.get_by_text("Drop files to attach them")
    expect(hint).to_be_visible()
    expect(hint).to_be_hidden()
    drag(page, "dragover", [])
    expect(hint).to_be_hidden()


def test_a_file_is_pasted_and_text_is_left_alone(page: Page, place: Locator) -> None:
    assert paste(page, [], "only text")
    assert paste(page, [["picture.png", "x", "image/png"]], "a paragraph with its picture")
    assert not paste(page, [["a.txt", "pasted", ""]])
    assert not paste(page, [["b.txt", "pasted", ""]], "/home/me/b.txt")
    expect(chips(place)).to_contain_text(["a.txt", "b.txt"])


def test_a_refused_file_says_why_and_can_be_dismissed(page: Page, place: Locator) -> None:
    choose(place, ("letter.docx", b"PK\3\4\0"), ("good.txt", b"x"))
    expect(chips(place)).to_contain_text(["an office document", "about 1 token"])
    remove(place, "letter.docx")
    expect(chips(place)).to_have_count(1)


def test_a_file_that_is_too_large_is_refused_before_it_is_sent(page: Page, place: Locator) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.method))
    choose(place, ("big.txt", b"x" * 20_000_001))
    expect(chips(place)).to_contain_text(["20 MB is the most"])
    assert "POST" not in asked


def test_a_server_that_is_gone_is_told(page: Page, place: Locator) -> None:
    page.route("**/api/attachments?**", lambda route: route.abort())
    choose(place, ("a.txt", b"x"))
    expect(chips(place)).to_contain_text(["Berth cannot be reached"])


def test_a_model_that_cannot_see_is_told_at_the_image(page: Page, place: Locator) -> None:
    choose(place, ("photo.png", files.picture()))
    expect(chips(place)).to_contain_text(["about 580 tokens"])
    tell(page, canSee=False)
    expect(chips(place)).to_contain_text(["This model cannot see images"])
    tell(page)
    expect(chips(place)).not_to_contain_text(["cannot see"])


def test_too_many_tokens_for_the_context_are_told(page: Page, place: Locator) -> None:
    choose(place, ("a.txt", b"x" * 3_600))
    expect(chips(place)).to_contain_text(["about 1,000 tokens"])
    tell(page, room=900)
    expect(place.locator(".berth-attach-sum")).to_contain_text(
        "The files take about 1,000 tokens; 900 are left in the context."
    )
    tell(page, room=1_000)
    expect(place.locator(".berth-attach-sum")).to_have_text("")


def test_the_chips_go_with_the_message(page: Page, place: Locator, server: Server) -> None:
    choose(place, ("a.txt", b"x"), ("bad.bin", b"\0"))
    expect(chips(place)).to_contain_text(["a.txt", "no text and no image"])
    page.evaluate(
        """async () => {
            const place = `?c=${"c".repeat(32)}`;
            const { attachments } = await (await fetch(`/api/attachments${place}`)).json();
            for (const { id } of attachments)
                await fetch(`/api/attachments/${id}${place}`, { method: "DELETE" });
        }"""
    )
    tell(page, sent=1)
    expect(chips(place)).to_have_count(0)


def test_another_conversation_has_files_of_its_own(page: Page, place: Locator) -> None:
    choose(place, ("here.txt", b"x"))
    expect(chips(place)).to_contain_text(["here.txtabout"])
    tell(page, conversation="d" * 32)
    expect(chips(place)).to_have_count(0)
    choose(place, ("there.txt", b"x"))
    expect(chips(place)).to_contain_text(["there.txtabout"])
    tell(page)
    expect(chips(place)).to_contain_text(["here.txt"])


def test_a_message_waits_for_a_file_that_is_being_read(page: Page, place: Locator) -> None:
    waiting = held(page, "POST")
    choose(place, ("a.txt", b"x"))
    expect(place.get_by_role("progressbar")).to_be_visible()
    page.get_by_test_id("stChatInputTextArea").press("Enter")
    expect(place.locator(".berth-attach-sum")).to_contain_text("as soon as its files are read")
    assert page.evaluate("window.sent") is None
    first(page, waiting).continue_()
    expect(place.locator(".berth-attach-sum")).to_have_text("")
    page.get_by_test_id("stChatInputTextArea").press("Enter")
    assert page.evaluate("window.sent") == 1


def test_a_file_that_is_removed_on_its_way_does_not_arrive(page: Page, place: Locator) -> None:
    waiting = held(page, "POST")
    choose(place, ("a.txt", b"x"))
    remove(place, "a.txt")
    expect(chips(place)).to_have_count(0)
    with page.expect_response(lambda answer: answer.request.method == "DELETE") as deleted:
        first(page, waiting).continue_()
    assert deleted.value.status == 200
    page.unroute_all()
    remount(page)
    page.wait_for_load_state("networkidle")
    expect(chips(place)).to_have_count(0)


def test_files_that_come_while_the_list_is_asked_for_are_not_lost(
    page: Page, place: Locator
) -> None:
    choose(place, ("first.txt", b"x"))
    expect(chips(place)).to_contain_text(["first.txt"])
    page.reload()
    lists = held(page, "GET")
    mount(page)
    choose(place, ("second.txt", b"x"))
    expect(chips(place)).to_contain_text(["second.txtabout"])
    first(page, lists).fulfill(body=json.dumps({"attachments": []}))
    expect(chips(place).filter(has_text="first.txt")).to_have_count(1)
    expect(chips(place).filter(has_text="second.txt")).to_have_count(1)


def test_names_are_text_and_nothing_else(page: Page, place: Locator) -> None:
    name = "<img src=x onerror=alert(1)><b>bold.txt"
    page.on("dialog", lambda _dialog: pytest.fail("a script in a name was run"))
    drag(page, "drop", [[name, "x", ""], ["\u202etxt.exe", "x", ""], ["\u202eexe.bin", "\0", ""]])
    expect(chips(place).first).to_contain_text("bold.txtabout")
    expect(place.locator("img, b")).to_have_count(0)
    expect(chips(place).nth(1)).to_contain_text("txt.exeabout")
    expect(chips(place).nth(2)).to_contain_text("no text and no image")
    assert "\u202e" not in place.inner_text()


def test_on_a_phone_nothing_is_wider_than_the_page(page: Page, place: Locator) -> None:
    page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
    choose(place, ("x" * 200 + ".txt", b"x"), ("y" * 200 + ".docx", b"\0"))
    expect(place.get_by_role("progressbar")).to_have_count(0)
    for chip in chips(place).all():
        box = chip.bounding_box()
        assert box
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= PHONE[0]


def test_it_is_reached_by_keyboard_and_leaves_no_ears_behind(page: Page, place: Locator) -> None:
    choose(place, ("a.txt", b"x"))
    expect(chips(place)).to_contain_text(["about 1 token"])
    place.get_by_role("button", name="Attach files").focus()
    page.keyboard.press("Tab")
    expect(place.get_by_role("button", name="Remove a.txt")).to_be_focused()
    page.keyboard.press("Enter")
    expect(chips(place)).to_have_count(0)
    expect(place.get_by_role("button", name="Attach files")).to_be_focused()
    page.evaluate("document.getElementById('place').remove(); window.unmount()")
    assert paste(page, [["a.txt", "x", ""]])


@pytest.fixture(scope="module")
def fake() -> Iterator[Running]:
    with running_fake("--tokens", "3") as engine:
        yield engine


@pytest.fixture
def chat(page: Page, berth: Server) -> Page:
    """The chat page of a new conversation, with a model that answers."""
    page.goto(f"{berth.url}/Chat")
    expect(page.get_by_role("button", name="Attach files")).to_be_visible()
    return page


def attach(page: Page, *chosen: tuple[str, bytes]) -> Locator:
    """Choose files and wait until they are read; the chips."""
    found = page.locator(".berth-attach")
    choose(found, *chosen)
    expect(found.get_by_role("progressbar")).to_have_count(0)
    return chips(found)


def ask(page: Page, text: str, answers: int = 1) -> None:
    box = page.get_by_test_id("stChatInput").locator("textarea")
    box.fill(text)
    box.press("Enter")
    expect(page.get_by_text("first token")).to_have_count(answers)


def test_a_model_gets_the_files_with_the_question(chat: Page, fake: Running) -> None:
    shown = attach(chat, ("facts.txt", b"The sky is green."))
    expect(shown).to_contain_text(["facts.txt4 tokens"])
    ask(chat, "What colour?")
    expect(shown).to_have_count(0)
    expect(chat.get_by_test_id("stChatMessage").first).to_contain_text("facts.txt")
    (asked,) = fake.last_call("done")["body"]["messages"]
    assert "The sky is green." in asked["content"]
    assert asked["content"].endswith("What colour?")
    ask(chat, "And now?", answers=2)
    expect(chat.get_by_text("facts.txt")).to_have_count(1)


def test_a_model_that_sees_gets_the_picture(page: Page, home: Path) -> None:
    with running_fake("--tokens", "3", "--can-see") as fake, running_berth(home) as berth:
        lay_fake(home, fake, can_see=True)
        page.goto(f"{berth.url}/Chat")
        shown = attach(page, ("sea.png", files.picture((2_000, 1_000))))
        expect(shown).not_to_contain_text("cannot see")
        ask(page, "What is this?")
        expect(page.get_by_test_id("stImage").get_by_role("img")).to_be_visible()
        (asked,) = fake.last_call("done")["body"]["messages"]
    text, image = asked["content"]
    assert text == {"type": "text", "text": "What is this?"}
    assert image["image_url"]["url"].startswith("data:image/jpeg;base64,")


def test_files_for_a_first_message_outlive_a_reload(chat: Page) -> None:
    shown = attach(chat, ("facts.txt", b"The sky is green."))
    chat.wait_for_url("**/Chat?c=*")
    chat.reload()
    expect(shown).to_contain_text(["facts.txt"])
    remove(chat.locator(".berth-attach"), "facts.txt")
    chat.wait_for_url(lambda url: "c=" not in url)
    attach(chat, ("other.txt", b"The sea is red."))
    ask(chat, "What colour?")
    expect(chat.get_by_test_id("stChatMessage").first).to_contain_text("other.txt")
    expect(chat.get_by_text("no such conversation")).to_have_count(0)
