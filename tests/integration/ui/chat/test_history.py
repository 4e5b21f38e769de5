"""What the chat page makes of its browser's answers, without a browser."""

import json
import math
import time
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from lib.chat.conversations import Document, Turn, said
from lib.core.settings import settings
from lib.ui.elements.history import OFFER_SECONDS
from tests.conftest import ROOT
from tests.support import tiny_gguf

SECONDS = 30
OPEN, OTHER = "a" * 32, "b" * 32
REPLY = "c" * 32


@pytest.fixture
def models() -> Path:
    folder = settings().models
    folder.mkdir(parents=True)
    tiny_gguf.write_tiny(folder / "tiny.gguf")
    return folder


def document(*turns: Turn, reply: str = "") -> str:
    replies = [reply] if reply else []
    return Document.model_construct(turns=list(turns), replies=replies).text()


def talk(*turns: Turn, **changed: Any) -> dict[str, Any]:
    """A conversation that is open in the session."""
    plain = {
        "id": OPEN,
        "title": "T",
        "turns": list(turns),
        "leaf": turns[-1]["id"] if turns else "",
    }
    rest = {"is_handed_over": True, "is_awaited": False, "revision": "r1", "changed": []}
    more = {"lanes": [], "replaced": "", "settings": {}, "deleted": [], "unfolded": 0}
    return {**plain, **rest, **more, **changed}


def heard(opened: dict[str, Any] | None, kind: str, **event: str) -> AppTest:
    """A session with this conversation open and this event come, perhaps several `times`."""

    def script() -> None:
        import streamlit as st

        from lib.ui.chat.storage_events import hear
        from lib.ui.elements.history import Event

        for event in st.session_state["test_events"]:
            hear(Event(**event))

    page = AppTest.from_function(script, default_timeout=SECONDS)
    if opened:
        page.session_state["chat_conversation"] = opened
    times = int(event.pop("times", "1"))
    page.session_state["test_events"] = [{"n": 1, "kind": kind, **event}] * times
    page.run()
    assert not page.exception
    return page


def kept(page: AppTest, name: str) -> Any:
    if name not in page.session_state:  # it has no get()
        return None
    return page.session_state[name]


def operations(page: AppTest, kind: str) -> list[dict[str, Any]]:
    memory = kept(page, "history_memory") or {"ops": []}
    return [op for op in memory["ops"] if op["op"] == kind]


def contents(stored: dict[str, Any]) -> list[str]:
    return [turn["content"] for turn in json.loads(stored["doc"])["turns"]]


A = said("user", "a", "1" * 32)
B = said("assistant", "b", REPLY, parent=A["id"])
C = said("user", "c", "2" * 32, parent=REPLY)
D = said("user", "d", "3" * 32, parent=A["id"])


def test_a_refused_save_goes_again_with_all_that_the_stored_copy_lacks() -> None:
    refused = {"id": OPEN, "why": "conflict", "rev": "r7", "raw": document(A), "mine": document(C)}
    page = heard(talk(A, B, C), "refused", **refused)
    [saved] = operations(page, "put")
    assert (saved["id"], saved["known"], contents(saved)) == (OPEN, "r7", ["b", "c"])
    assert saved["turns"] == 3
    assert not kept(page, "chat_notices")


def test_what_another_tab_said_is_taken_over_as_a_branch_and_told() -> None:
    refused = {"id": OPEN, "why": "conflict", "rev": "r7", "mine": document(C)}
    page = heard(talk(A, B, C), "refused", raw=document(A, D), **refused)
    [saved] = operations(page, "put")
    assert (contents(saved), saved["turns"]) == (["b", "c"], 4)
    opened = kept(page, "chat_conversation")
    assert {turn["content"] for turn in opened["turns"]} == {"a", "b", "c", "d"}
    assert opened["leaf"] == C["id"]
    assert "another tab" in kept(page, "chat_notices")[0]["text"]


def test_a_copy_that_is_gone_from_the_storage_is_saved_whole() -> None:
    refused = {"id": OPEN, "why": "conflict", "rev": "", "raw": "", "mine": document(B)}
    page = heard(talk(A, B), "refused", **refused)
    [saved] = operations(page, "put")
    assert (saved["known"], contents(saved)) == ("", ["a", "b"])


def test_a_refused_save_of_a_conversation_that_was_left_is_merged_too() -> None:
    refused = {"id": OTHER, "why": "conflict", "rev": "r7", "raw": document(A), "mine": document(B)}
    page = heard(talk(A), "refused", **refused)
    [saved] = operations(page, "put")
    assert (saved["id"], contents(saved), saved["turns"]) == (OTHER, ["b"], 2)


def test_a_document_of_the_first_form_is_saved_whole_in_the_new_one() -> None:
    turns = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    raw = json.dumps({"version": 1, "turns": turns})
    page = heard(None, "open", id=OTHER, title="Old", rev="r1", raw=raw)
    [saved] = operations(page, "put")
    assert (saved["known"], contents(saved), saved["turns"]) == ("r1", ["a", "b"], 2)


def test_a_stored_copy_that_cannot_be_read_is_not_overwritten() -> None:
    refused = {"id": OPEN, "title": "T", "why": "conflict", "raw": "{", "mine": document(A)}
    page = heard(talk(A), "refused", **refused)
    [saved] = operations(page, "put")
    assert saved["id"] != OPEN


def test_what_could_not_be_saved_stays_though_another_conversation_is_open() -> None:
    refused = {"id": OTHER, "title": "Left", "why": "full", "mine": document(A, B)}
    page = heard(talk(A), "refused", **refused)
    assert json.loads(kept(page, "chat_unsaved")[OTHER]["document"])["turns"][1]["content"] == "b"


def test_a_conversation_that_cannot_be_read_leaves_the_open_one_open() -> None:
    page = heard(talk(A), "open", id=OTHER, raw="{")
    assert kept(page, "chat_conversation")["id"] == OPEN
    [notice] = kept(page, "chat_notices")
    assert notice["level"] == "error"


def test_an_opened_conversation_whose_reply_is_lost_says_so() -> None:
    page = heard(None, "open", id=OTHER, title="X", rev="r1", raw=document(A, reply=REPLY))
    opened = kept(page, "chat_conversation")
    assert opened["turns"][-1]["problem"]["message"]
    [saved] = operations(page, "put")
    assert json.loads(saved["doc"])["replies"] == []


def test_an_answer_that_nobody_waits_for_changes_nothing() -> None:
    page = heard(talk(A), "document", id=OPEN, rev="r9", raw=document(D))
    assert kept(page, "chat_conversation")["turns"] == [A]


@pytest.mark.parametrize(("why", "word"), [("", "no such"), ("deleted", "Recently deleted")])
def test_a_conversation_that_is_not_there_is_said_to_be_so(why: str, word: str) -> None:
    page = heard(talk(is_awaited=True), "missing", id=OPEN, why=why)
    assert kept(page, "chat_conversation") is None
    assert word in kept(page, "chat_notices")[0]["text"]


def test_the_one_that_was_deleted_is_closed_and_no_other() -> None:
    assert kept(heard(talk(A), "gone", id=OPEN), "chat_conversation") is None
    assert kept(heard(talk(A), "gone", id=OTHER), "chat_conversation")["id"] == OPEN


@pytest.mark.usefixtures("models")
def test_nothing_can_be_said_into_a_conversation_that_has_not_come_yet() -> None:
    page = AppTest.from_file(ROOT / "pages/3_Chat.py", default_timeout=SECONDS)
    page.query_params["c"] = OPEN
    page.run()
    assert not page.exception
    assert page.chat_input[0].disabled
    assert [op["id"] for op in operations(page, "get")] == [OPEN]


@pytest.mark.usefixtures("models")
def test_an_operation_is_offered_for_a_moment_and_then_dropped() -> None:
    page = AppTest.from_file(ROOT / "pages/3_Chat.py", default_timeout=SECONDS)
    page.query_params["c"] = OPEN
    page.run()
    page.run()
    assert len(operations(page, "get")) == 1
    time.sleep(OFFER_SECONDS)
    page.run()
    assert operations(page, "get") == []


@pytest.mark.usefixtures("models")
def test_what_is_not_saved_is_shown_with_a_way_out() -> None:
    page = AppTest.from_file(ROOT / "pages/3_Chat.py", default_timeout=SECONDS)
    unsaved = {"title": "![p](q)", "document": document(A, B), "why": "full", "rev": "r1"}
    page.session_state["chat_unsaved"] = {OTHER: unsaved}
    page.run()
    assert not page.exception
    assert "full" in page.error[0].value
    assert "![p]" not in page.error[0].value
    page.button(key=f"save-{OTHER}").click().run()
    [saved] = operations(page, "put")
    assert (saved["id"], saved["known"], saved["answer"]) == (OTHER, "r1", True)


@pytest.mark.usefixtures("models")
def test_what_a_run_that_was_cut_off_did_not_save_is_saved_by_the_next() -> None:
    page = AppTest.from_file(ROOT / "pages/3_Chat.py", default_timeout=SECONDS)
    page.session_state["chat_conversation"] = talk(A, B, changed=[B["id"]])
    page.run()
    assert not page.exception
    [saved] = operations(page, "put")
    assert (contents(saved), saved["turns"]) == (["b"], 2)
    page.run()
    assert len(operations(page, "put")) == 1


def test_a_save_that_did_not_arrive_is_made_again() -> None:
    waiting = {"id": OPEN, "rev": "r1", "raw": document(A, reply=REPLY)}
    page = heard(talk(A, B, revision="r2"), "waiting", **waiting)
    [saved] = operations(page, "put")
    assert (saved["known"], contents(saved), saved["waits"]) == ("r1", ["b"], False)


def test_a_save_that_did_arrive_is_not_made_again() -> None:
    waiting = {"id": OPEN, "rev": "r2", "raw": document(A, reply=REPLY)}
    assert operations(heard(talk(A, B, revision="r2"), "waiting", **waiting), "put") == []


def test_a_conversation_that_is_still_to_come_is_not_mended() -> None:
    waiting = {"id": OPEN, "rev": "r1", "raw": document(A, D, reply=REPLY)}
    page = heard(talk(revision="", is_awaited=True), "waiting", **waiting)
    assert operations(page, "put") == []
    assert kept(page, "chat_conversation")["turns"] == []
    assert not kept(page, "chat_notices")


def test_what_a_run_could_not_offer_is_offered_by_the_next() -> None:
    def script() -> None:
        from lib.ui.elements import history
        from lib.ui.elements.element import element

        element("history")(key=history.KEY, data={}, on_event_change=lambda: None)
        history.get("a" * 32)
        history.mount("", print)  # refused: there is one already

    page = AppTest.from_function(script, default_timeout=SECONDS).run()
    assert page.exception
    [wanted] = operations(page, "get")
    assert math.isinf(wanted["offered"])
