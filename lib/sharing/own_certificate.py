"""The certificate that Berth makes for itself: no authority vouches for it, its fingerprint does.

`openssl` makes it, as every macOS and nearly every Linux has one: the usual Python library for it
has no wheels for Macs with Intel processors any more.
"""

import re
import socket
import time
from pathlib import Path

from lib.core.errors import BadInput, BerthError, Conflict
from lib.core.files import write_text
from lib.core.settings import settings
from lib.processes.command import NOT_FOUND, Done, run
from lib.sharing import addresses, certificates
from lib.sharing.certificates import Certificate

DAYS = 397  # browsers refuse what holds for much longer
RENEWED_SECONDS = 30 * 86_400.0  # before it ends
SECONDS = 20.0  # a slow machine with little entropy
_HOST = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")
_CONFIG = """[req]
distinguished_name = name
x509_extensions = more
prompt = no
[name]
CN = Berth
[more]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = {names}
"""


class NoOpenSSL(Conflict, code="no_openssl"):
    """This machine has no program that could make one."""


def current(address: str) -> Certificate:
    """The one for this address, made or renewed where need be; BerthError where that fails."""
    found = _kept()
    if found is None or not found.holds_for(address) or is_late(found):
        return _made(address)
    return found


def is_late(known: Certificate) -> bool:
    """Does it end soon?"""
    return known.ends_at < time.time() + RENEWED_SECONDS


def host_names() -> list[str]:
    """What this machine is called, also as its neighbours find it; none where that is unusable."""
    name = socket.gethostname().lower().removesuffix(".local")
    is_usable = len(name) <= 63 and _HOST.fullmatch(name) and name != "localhost"
    return [name, f"{name.partition('.')[0]}.local"] if is_usable else []


def _kept() -> Certificate | None:
    try:
        return certificates.read(_folder() / "certificate.pem", _folder() / "key.pem")
    except BadInput:
        return None


def _made(address: str) -> Certificate:
    """A new key with a new certificate; the old ones stay until both are there."""
    folder, where = _folder(), dict.fromkeys([address, *addresses.certified()])
    names = [f"DNS:{name}" for name in host_names()] + [f"IP:{one}" for one in where]
    try:
        write_text(folder / "openssl.cnf", _CONFIG.format(names=", ".join(names)))
        key = _said("ecparam", "-genkey", "-noout", "-name", "prime256v1")
        write_text(folder / "new.pem", key)
        text = _said(
            *("req", "-new", "-x509", "-sha256", "-days", str(DAYS)),
            *("-key", str(folder / "new.pem"), "-config", str(folder / "openssl.cnf")),
        )
        write_text(folder / "certificate.pem", text)
        (folder / "new.pem").replace(folder / "key.pem")
    except OSError as error:
        raise Conflict(
            f"{folder} cannot be written: {error.strerror}.", "Free some space."
        ) from error
    return certificates.read(folder / "certificate.pem", folder / "key.pem")


def _said(*arguments: str) -> str:
    done = run(["openssl", *arguments], seconds=SECONDS)
    if not done.is_good:
        raise _failed(done)
    return done.stdout


def _failed(done: Done) -> BerthError:
    if done.code == NOT_FOUND:
        return NoOpenSSL(
            "The program openssl, which makes the certificate, is not on this machine.",
            "Install it with the system's packages, or name a certificate of your own.",
        )
    last = done.stderr.strip().splitlines()[-1:] or ["it said nothing"]
    return Conflict(f"openssl made no certificate: {last[0][:200]}.", "Try again.")


def _folder() -> Path:
    return settings().home / "tls"
