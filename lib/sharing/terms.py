"""What the owner has chosen of how Berth is shared: encryption, proxy, end."""

import ssl
from dataclasses import dataclass, field
from pathlib import Path

from lib.core.preferences import preferences
from lib.sharing import certificates, forwarded, own_certificate
from lib.sharing.certificates import Certificate
from lib.sharing.duration import Open
from lib.sharing.forwarded import Proxy


@dataclass
class Terms:
    """How it is shared: encrypted with what, behind what, and until when (epoch seconds; 0: on)."""

    certificate: Certificate | None = None
    context: ssl.SSLContext | None = None
    proxy: Proxy = field(default_factory=Proxy)
    until: float = 0.0


def chosen(now: Open) -> Terms:
    """What holds for this; BerthError where something of it cannot be used."""
    proxy, found = forwarded.proxy(), certificate(now.address)
    context = certificates.context(found.file, found.key) if found else None
    return Terms(found, context, proxy, now.until)


def certificate(address: str) -> Certificate | None:
    """The one to encrypt with, made or renewed where need be; None without encryption."""
    now = preferences()
    if now.share_encryption == "berth":
        return own_certificate.current(address)
    if now.share_encryption == "own":
        return certificates.read(_path(now.share_certificate), _path(now.share_key))
    return None


def _path(text: str) -> Path:
    return Path(text).expanduser()
