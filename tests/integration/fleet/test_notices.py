"""What ends or fails is told to one address: a real server takes it."""

import http.server
import json
import threading
from collections.abc import Iterator

import pytest
from streamlit.testing.v1 import AppTest

from lib.core import activity, preferences
from lib.core.access import Role, acting
from lib.core.activity import Kind
from lib.core.errors import BadInput, Forbidden, NetworkError
from lib.core.settings import settings
from lib.engines.llamacpp import program
from lib.fleet import notices
from lib.fleet.notices import Notices
from lib.jobs import jobs
from tests.conftest import ROOT
from tests.support.waiting import until

SETTINGS = ROOT / "pages/5_Settings.py"


class Hook(http.server.BaseHTTPRequestHandler):
    """Keeps what it is told; below /moved it sends one elsewhere, below /gone it refuses."""

    got: list[tuple[str, dict[str, str]]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.got.append((self.path, json.loads(body)))
        moved, gone = self.path.startswith("/moved"), self.path.startswith("/gone")
        self.send_response(307 if moved else 410 if gone else 204)
        if moved:
            self.send_header("Location", "/elsewhere")
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Nothing."""


@pytest.fixture(autouse=True)
def _owner(home: object) -> Iterator[None]:
    with acting(Role.OWNER):
        yield


@pytest.fixture
def hook() -> Iterator[str]:
    Hook.got = []
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hook) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_the_end_of_a_job_is_told_once(hook: str) -> None:
    notices.set_address(f"{hook}/hook")
    before = jobs.start(["false"], title="Before", kind="x")
    until(lambda: not jobs.find(before.id).is_active, "it ended")
    watch = Notices()
    job = jobs.start(["sh", "-c", "exit 3"], title="Deploy it", kind="x")
    until(lambda: not jobs.find(job.id).is_active, "it ended")
    assert len([*watch.look(), *watch.look()]) == 1
    [(path, body)] = Hook.got
    assert path == "/hook"
    assert body["text"].startswith("Berth: “Deploy it” failed after ")
    assert body["kind"] == "job"


def test_a_failure_is_told_and_one_of_before_is_not(hook: str) -> None:
    activity.note(Kind.FAILED, "old", "It was not started.")
    notices.set_address(hook)
    watch = Notices()
    activity.note(Kind.STARTED, "fine")
    activity.note(Kind.FAILED, "tiny", "It was not started. The file is broken.")
    assert watch.look() == ["tiny failed. It was not started. The file is broken."]
    assert watch.look() == []
    assert len(Hook.got) == 1


def test_without_an_address_nobody_is_told_and_one_that_refuses_stops_nothing(hook: str) -> None:
    watch = Notices()
    activity.note(Kind.FAILED, "tiny", "It was not started.")
    assert watch.look() == []
    notices.set_address(f"{hook}/gone")
    assert watch.look() == []  # what happened before is not told later
    activity.note(Kind.FAILED, "tiny", "It was not started.")
    assert len(watch.look()) == 1
    with pytest.raises(NetworkError, match="answered 410"):
        notices.try_out()


def test_of_two_dashboards_one_tells(hook: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Notices, "seconds", 0.02)
    notices.set_address(hook)
    watches = [Notices(), Notices()]
    for watch in watches:
        watch.start()
    activity.note(Kind.FAILED, "first")
    until(lambda: Hook.got, "it was told")
    activity.note(Kind.FAILED, "second")
    until(lambda: len(Hook.got) == 2, "that was told, too")
    for watch in watches:
        watch.stop()
    threads = [thread for thread in threading.enumerate() if thread.name == "notices"]
    for thread in threads:
        thread.join(5)
    assert [body["text"] for _, body in Hook.got] == [
        "Berth: first failed.",
        "Berth: second failed.",
    ]


def test_it_is_not_sent_on_to_another_address(hook: str) -> None:
    notices.set_address(f"{hook}/moved")
    with pytest.raises(NetworkError, match="answered 307"):
        notices.try_out()
    assert [path for path, _ in Hook.got] == ["/moved"]


@pytest.mark.parametrize(
    "address",
    [
        *("ftp://a/b", "hook", "https://", "file:///etc/passwd", "http://[", "https://a:99999/b"),
        *("https://a b/c", "https://a/b\nc", f"http://{'a' * 70}.com/"),
    ],
)
def test_what_is_no_web_address_is_refused(address: str) -> None:
    with pytest.raises(BadInput, match="no web address"):
        notices.set_address(address)
    assert preferences.preferences().webhook == ""


def test_only_the_owner_sets_it() -> None:
    with acting(Role.GUEST), pytest.raises(Forbidden):
        notices.set_address("https://example.org")
    with acting(Role.GUEST), pytest.raises(Forbidden):
        notices.try_out()


def test_the_page_saves_and_tries_it(hook: str) -> None:
    page = AppTest.from_file(SETTINGS, default_timeout=30).run()
    page.text_input(key="settings_webhook").set_value("nonsense")
    _press(page, "Save")
    assert any("no web address" in error.value for error in page.error)
    page.text_input(key="settings_webhook").set_value(hook)
    _press(page, "Save")
    assert [told.value for told in page.success] == ["Saved\\."]
    page.button(key="settings_webhook_test").click().run()
    assert [told.value for told in page.success] == ["It was taken\\."]
    assert Hook.got[0][1]["kind"] == "test"
    assert not page.exception


def test_the_page_sets_when_models_stop_and_which_program_runs_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv(program.VARIABLE)
    page = AppTest.from_file(SETTINGS, default_timeout=30).run()
    page.selectbox(key="settings_idle").select(30).run()
    assert preferences.preferences().idle_minutes == 30
    page.text_input(key="settings_own").set_value("llama-server")
    _press(page, "Save and try it")
    assert any("Its path is relative" in error.value for error in page.error)
    page.text_input(key="settings_own").set_value("")
    _press(page, "Save and try it")
    assert preferences.preferences().llama_server == ""
    assert not page.error
    assert not page.exception


def _press(page: AppTest, label: str) -> None:
    [button] = [button for button in page.button if button.label == label]
    button.click().run()


def test_what_happened_is_kept_for_browsers_also_where_no_address_is_set() -> None:
    needs: list[tuple[str, str]] = [("disk:/", "The disk is nearly full.")]
    watch = Notices(lambda: needs)
    watch.look()
    assert notices.recent() == []  # what was so before is no news
    activity.note(Kind.FAILED, "tiny", "It was killed.", who="Berth")
    needs.append(("clock", "The clock is wrong."))
    watch.look()
    watch.look()
    assert [(one.number, one.text) for one in notices.recent()] == [
        (1, "tiny failed. It was killed."),
        (2, "The clock is wrong."),
    ]
    for number in range(notices.KEPT):
        activity.note(Kind.FAILED, f"model-{number}", "", who="Berth")
    Notices().look()
    watch.look()
    kept = notices.recent()
    assert len(kept) == notices.KEPT
    assert kept[-1].number == 2 + notices.KEPT


@pytest.mark.parametrize(("seconds", "times"), [(0.0, 2), (notices.FLAPS_SECONDS, 1)])
def test_a_finding_that_comes_back_is_told_again_after_a_while(
    seconds: float, times: int, hook: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notices, "FLAPS_SECONDS", seconds)
    notices.set_address(f"{hook}/hook")
    needs: list[tuple[str, str]] = []
    watch = Notices(lambda: needs)
    watch.look()
    for _ in range(2):
        needs.append(("clock", "The clock is wrong."))
        watch.look()
        needs.clear()
        watch.look()
    assert [body["kind"] for _, body in Hook.got] == ["needs you"] * times


def test_what_is_so_when_it_is_first_looked_is_no_news() -> None:
    needs: list[tuple[str, str]] | None = None
    watch = Notices(lambda: needs)
    watch.look()
    needs = [("clock", "The clock is wrong.")]
    watch.look()
    assert notices.recent() == []


def test_a_damaged_file_of_notices_is_begun_anew() -> None:
    watch = Notices()
    settings().home.mkdir(parents=True, exist_ok=True)
    (settings().home / "notices.json").write_text("[{]")
    assert notices.recent() == []
    activity.note(Kind.FAILED, "tiny", "", who="Berth")
    watch.look()
    assert [one.number for one in notices.recent()] == [1]
