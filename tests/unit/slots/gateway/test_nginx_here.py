"""nginx as it is found, by small programs of its name."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from lib.core.errors import EngineError
from lib.engines.vllm.places import Places
from lib.slots.gateway import nginx_here
from lib.slots.gateway.nginx import Front

READS = "include /etc/nginx/conf.d/*.conf;"
BROKEN = '2026/11/27 10:00:00 [emerg] 7#7: unknown directive "lisen" in /etc/nginx/x.conf:3'


@pytest.fixture
def free_port() -> Iterator[int]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    yield port


class Programs:
    """A PATH that holds nothing but what is put there."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        folder.mkdir()
        monkeypatch.setenv("PATH", str(folder))

    def put(self, name: str, script: str) -> None:
        path = self.folder / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def nginx(self, version: str = "1.22.1", dump: str = READS, broken: str = "") -> None:
        tell = f"echo '{broken}' >&2; exit 1" if broken else f"echo '{dump}'"
        told = f"echo 'nginx version: nginx/{version}' >&2"
        self.put("nginx", f'case "$*" in *-v) {told};; *) {tell};; esac')


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Programs:
    return Programs(tmp_path / "bin", monkeypatch)


def problems(root: Path, port: int) -> list[str]:
    return [str(one) for one in nginx_here.problems(Places(root=root), Front(port=port))]


def test_a_sound_one_has_no_problems(tmp_path: Path, programs: Programs, free_port: int) -> None:
    programs.nginx()
    assert problems(tmp_path, free_port) == []


def test_none_is_no_problem_because_it_can_be_installed(
    tmp_path: Path, programs: Programs, free_port: int
) -> None:
    assert problems(tmp_path, free_port) == []


def test_one_that_was_broken_before_is_said_with_its_own_words(
    tmp_path: Path, programs: Programs, free_port: int
) -> None:
    programs.nginx(broken=BROKEN)
    (said,) = problems(tmp_path, free_port)
    assert said.startswith("nginx's configuration was broken before Berth came: unknown directive")
    assert "Nothing was touched" in said


def test_an_old_one_is_refused(tmp_path: Path, programs: Programs, free_port: int) -> None:
    programs.nginx(version="1.14.2")
    (said,) = problems(tmp_path, free_port)
    assert "nginx 1.14 is too old" in said


@pytest.mark.parametrize("version", ["1.18.0", "1.22.1", "1.29.3"])
def test_newer_ones_are_not(
    tmp_path: Path, programs: Programs, free_port: int, version: str
) -> None:
    programs.nginx(version=version)
    assert problems(tmp_path, free_port) == []


def test_one_that_does_not_read_our_folder_is_said(
    tmp_path: Path, programs: Programs, free_port: int
) -> None:
    programs.nginx(dump="include /etc/nginx/sites-enabled/*;")
    (said,) = problems(tmp_path, free_port)
    assert "does not read /etc/nginx/conf.d" in said


@pytest.mark.parametrize(
    "line", [READS, "    include conf.d/*.conf;", "include\t/x/conf.d/*.conf ;"]
)
def test_the_folder_may_be_named_in_several_ways(
    tmp_path: Path, programs: Programs, free_port: int, line: str
) -> None:
    programs.nginx(dump=line)
    assert problems(tmp_path, free_port) == []


def test_a_port_that_another_program_has_is_said(tmp_path: Path, programs: Programs) -> None:
    programs.nginx()
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        (said,) = problems(tmp_path, other.getsockname()[1])
    assert "is used by another program" in said
    assert "gateway.toml" in said


def test_where_selinux_would_forbid_it_the_commands_are_given(
    tmp_path: Path, programs: Programs, free_port: int
) -> None:
    programs.nginx()
    selinux = tmp_path / "sys/fs/selinux"
    (selinux / "booleans").mkdir(parents=True)
    (selinux / "enforce").write_text("1")
    (selinux / "booleans/httpd_can_network_connect").write_text("0 0")
    (said,) = problems(tmp_path, free_port)
    assert "setsebool -P httpd_can_network_connect 1" in said
    (selinux / "booleans/httpd_can_network_connect").write_text("1 1")
    assert problems(tmp_path, free_port) == []


def test_it_is_tested_before_it_reads_and_reached_after(tmp_path: Path, programs: Programs) -> None:
    programs.put("systemctl", "exit 0")
    steps = nginx_here.write_steps("text", Places(), Front())
    assert [step.sentence for step in steps] == [
        "write /etc/nginx/conf.d/berth.conf (0644 root:root)",
        "nginx -t",
        "systemctl reload nginx.service",
        "wait until http://127.0.0.1:8100/health answers, at most 15 s",
    ]


def test_one_that_does_not_run_is_started(tmp_path: Path, programs: Programs) -> None:
    programs.put("systemctl", "exit 3")
    sentences = [step.sentence for step in nginx_here.write_steps("text", Places(), Front())]
    assert "systemctl start nginx.service" in sentences


def test_a_missing_one_comes_by_apt_and_its_welcome_page_goes(programs: Programs) -> None:
    programs.put("apt-get", "exit 0")
    sentences = [step.sentence for step in nginx_here.install_steps()]
    assert sentences == [
        "apt-get install -y --no-install-recommends nginx",
        "rm -f /etc/nginx/sites-enabled/default",
        "systemctl enable --now nginx.service",
    ]


def test_or_by_dnf(programs: Programs) -> None:
    programs.put("dnf", "exit 0")
    assert nginx_here.install_command() == ("dnf", "install", "-y", "nginx")


def test_where_nothing_can_install_it_the_way_without_is_named(programs: Programs) -> None:
    with pytest.raises(EngineError, match="neither apt-get nor dnf") as refused:
        nginx_here.install_steps()
    assert "--without-nginx" in refused.value.fix


def test_who_is_not_root_asks_sudo_and_raises_no_false_alarm(
    tmp_path: Path, programs: Programs, free_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    denied = '[emerg] 7#7: open() "/run/nginx.pid" failed (13: Permission denied)'
    programs.nginx(broken=denied)
    programs.put("sudo", "echo 'sudo: a password is required' >&2; exit 1")
    assert problems(tmp_path, free_port) == []
    programs.put("sudo", f"echo '{BROKEN}' >&2; exit 1")
    [said] = problems(tmp_path, free_port)
    assert "was broken before Berth came: unknown directive" in said
    programs.put("sudo", f"echo '{READS}'")
    assert problems(tmp_path, free_port) == []
