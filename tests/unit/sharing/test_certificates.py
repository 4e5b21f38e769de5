"""A certificate of the owner's: what it holds for, and each way in which it cannot be used."""

import hashlib
import os
import ssl
import time
from pathlib import Path

import pytest

from lib.core.errors import BadInput
from lib.sharing import certificates
from tests.support import certificates as made

NAMES = "DNS:Berth.Example.com,DNS:*.example.com,IP:192.168.1.5,IP:fd00::2"


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return made.make(tmp_path_factory.mktemp("pair"), NAMES)


def test_a_certificate_tells_its_names_its_end_and_its_fingerprint(pair: tuple[Path, Path]) -> None:
    found = certificates.read(*pair)
    assert found.hosts == ("berth.example.com",)
    assert found.addresses == ("192.168.1.5", "fd00::2")
    assert found.holds_for("BERTH.example.com")
    assert found.holds_for("fd00::2")
    assert not found.holds_for("192.168.1.6")
    assert 29 < (found.ends_at - time.time()) / 86_400 < 31
    der = ssl.PEM_cert_to_DER_cert(pair[0].read_text())
    assert len(found.fingerprint) == 95
    assert found.fingerprint.replace(":", "").lower() == hashlib.sha256(der).hexdigest()


def test_a_chain_is_told_by_its_first_certificate(pair: tuple[Path, Path], tmp_path: Path) -> None:
    other, _ = made.make(tmp_path, "DNS:issuer", name="issuer")
    chain = tmp_path / "chain.pem"
    chain.write_text(f"Comment\n{pair[0].read_text()}{other.read_text()}")
    assert certificates.read(chain, pair[1]).hosts == ("berth.example.com",)


def test_a_key_of_another_certificate_is_refused(pair: tuple[Path, Path], tmp_path: Path) -> None:
    _, other = made.make(tmp_path)
    with pytest.raises(BadInput, match="does not belong to the certificate"):
        certificates.read(pair[0], other)


def test_an_expired_certificate_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="has expired"):
        certificates.read(*made.make_expired(tmp_path))


def test_a_key_with_a_passphrase_is_refused_and_nobody_is_asked(tmp_path: Path) -> None:
    file, key = made.make(tmp_path, "IP:127.0.0.2", "-passout", "pass:secret", "-days", "30")
    locked = tmp_path / "locked.key"
    made._openssl("rsa", "-aes128", "-passout", "pass:some", "-in", str(key), "-out", str(locked))
    with pytest.raises(BadInput, match="locked with a passphrase"):
        certificates.read(file, locked)


@pytest.mark.parametrize("text", ["", "nothing", "-----BEGIN CERTIFICATE-----\n!\n"])
def test_what_is_no_certificate_is_refused(
    pair: tuple[Path, Path], tmp_path: Path, text: str
) -> None:
    file = tmp_path / "some.pem"
    file.write_text(text)
    with pytest.raises(BadInput, match="no certificate"):
        certificates.read(file, pair[1])


def test_what_is_no_key_is_refused(pair: tuple[Path, Path], tmp_path: Path) -> None:
    key = tmp_path / "some.key"
    key.write_text("nothing")
    with pytest.raises(BadInput, match="cannot be used together"):
        certificates.read(pair[0], key)


def test_a_broken_certificate_is_refused(pair: tuple[Path, Path], tmp_path: Path) -> None:
    file = tmp_path / "broken.pem"
    lines = pair[0].read_text().splitlines()
    file.write_text("\n".join([*lines[:3], *lines[5:]]))
    with pytest.raises(BadInput):
        certificates.read(file, pair[1])


def test_a_file_that_is_not_there_or_no_file_is_refused(
    pair: tuple[Path, Path], tmp_path: Path
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for place in (tmp_path / "none.pem", tmp_path, pipe, Path("/dev/zero")):
        for asked in ((place, pair[1]), (pair[0], place)):
            with pytest.raises(BadInput, match="There is no file"):
                certificates.read(*asked)
