"""How Berth is started again, and how it ends because its owner says so."""

import subprocess
from pathlib import Path

import httpx
import pytest

from lib.core.settings import ROOT
from tests.support.berth import lay_fake
from tests.support.fake_engine import running_fake
from tests.support.guests import shared_server, signed_in
from tests.support.server import Server, running_server

SECONDS = 15


def quit_berth(server: Server, **body: bool) -> httpx.Response:
    return httpx.post(f"{server.url}/api/quit", json=body, timeout=SECONDS)


@pytest.fixture
def account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "user"


def test_it_ends_with_code_0_and_its_models_go_on(home: Path) -> None:
    with running_fake() as fake, running_server(home) as server:
        lay_fake(home, fake)
        answer = quit_berth(server)
        assert (answer.status_code, answer.json()) == (200, {"ok": True, "stopped": []})
        assert server.process.wait(SECONDS) == 0  # or systemd would start it again
        assert not (home / "dashboard.json").exists()
        assert fake.process.poll() is None


def test_it_stops_its_models_first_where_that_is_wanted(home: Path) -> None:
    with running_fake() as fake, running_server(home) as server:
        lay_fake(home, fake)
        assert quit_berth(server, stops_models=True).json()["stopped"] == ["fake"]
        assert server.process.wait(SECONDS) == 0
        assert fake.process.wait(SECONDS) is not None


def test_a_wish_that_it_does_not_know_ends_nothing(home: Path) -> None:
    with running_server(home) as server:
        assert quit_berth(server, stops_everything=True).status_code == 422
        assert httpx.get(f"{server.url}/api/health").status_code == 200


def test_guests_neither_quit_it_nor_learn_where_it_lies(home: Path) -> None:
    with shared_server(home) as (server, url):
        guest = {"Cookie": signed_in(url)}
        for method, path in (("POST", "/api/quit"), ("GET", "/api/start")):
            body: dict[str, bool] | None = {} if method == "POST" else None
            answer = httpx.request(method, f"{url}{path}", json=body, headers=guest)
            assert answer.status_code == 403
            assert str(ROOT) not in answer.text
        assert server.process.poll() is None


def test_what_starts_it_is_told_as_it_is(home: Path, account: Path) -> None:
    with running_server(home) as server:
        told = httpx.get(f"{server.url}/api/start").json()
        assert told == {"command": str(ROOT / "setup.sh"), "icon": "", "at_login": False}
        entry = account / ".local/share/applications/berth.desktop"
        command = [".venv/bin/python", "-m", "lib.login", "icon", "on"]
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
        assert entry.exists()
        assert "applications" in httpx.get(f"{server.url}/api/start").json()["icon"]
        entry.unlink()
        assert httpx.get(f"{server.url}/api/start").json()["icon"] == ""
