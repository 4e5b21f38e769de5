"""A certificate for the listener in the network: read, checked, and what a browser will see of it.

It is looked at as a browser does, by a handshake in memory: OpenSSL itself says whether the key
belongs to it and whether it holds now.
"""

import hashlib
import ipaddress
import ssl
from pathlib import Path
from typing import Any, NoReturn

from lib.core.errors import BadInput
from lib.core.values import Frozen

STEPS = 10  # of a handshake; three each are usual
TOO_EARLY, EXPIRED = 9, 10  # X509_V_ERR_CERT_NOT_YET_VALID, X509_V_ERR_CERT_HAS_EXPIRED
LARGEST = 1_000_000  # bytes
BEGIN, END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
IS_PEM = "It has to be a PEM file."


class Certificate(Frozen):
    """One that can be used, with its key; the moment is in epoch seconds."""

    file: Path
    key: Path
    fingerprint: str  # SHA-256, like `AB:CD:…`, as browsers show it
    hosts: tuple[str, ...]  # the names in it; one of many, `*.…`, is left out
    addresses: tuple[str, ...]
    ends_at: float

    def holds_for(self, host: str) -> bool:
        """Is this one of the names or addresses in it?"""
        return host.lower() in (*self.hosts, *self.addresses)


def read(file: Path, key: Path) -> Certificate:
    """The certificate with its key; BadInput in words where a browser or OpenSSL would refuse."""
    text = _text(file)
    _text(key)
    der = _first(file, text)
    told = _told(context(file, key), der, file)
    names = [(str(kind), str(name)) for kind, name in told.get("subjectAltName", ())]
    return Certificate(
        file=file,
        key=key,
        fingerprint=hashlib.sha256(der).digest().hex(":").upper(),
        hosts=tuple(name.lower() for kind, name in names if kind == "DNS" and "*" not in name),
        addresses=tuple(_plain(name) for kind, name in names if kind == "IP Address"),
        ends_at=float(ssl.cert_time_to_seconds(str(told["notAfter"]))),
    )


def context(file: Path, key: Path) -> ssl.SSLContext:
    """What a listener encrypts with; BadInput where the two files do not make one."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.options |= ssl.OP_NO_RENEGOTIATION
    made.set_alpn_protocols(["http/1.1"])
    load(made, file, key)
    return made


def load(made: ssl.SSLContext, file: Path, key: Path) -> None:
    """Have it use these from the next connection on; BadInput where they cannot be used."""

    def asked() -> NoReturn:
        raise BadInput(f"The key {key} is locked with a passphrase.", "Name one that is not.")

    try:
        made.load_cert_chain(file, key, asked)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise BadInput(
                f"The key {key} does not belong to the certificate {file}.",
                "Name the two that were made together.",
            ) from error
        raise BadInput(f"{file} and {key} cannot be used together.", _why(error)) from error
    except OSError as error:
        raise BadInput(f"{file} or {key} cannot be read: {error.strerror}.", IS_PEM) from error


def _text(file: Path) -> str:
    """A file of the owner's choosing: it may be absent, a folder, a device or endless."""
    try:
        if not file.is_file():
            raise BadInput(f"There is no file {file}.", "Write its whole path.")
        with file.open("rb") as opened:
            return opened.read(LARGEST).decode("ascii", "replace")
    except OSError as error:
        raise BadInput(
            f"{file} cannot be read: {error.strerror}.", "Let Berth's user read it."
        ) from error


def _first(file: Path, text: str) -> bytes:
    """The certificate itself; those after it are its issuers'."""
    _, begin, rest = text.partition(BEGIN)
    body, end, _ = rest.partition(END)
    try:
        if begin and end:
            return ssl.PEM_cert_to_DER_cert(f"{begin}{body}{end}")
    except ValueError:
        pass
    raise BadInput(f"There is no certificate in {file}.", IS_PEM)


def _told(serving: ssl.SSLContext, der: bytes, file: Path) -> dict[str, Any]:
    """What Python tells of a certificate, once a client that trusts it has seen it."""
    asking = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    asking.check_hostname = False
    asking.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    try:
        asking.load_verify_locations(cadata=der)
        return _shaken(serving, asking)
    except ssl.SSLCertVerificationError as error:
        raise _unfit(file, error) from error
    except ssl.SSLError as error:
        raise BadInput(f"The certificate {file} cannot be used.", _why(error)) from error


def _shaken(serving: ssl.SSLContext, asking: ssl.SSLContext) -> dict[str, Any]:
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = asking.wrap_bio(back, there)
    server = serving.wrap_bio(there, back, server_side=True)
    for _ in range(STEPS):
        for side in (client, server):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return dict(client.getpeercert() or {})


def _unfit(file: Path, error: ssl.SSLCertVerificationError) -> BadInput:
    if error.verify_code == EXPIRED:
        return BadInput(f"The certificate {file} has expired.", "Renew it.")
    if error.verify_code == TOO_EARLY:
        return BadInput(f"The certificate {file} does not hold yet.", "Look at the clock.")
    return BadInput(f"Browsers refuse the certificate {file}: {error.verify_message}.", "Renew it.")


def _why(error: ssl.SSLError) -> str:
    said = (error.reason or "").replace("_", " ").lower()
    return f"OpenSSL says: {said}." if said else IS_PEM


def _plain(address: str) -> str:
    """Python writes `FD00:0:0:0:0:0:0:2`."""
    try:
        return ipaddress.ip_address(address.strip()).compressed
    except ValueError:
        return address
