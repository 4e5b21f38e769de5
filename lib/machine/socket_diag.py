"""One socket of this machine, asked of Linux directly: microseconds, however many there are.

sock_diag(7): a netlink message with both ends of a connection, and an answer with the socket's
state, user and inode. Any user may ask. Some systems do not have it.
"""

import contextlib
import ipaddress
import socket
import struct
from typing import NamedTuple


class End(NamedTuple):
    """One end of a connection."""

    address: str
    port: int


class Socket(NamedTuple):
    """What the kernel says of one; what was closed has inode 0, and a user that means nothing."""

    own: End
    other: End
    state: int
    user: int
    inode: int


_LISTENING = 10  # TCP_LISTEN
_IPV4, _IPV6 = 2, 10  # Linux's AF_INET, AF_INET6
_NETLINK_SOCK_DIAG, _BY_FAMILY, _REQUEST, _ANY = 4, 20, 1, 0xFFFFFFFF
_HEAD = struct.Struct("=IHHII")  # length, type, flags, number, port of netlink
_WHAT = struct.Struct("=BBBBI")  # family, protocol, two of no use, states
_PORTS = struct.Struct("!HH")
_REST = struct.Struct("=III")  # interface and cookie
_ANSWER = struct.Struct("=BBBB4s16s16s12sIIIII")  # family, state, …, both ends, …, user, inode
_LARGEST = 4_096


def found(own: End, other: End) -> Socket | None:
    """The socket with these ends, or one that listens at its own end; None where there is none.

    None as well where the system does not answer such questions.
    """
    question = asking(own, other)
    with contextlib.suppress(OSError, AttributeError):  # no netlink here
        kind = socket.SOCK_RAW | socket.SOCK_CLOEXEC
        with socket.socket(socket.AF_NETLINK, kind, _NETLINK_SOCK_DIAG) as kernel:
            kernel.setblocking(False)  # the kernel has answered when it has the question
            kernel.send(question)
            return answered(kernel.recv(_LARGEST))
    return None


def is_listening(own: End) -> bool:
    """Does a socket listen there? Where one of ours does, the system answers questions."""
    nobody = End("::" if ":" in plain(own).address else "0.0.0.0", 0)  # noqa: S104 - a question
    listening = found(own, nobody)
    return listening is not None and listening.state == _LISTENING


def asking(own: End, other: End) -> bytes:
    """The question for the socket with these ends; pure."""
    own, other = plain(own), plain(other)
    packed = [ipaddress.ip_address(end.address).packed for end in (own, other)]
    body = _WHAT.pack(
        _IPV4 if len(packed[0]) == 4 else _IPV6, socket.IPPROTO_TCP, 0, 0, _ANY
    ) + _PORTS.pack(own.port, other.port)
    body += b"".join(address.ljust(16, b"\0") for address in packed) + _REST.pack(0, _ANY, _ANY)
    return _HEAD.pack(_HEAD.size + len(body), _BY_FAMILY, _REQUEST, 1, 0) + body


def answered(message: bytes) -> Socket | None:
    """What the answer says; None where it is an error. Pure."""
    if len(message) < _HEAD.size + _ANSWER.size or _HEAD.unpack_from(message)[1] != _BY_FAMILY:
        return None
    told = _ANSWER.unpack_from(message, _HEAD.size)
    family, state, ports, addresses, user, inode = told[0], told[1], told[4], told[5:7], *told[-2:]
    own, other = (
        plain(End(str(ipaddress.ip_address(address[: 4 if family == _IPV4 else 16])), port))
        for address, port in zip(addresses, _PORTS.unpack(ports), strict=True)
    )
    return Socket(own, other, state, user, inode)


def plain(end: End) -> End:
    """The end with an address of IPv4 where that is written as one of IPv6."""
    given = ipaddress.ip_address(end.address)
    mapped = given.ipv4_mapped if isinstance(given, ipaddress.IPv6Address) else None
    return End(str(mapped), end.port) if mapped else end
