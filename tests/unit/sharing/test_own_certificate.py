"""The certificate that Berth makes: for whom, for how long, and when another is made."""

import shutil
import socket
import time
from pathlib import Path

import pytest

from lib.core.errors import Conflict
from lib.sharing import own_certificate
from lib.sharing.own_certificate import DAYS, RENEWED_SECONDS, NoOpenSSL
from tests.support import certificates as made


@pytest.fixture(autouse=True)
def _openssl() -> None:
    if not shutil.which("openssl"):
        pytest.skip("There is no openssl on this machine.")


def test_it_is_made_once_and_holds_for_a_year(home: Path) -> None:
    found = own_certificate.current("192.168.77.5")
    assert own_certificate.current("192.168.77.5") == found
    assert DAYS - 1 < (found.ends_at - time.time()) / 86_400 <= DAYS
    assert {"192.168.77.5", "127.0.0.1", "::1"} <= set(found.addresses)
    assert (home / "tls" / "key.pem").stat().st_mode & 0o777 == 0o600
    assert not (home / "tls" / "new.pem").exists()


def test_an_address_that_it_does_not_name_gets_a_new_one() -> None:
    first = own_certificate.current("192.168.77.5")
    second = own_certificate.current("fd77::5")
    assert second.fingerprint != first.fingerprint
    assert "fd77::5" in second.addresses


def test_it_is_renewed_before_it_ends(home: Path) -> None:
    file, key = made.make(home / "tls", "IP:192.168.77.5", "-days", "29")
    file.rename(home / "tls" / "certificate.pem")
    key.rename(home / "tls" / "key.pem")
    before = (home / "tls" / "certificate.pem").read_text()
    found = own_certificate.current("192.168.77.5")
    assert found.ends_at > time.time() + RENEWED_SECONDS
    assert (home / "tls" / "certificate.pem").read_text() != before


@pytest.mark.parametrize("name", ["certificate.pem", "key.pem"])
def test_a_broken_one_is_replaced(home: Path, name: str) -> None:
    first = own_certificate.current("192.168.77.5")
    (home / "tls" / name).write_text("nothing")
    assert own_certificate.current("192.168.77.5").fingerprint != first.fingerprint


def test_without_openssl_that_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NoOpenSSL, match="openssl, which makes the certificate, is not"):
        own_certificate.current("192.168.77.5")


def test_an_openssl_that_fails_is_quoted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake = tmp_path / "openssl"
    fake.write_text("#!/bin/sh\necho some >&2; echo 'no entropy' >&2; exit 1\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    with pytest.raises(Conflict, match="no entropy"):
        own_certificate.current("192.168.77.5")


def test_a_home_that_cannot_be_written_is_told(home: Path) -> None:
    home.write_text("a file where the folder should be")
    with pytest.raises(Conflict, match="cannot be written"):
        own_certificate.current("192.168.77.5")


@pytest.mark.parametrize(
    ("name", "names"),
    [
        ("Box", ["box", "box.local"]),
        ("box.example.com", ["box.example.com", "box.local"]),
        ("Anna.local", ["anna", "anna.local"]),
        ("localhost", []),
        ("a b,IP:1.2.3.4", []),
        ("x" * 64, []),
        ("", []),
    ],
)
def test_the_names_of_this_machine_stand_in_it(
    monkeypatch: pytest.MonkeyPatch, name: str, names: list[str]
) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: name)
    assert own_certificate.host_names() == names
    assert list(own_certificate.current("192.168.77.5").hosts) == names
