"""nginx and Caddy with the settings that the documentation shows, on ports of their own."""

import contextlib
import os
import re
import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.conftest import ROOT
from tests.support import cached_programs
from tests.support.certificates import make
from tests.support.waiting import eventually

NAME = "berth.example.com"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as one:
        return int(one.getsockname()[1])


def shown(language: str) -> str:
    """The example in this language."""
    text = (ROOT / "docs" / "sharing.md").read_text()
    found = re.search(rf"```{language}\n(.*?)```", text, re.DOTALL)
    assert found
    return found[1]


@contextlib.contextmanager
def nginx(folder: Path, port: int, upstream: int) -> Iterator[None]:
    """The example for nginx, from this port to that one."""
    program = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    assert program, "The heavy tests install nginx."
    file, key = make(folder, f"DNS:{NAME}")
    server = shown("nginx").replace("listen 443 ssl", f"listen 127.0.0.1:{port} ssl")
    server = server.replace("127.0.0.1:8600", f"127.0.0.1:{upstream}")
    server = server.replace("/etc/ssl/berth.pem", str(file)).replace("/etc/ssl/berth.key", str(key))
    user = "user root;" if os.geteuid() == 0 else ""
    places = "".join(
        f"{kind}_temp_path {folder}/{kind};"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    config = folder / "nginx.conf"
    config.write_text(
        f"{user} daemon off; pid {folder}/pid; error_log {folder}/error.log;\n"
        f"events {{}}\nhttp {{ access_log off; {places}\n{server} }}\n"
    )
    with _running([program, "-c", str(config), "-p", str(folder)], port, folder):
        yield


@contextlib.contextmanager
def caddy(folder: Path, port: int, upstream: int) -> Iterator[None]:
    """The example for Caddy; its certificate is of its own making here."""
    program = str(cached_programs.caddy())
    site = shown("caddy").replace("berth.example.com {", f"https://{NAME}:{port} {{\n tls internal")
    config = folder / "Caddyfile"
    options = "{\n admin off\n skip_install_trust\n auto_https disable_redirects\n}\n"
    config.write_text(options + site.replace("127.0.0.1:8600", f"127.0.0.1:{upstream}"))
    run = [program, "run", "--config", str(config), "--adapter", "caddyfile"]
    with _running(run, port, folder, {"XDG_DATA_HOME": str(folder), "HOME": str(folder)}):
        yield


@contextlib.contextmanager
def _running(
    command: list[str], port: int, folder: Path, world: dict[str, str] | None = None
) -> Iterator[None]:
    with (folder / "output").open("wb") as log:
        process = subprocess.Popen(
            command, env={**os.environ, **(world or {})}, stdout=log, stderr=log
        )
    try:
        assert eventually(lambda: _answers(port)), (folder / "output").read_text()
        yield
    finally:
        process.terminate()
        process.wait(10)


def _answers(port: int) -> bool:
    """Caddy listens before it has a certificate."""
    anybody = ssl.create_default_context()
    anybody.check_hostname, anybody.verify_mode = False, ssl.CERT_NONE
    try:
        probe = socket.create_connection(("127.0.0.1", port), timeout=5)
        anybody.wrap_socket(probe, server_hostname=NAME).close()
    except OSError:
        return False
    return True
