"""The launcher: starting, saying where, refusing with reasons, and ending cleanly."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from lib import dashboard
from tests.conftest import ROOT
from tests.support.server import Server, running_server
from tests.support.session import opened


@contextlib.contextmanager
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield other.getsockname()[1]


def launched(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "lib.server", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30)


def test_it_says_where_it_is_and_records_it(home: Path) -> None:
    with running_server(home) as server:
        assert f"http://localhost:{server.port}\n" in server.output
        found = dashboard.running()
        assert found is not None
        assert (found.port, found.pid) == (server.port, server.process.pid)
        assert found.url == f"http://localhost:{server.port}"


def test_the_record_goes_with_the_server(home: Path) -> None:
    with running_server(home):
        assert (home / "dashboard.json").exists()
    assert not (home / "dashboard.json").exists()


def test_it_ends_by_the_signal_it_got(home: Path) -> None:
    with running_server(home) as server:
        assert server.stop() == -signal.SIGTERM
    with running_server(home) as server:
        assert server.stop(signal.SIGINT) == -signal.SIGINT
        assert "Traceback" not in server.output


def test_a_taken_port_is_named_with_the_next_free_one() -> None:
    with taken_port() as port:
        result = launched("--port", str(port))
    assert result.returncode == 7
    assert f"Port {port} is used by another program" in result.stderr
    offered = int(result.stderr.split("--port ")[1].rstrip(". \n"))
    assert offered > port
    assert "Traceback" not in result.stderr


def test_a_second_start_on_the_same_port_leads_to_the_first(home: Path) -> None:
    with running_server(home) as server:
        result = launched("--port", str(server.port))
        assert result.returncode == 7
        assert f"Berth already runs at http://localhost:{server.port}" in result.stderr
        assert dashboard.running() is not None


def test_the_last_port_can_be_taken_too() -> None:
    try:
        last = socket.create_server(("127.0.0.1", 65_535))
    except OSError:
        pytest.skip("Something on this machine holds the last port.")
    with last:
        result = launched("--port", "65535")
    assert result.returncode == 7
    assert "--port 0" in result.stderr


def test_it_starts_although_its_folder_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    world = {**os.environ, "BERTH_HOME": str(tmp_path / "file")}
    command = [sys.executable, "-m", "lib.server", "--port", "0"]
    with subprocess.Popen(
        command, cwd=ROOT, env=world, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        url = process.stdout.readline().rpartition(" ")[2].strip()
        assert httpx.get(f"{url}/api/health").json()["ok"] is True
        process.terminate()
        assert "Traceback" not in process.communicate()[1]


@pytest.mark.parametrize("port", ["70000", "-1", "99999999999999999999"])
def test_a_port_that_is_none_is_refused_with_the_range(port: str) -> None:
    result = launched(f"--port={port}")
    assert result.returncode == 2
    assert "65535" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("port", ["eighty", "", "80.5"])
def test_a_port_that_is_no_number_is_refused(port: str) -> None:
    result = launched(f"--port={port}")
    assert result.returncode == 2
    assert "Traceback" not in result.stderr


def test_the_port_may_come_from_the_environment(home: Path) -> None:
    with taken_port() as port:
        pass
    world = {**os.environ, "BERTH_PORT": str(port)}
    with subprocess.Popen(
        [sys.executable, "-m", "lib.server"], cwd=ROOT, env=world, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == f"Berth is ready: http://localhost:{port}\n"
        process.terminate()


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", '{"pid": 1}', '{"pid": "x", "created_at": 0, "port": 1, "url": ""}'],
)
def test_a_broken_record_is_no_dashboard(home: Path, text: str) -> None:
    home.mkdir()
    (home / "dashboard.json").write_text(text)
    assert dashboard.running() is None


def test_a_record_of_an_ended_or_another_process_is_stale(home: Path) -> None:
    home.mkdir()
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        created = psutil.Process(ended.pid).create_time()
    for pid, created_at in ((ended.pid, created), (os.getpid(), 12345.0)):
        record = {"pid": pid, "created_at": created_at, "port": 1, "url": "http://localhost:1"}
        (home / "dashboard.json").write_text(json.dumps(record))
        assert dashboard.running() is None


def test_ending_does_not_remove_the_record_of_another_dashboard(home: Path) -> None:
    with running_server(home) as first, running_server(home) as second:
        first.stop()
        found = dashboard.running()
        assert found is not None
        assert found.pid == second.process.pid
    assert not (home / "dashboard.json").exists()


def test_it_ends_with_a_websocket_open(home: Path) -> None:
    with running_server(home) as server, opened(server) as tab:
        tab.run()
        assert server.stop() == -signal.SIGTERM
        assert "Traceback" not in server.output


def test_the_sampler_samples_while_it_runs(home: Path) -> None:
    with running_server(home) as server:
        give_up_at = time.monotonic() + 15
        while True:
            first = httpx.get(f"{server.url}/api/system").json()["now"]["at"]
            time.sleep(0.5)
            if httpx.get(f"{server.url}/api/system").json()["now"]["at"] > first:
                return
            assert time.monotonic() < give_up_at, "every answer tells of the same moment"


def test_under_streamlit_run_it_becomes_its_own_start_with_gate_and_limits(
    home: Path, tmp_path: Path
) -> None:
    with taken_port() as port:
        pass
    options = ["--server.port", str(port), "--server.address", "0.0.0.0"]
    command = [sys.executable, "-m", "streamlit", "run", str(ROOT / "lib" / "server.py"), *options]
    log = tmp_path / "log"
    with (
        log.open("wb") as output,
        subprocess.Popen(command, cwd=tmp_path, stdout=output, stderr=output) as process,
    ):
        try:
            url = f"http://127.0.0.1:{port}"
            give_up_at = time.monotonic() + 30
            while dashboard.running() is None:
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < give_up_at
                time.sleep(0.1)
            assert httpx.get(f"{url}/api/health").json()["ok"] is True
            assert httpx.get(url, headers={"Host": "evil.example"}).status_code == 421
            found = dashboard.running()
            assert found is not None
            assert found.port == port
            assert found.pid == process.pid
            endless = f"GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: {'x' * 70_000}".encode()
            with socket.create_connection(("127.0.0.1", port), timeout=30) as stranger:
                stranger.sendall(endless)
                assert stranger.recv(4_096).startswith(b"HTTP/1.1 431 ")
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.2", port), timeout=5)
        finally:
            process.terminate()
            process.wait(10)


def test_health_answers_in_a_process_of_its_own(home: Path) -> None:
    with running_server(home) as one, running_server(home / "other") as two:
        assert one.port != two.port
        for server in (one, two):
            health = httpx.get(f"{server.url}/api/health").json()
            assert health["ok"] is True
            assert health["uptime_seconds"] >= 0


def test_a_server_that_is_killed_leaves_a_record_that_does_not_count(home: Path) -> None:
    server = Server(home)
    server.wait_until_ready()
    server.process.kill()
    server.process.wait()
    assert (home / "dashboard.json").exists()
    assert dashboard.running() is None
    with running_server(home):
        assert dashboard.running() is not None


def test_of_two_on_one_home_the_one_that_stays_is_known(home: Path) -> None:
    with running_server(home) as first:
        with running_server(home) as second:
            found = dashboard.running()
            assert found and found.pid == second.process.pid
            assert {one.pid for one in dashboard.others()} == {
                first.process.pid,
                second.process.pid,
            }
        found = dashboard.running()
        assert found and (found.pid, found.port) == (first.process.pid, first.port)
    assert dashboard.running() is None
    assert list((home / "dashboards").iterdir()) == []


def test_one_that_was_killed_is_forgotten_by_the_next_that_ends(home: Path) -> None:
    with running_server(home) as first, running_server(home) as second:
        second.process.kill()
        second.process.wait()
        assert dashboard.running() is None
        assert [one.pid for one in dashboard.others()] == [first.process.pid]
    assert list((home / "dashboards").iterdir()) == []
