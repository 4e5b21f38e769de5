"""What setup.sh asks: is a dashboard running, which port is free."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from lib import dashboard, launch
from lib.core import owner_key
from lib.core.errors import BadInput, Conflict


@pytest.fixture
def used_port() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_a_free_port_is_kept(used_port: int) -> None:
    free = launch.free_port(used_port)
    assert launch.free_port(free) == free


def test_after_a_used_port_comes_a_later_one(used_port: int) -> None:
    assert launch.free_port(used_port) > used_port


def test_it_says_when_all_ports_are_used(
    used_port: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(launch, "PORTS_TRIED", 0)
    with pytest.raises(Conflict, match=f"from {used_port} to {used_port} are used"):
        launch.free_port(used_port)
    assert launch.main(["free-port", str(used_port)]) == 7
    assert "Choose another with --port." in capsys.readouterr().err


@pytest.mark.parametrize("port", [-1, 65_536, 10**20])
def test_what_is_no_port_is_bad_input(port: int) -> None:
    with pytest.raises(BadInput):
        launch.free_port(port)


def test_where_no_dashboard_runs_nothing_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert launch.main(["running"]) == 1
    assert capsys.readouterr() == ("", "")


def test_the_running_dashboard_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    dashboard.announce(8501)
    assert launch.main(["running"]) == 0
    assert capsys.readouterr().out == "http://localhost:8501\n"


@pytest.mark.parametrize("record", ["", "[]", "{", "\0", '{"pid": 1}'], ids=ascii)
def test_a_broken_record_counts_as_none(home: Path, record: str) -> None:
    home.mkdir()
    (home / "dashboard.json").write_text(record, encoding="utf-8")
    assert launch.main(["running"]) == 1


def test_a_process_that_is_gone_never_answers() -> None:
    assert launch.answering(8501, 2**22 + 1) == ""


def test_a_process_that_does_not_serve_is_waited_for_in_vain(
    used_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launch, "PATIENCE_SECONDS", 0.3)
    assert launch.answering(used_port, os.getpid()) == ""


def test_the_link_with_the_key_is_told_where_one_is_asked_for(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dashboard.announce(8501)
    assert launch.main(["link"]) == 1
    owner_key.choose(True)
    assert launch.main(["link"]) == 0
    key = (home / "owner.key").read_text().strip()
    assert capsys.readouterr().out == f"http://localhost:8501/?key={key}\n"


def test_without_a_dashboard_there_is_no_link(capsys: pytest.CaptureFixture[str]) -> None:
    owner_key.choose(True)
    assert launch.main(["link"]) == 1
    assert capsys.readouterr() == ("", "")
