"""Who may do what, and that nobody acts by default."""

import subprocess
import sys
import threading
from collections.abc import Callable

import pytest

from lib import deploy, hub
from lib.core import access, owner_key, preferences
from lib.core.access import (
    Action,
    Actor,
    NotSignedIn,
    Role,
    acting,
    carried,
    may,
    require,
)
from lib.core.errors import Forbidden
from lib.deploy import DeployRequest
from lib.deploy.starter import deploy_starter
from lib.engines.base import Model, StartOptions, State
from lib.fleet import actions
from lib.jobs import jobs
from lib.sharing import guests
from lib.sharing import listener as sharing
from tests.conftest import ROOT

MODEL = Model(name="some", engine="llamacpp", state=State.STOPPED)
JOB = {"title": "t", "kind": "k"}
OWNERS: dict[str, Callable[[], object]] = {
    "start": lambda: actions.start(MODEL, StartOptions()),
    "start soon": lambda: actions.start_soon(MODEL),
    "stop": lambda: actions.stop(MODEL),
    "remove": lambda: actions.remove(MODEL),
    "load": lambda: actions.load(MODEL, StartOptions()),
    "run a job": lambda: jobs.start(["true"], title="t", kind="k"),
    "run a job once": lambda: jobs.start_once(["true"], title="t", kind="k", resource="r"),
    "deploy": lambda: deploy.start(DeployRequest(model="a/b")),
    "deploy the starter": deploy_starter,
    "change a setting": lambda: preferences.change(llama_server="off"),
    "save a token": lambda: hub.save_token("hf_" + "a" * 30),
    "forget the token": hub.forget_token,
    "share": lambda: sharing.start("127.0.0.2"),
    "stop sharing": sharing.stop,
    "change the code": sharing.change_code,
    "see the code": guests.access_code,
    "end logins": guests.end_logins,
    "see who is signed in": guests.signed_in,
    "put a guest out": lambda: sharing.put_out("a" * 32),
    "ask for the key": lambda: owner_key.choose(True),
    "see the key": lambda: owner_key.link("http://localhost"),
}


@pytest.mark.parametrize("action", list(Action))
def test_the_owner_may_do_everything(action: Action) -> None:
    with acting(Role.OWNER):
        require(action)
        assert may(action)


def test_a_guest_may_look_and_chat_and_nothing_else() -> None:
    with acting(Role.GUEST):
        for action in (Action.LOOK, Action.CHAT):
            require(action)
        for action in set(Action) - {Action.LOOK, Action.CHAT}:
            assert not may(action)
            with pytest.raises(Forbidden, match="Only the owner"):
                require(action)


@pytest.mark.parametrize("what", OWNERS)
def test_where_it_happens_a_guest_is_refused(what: str) -> None:
    with acting(Role.GUEST, "guest-1"), pytest.raises(Forbidden):
        OWNERS[what]()


def test_a_guest_can_neither_cancel_nor_pause_nor_repeat_a_job() -> None:
    job = jobs.start(["sleep", "60"], title="t", kind="k")
    try:
        for act in (job.cancel, job.pause, job.retry):
            with acting(Role.GUEST), pytest.raises(Forbidden):
                act()
        assert jobs.find(job.id).is_active
        assert not (job.folder / "paused").exists()
    finally:
        job.cancel()


def test_nobody_acts_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "_process", None)
    for act in OWNERS.values():
        with pytest.raises(NotSignedIn):
            act()
    assert not may(Action.LOOK)
    with acting(Role.OWNER, "me"):
        assert access.current() == Actor(Role.OWNER, "me")
    assert not may(Action.LOOK)


def test_a_new_process_is_nobodys() -> None:
    code = "from lib.jobs import jobs; jobs.start(['true'], title='t', kind='k')"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert "NotSignedIn" in done.stderr


def test_a_thread_acts_for_whoever_began_it_and_only_if_told() -> None:
    seen: list[Actor] = []

    def note() -> None:
        seen.append(access.current())

    with acting(Role.GUEST, "me"):
        told, untold = threading.Thread(target=carried(note)), threading.Thread(target=note)
    for thread in (told, untold):
        thread.start()
        thread.join()
    assert seen == [(Role.GUEST, "me"), (Role.OWNER, "")]  # the tests' process is the owner's


def test_whoever_looks_at_a_page_is_asked_before_the_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(access, "_visitor", lambda: Actor(Role.GUEST, "page"))
    assert access.current() == (Role.GUEST, "page")
    with acting(Role.OWNER, "request"):
        assert access.current() == (Role.OWNER, "request")
