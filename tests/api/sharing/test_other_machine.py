"""A second machine, as a network namespace: over TLS it is a guest, or a program with a key."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.engines import register
from tests.support.fake_engine import running_fake
from tests.support.guests import CODE, guests_url, lay_sharing
from tests.support.server import Server, running_server

NAME = f"berth{os.getpid() % 100_000}"
HERE, THERE, HERE_6, THERE_6 = "10.77.9.1", "10.77.9.2", "fd77:9::1", "fd77:9::2"

# What the other machine runs: Python alone, nothing of Berth's.
VISIT = r"""
import hashlib, http.client, json, os, socket, ssl, sys
host, port, code = sys.argv[1], int(sys.argv[2]), sys.argv[3]
anybody = ssl.create_default_context()
anybody.check_hostname, anybody.verify_mode = False, ssl.CERT_NONE
written = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
told = {}
def ask(method, path, body=None, **headers):
    connection = http.client.HTTPSConnection(host, port, context=anybody, timeout=20)
    named = {"Host": written, "Origin": f"https://{written}"} | headers
    if body is not None:
        named["Content-Type"] = "application/json"
    connection.request(method, path, body, named)
    return connection.getresponse()
encrypted = anybody.wrap_socket(socket.create_connection((host, port), 20))
told["fingerprint"] = hashlib.sha256(encrypted.getpeercert(True)).digest().hex(":").upper()
encrypted.close()
answer = ask("POST", "/api/login", json.dumps({"code": code, "name": "Elsewhere"}))
told["login"] = answer.status
cookie = answer.getheader("set-cookie").partition(";")[0]
told["health"] = ask("GET", "/api/health", Cookie=cookie).status
told["owners"] = ask("GET", "/api/deploy", Cookie=cookie).status
told["spoofed"] = ask("GET", "/api/deploy", **{"X-Forwarded-For": "127.0.0.1"}).status
told["rebound"] = ask("GET", "/api/health", Cookie=cookie, Host="localhost").status
bearer = {"Authorization": f"Bearer {os.environ['BERTH_KEY']}"}
asked = json.dumps({"model": "fake", "messages": [{"role": "user", "content": "Hi"}]})
def programs(path, body=None, **headers):
    connection = http.client.HTTPSConnection(host, port, context=anybody, timeout=20)
    named = {"Host": written, "Content-Type": "application/json"} | headers
    connection.request("POST" if body else "GET", path, body, named)
    answer = connection.getresponse()
    return answer.status, json.loads(answer.read())
told["models"] = [one["id"] for one in programs("/v1/models", **bearer)[1]["data"]]
status, said = programs("/v1/chat/completions", asked, **bearer)
told["asked"] = [status, said["choices"][0]["message"]["content"][:3]]
told["without_key"] = programs("/v1/chat/completions", asked)[0]
told["guests_cookie"] = programs("/v1/chat/completions", asked, Cookie=cookie)[0]
told["key_elsewhere"] = programs("/api/deploy", **bearer)[0]
probe = socket.socket()
probe.settimeout(2)
told["owners_port"] = probe.connect_ex((sys.argv[4], int(sys.argv[5])))
silent = []
for _ in range(300):
    try:
        silent.append(socket.create_connection((host, port), 2))
    except OSError:
        break
told["silent"] = len(silent)
print(json.dumps(told), flush=True)
sys.stdin.read()
"""


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


@pytest.fixture(scope="module")
def wire() -> Iterator[None]:
    """A cable to another machine."""
    if os.geteuid() != 0 or not shutil.which("ip"):
        pytest.skip("Only root makes a network namespace.")
    if subprocess.run(["ip", "netns", "add", NAME], capture_output=True).returncode:
        pytest.skip("There are no network namespaces here.")
    mine, other = f"{NAME}a", f"{NAME}b"
    try:
        _ip("link", "add", mine, "type", "veth", "peer", "name", other, "netns", NAME)
        for where, device, four, six in (
            ((), mine, HERE, HERE_6),
            (("-n", NAME), other, THERE, THERE_6),
        ):
            _ip(*where, "addr", "add", f"{four}/24", "dev", device)
            _ip(*where, "addr", "add", f"{six}/64", "dev", device, "nodad")
            _ip(*where, "link", "set", device, "up")
        yield
    finally:
        subprocess.run(["ip", "link", "del", mine], capture_output=True)
        subprocess.run(["ip", "netns", "del", NAME], capture_output=True)


@pytest.mark.usefixtures("wire")
@pytest.mark.parametrize(("here", "there"), [(HERE, THERE), (HERE_6, THERE_6)])
def test_another_machine_is_a_guest_over_tls_and_its_programs_need_a_key(
    home: Path, here: str, there: str
) -> None:
    lay_sharing(home, address=here, more=('share_encryption = "berth"',))
    with running_fake() as fake, running_server(home, {"BERTH_HEADER_SECONDS": "5"}) as server:
        register(home, fake)
        guests_url(server, address=here)
        made = httpx.post(f"{server.url}/api/keys", json={"name": "elsewhere"}).json()
        told = _visited(server, here, made["secret"])
        shared = httpx.get(f"{server.url}/api/sharing").json()
    assert told.pop("fingerprint") == shared["fingerprint"]
    assert told.pop("owners_port") != 0
    assert told.pop("silent") > 64  # all of them were taken or refused, and nobody kept out
    assert told == {
        "login": 200,
        "health": 200,
        "owners": 403,
        "spoofed": 401,
        "rebound": 421,
        "models": ["fake"],
        "asked": [200, "t0 "],
        "without_key": 401,
        "guests_cookie": 401,
        "key_elsewhere": 401,
    }
    assert [(one["name"], one["address"]) for one in shared["guests"]] == [("Elsewhere", there)]


def _visited(server: Server, here: str, key: str) -> dict[str, Any]:
    """What the other machine saw; while it holds its connections, the owner is answered."""
    where = [here, str(server.port), CODE, "127.0.0.1", str(server.port)]
    command = ["ip", "netns", "exec", NAME, sys.executable, "-c", VISIT, *where]
    world = {**os.environ, "BERTH_KEY": key}  # the arguments of a process are for all to see
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, env=world) as other:
        assert other.stdout is not None and other.stdin is not None
        told = json.loads(other.stdout.readline())
        assert httpx.get(f"{server.url}/api/health", timeout=5).status_code == 200
        other.stdin.close()
    return dict(told)
