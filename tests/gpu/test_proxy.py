"""A real nginx before Berth, as a distribution runs it: its workers are another user's."""

import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from lib.core import owner_key
from tests.support.server import Server, running_server

PLAIN = ""
USUAL = """proxy_set_header X-Real-IP $remote_addr;
proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
proxy_set_header X-Forwarded-Proto $scheme;"""
WITH_KEY = "proxy_set_header Authorization $http_authorization;"
CONFIG = """daemon off; pid {folder}/pid; error_log {folder}/error.log;
{user} events {{}}
http {{
  access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{
    listen 127.0.0.1:{port};
    location / {{ proxy_pass http://127.0.0.1:{to}; {more} }}
  }}
}}
"""


@contextlib.contextmanager
def nginx(folder: Path, to: int, more: str = PLAIN, user: str = "www-data") -> Iterator[str]:
    """The address of an nginx that leads there."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    folder.mkdir()
    text = CONFIG.format(folder=folder, user=f"user {user};", port=port, to=to, more=more)
    (folder / "nginx.conf").write_text(text)
    program = shutil.which("nginx")
    assert program, "./setup.sh test --all installs nginx"
    assert os.geteuid() == 0, "only root starts programs of another user"
    command = [program, "-p", str(folder), "-c", str(folder / "nginx.conf")]
    with subprocess.Popen(command) as process:
        try:
            _wait_for(port, process)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    give_up_at = time.monotonic() + 10
    while True:
        with contextlib.suppress(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port)).close()
            return
        assert process.poll() is None and time.monotonic() < give_up_at
        time.sleep(0.05)


@pytest.fixture
def server(home: Path) -> Iterator[Server]:
    with running_server(home) as running:
        yield running


def statuses(url: str, **headers: str) -> set[int]:
    """Of a page, of a look at the owner's own, of the gateway and of a removal."""
    paths = ("/", "/api/deploy", "/v1/models")
    looks = [httpx.get(url + path, headers=headers).status_code for path in paths]
    return {*looks, httpx.delete(f"{url}/api/models/nothing", headers=headers).status_code}


@pytest.mark.parametrize("more", [PLAIN, USUAL], ids=["plain", "with the usual headers"])
def test_through_nginx_nobody_is_the_owner(server: Server, tmp_path: Path, more: str) -> None:
    with nginx(tmp_path / "nginx", server.port, more) as url:
        assert statuses(url) == {401}
        assert statuses(url, **{"X-Forwarded-For": "127.0.0.1"}) == {401}
    assert statuses(server.url) == {200, 404}


def test_through_an_nginx_of_the_owners_own_user_the_key_is_what_is_left(
    server: Server, tmp_path: Path
) -> None:
    with nginx(tmp_path / "nginx", server.port, user="root") as url:
        assert statuses(url) == {200, 404}  # to the system it is a program like any other
        owner_key.choose(True)
        assert statuses(url) == {401}


def test_with_the_key_programs_get_through_any_nginx_that_leaves_out_headers(
    server: Server, tmp_path: Path
) -> None:
    owner_key.choose(True)
    key = owner_key.authorization()
    with nginx(tmp_path / "plain", server.port, WITH_KEY) as url:
        assert statuses(url) == {401}
        assert statuses(url, **key) == {200, 404}
    with nginx(tmp_path / "usual", server.port, USUAL) as url:
        assert statuses(url, **key) == {401}
