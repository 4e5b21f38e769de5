"""Whose a connection on this machine is: Linux tells which user holds its other end.

It is asked for that one socket (socket_diag.py). Where it does not answer, /proc/net/tcp and tcp6
have a line for every socket: its own address, the other one, its state, its user and its inode
(proc(5); Documentation/networking/proc_net_tcp.rst). An end that was closed has inode 0, and a user
that means nothing.
"""

import contextlib
import ipaddress
import os
import platform
import pwd
import sys
from pathlib import Path

from lib.machine import socket_diag
from lib.machine.socket_diag import End, plain

IPV4, IPV6 = Path("/proc/net/tcp"), Path("/proc/net/tcp6")
GONE = -1  # in place of a user: nobody holds that end any more
TRIES = 3  # the kernel hands the table out in pieces, and what changes meanwhile can be missing

_USER, _INODE = 4, 6  # words of a line after the two addresses
_LISTENING = "0A"


def user_of(client: End, server: End) -> int | None:
    """The user who holds the client's end of a connection to this process, or GONE.

    None where the system does not tell: it is not Linux, is Linux inside Windows, or shows not even
    the socket that listens here. A closed end is not that: who sends and closes at once is GONE.
    """
    if is_windows():
        return None
    found = socket_diag.found(client, server)
    if found and (found.own, found.other) == (plain(client), plain(server)):
        return found.user if found.inode else GONE
    return GONE if socket_diag.is_listening(server) else by_tables(client, server)


def by_tables(client: End, server: End) -> int | None:
    """The same, without the kernel's answer for one socket; milliseconds where there are many."""
    user: int | None = None
    for _ in range(TRIES):
        user = user_in(_read(IPV4), _read(IPV6), client, server)
        if user != GONE:
            break
    return user


def user_in(ipv4: str, ipv6: str, client: End, server: End) -> int | None:
    """The same, from these tables; pure."""
    if not is_listed(ipv4, ipv6, server.port):
        return None
    for table, is_ipv6 in ((ipv4, False), (ipv6, True)):
        row = f" {_written(client, is_ipv6)} {_written(server, is_ipv6)} "
        _, found, rest = table.partition(row)
        if found:
            words = rest.partition("\n")[0].split()
            return int(words[_USER]) if words[_INODE] != "0" else GONE
    return GONE


def is_listed(ipv4: str, ipv6: str, port: int) -> bool:
    """Do these tables have a socket that listens on this port?"""
    return any(
        f":{port:04X} {'0' * zeros}:0000 {_LISTENING}" in table
        for table, zeros in ((ipv4, 8), (ipv6, 32))
    )


def is_told(server: End) -> bool:
    """Does this system tell whose connections to this end of ours are?"""
    if is_windows():
        return False
    return socket_diag.is_listening(server) or is_listed(_read(IPV4), _read(IPV6), server.port)


def is_windows() -> bool:
    """Is this Linux inside Windows? A browser's end is outside then, or that of root's relay."""
    return "microsoft" in platform.release().lower()


def name_of(user: int) -> str:
    """The user's name, or the number where it has none."""
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return str(user)


def own() -> int:
    """The user this process works as."""
    return os.geteuid()


def _read(table: Path) -> str:
    with contextlib.suppress(OSError):
        return table.read_text(encoding="ascii")
    return ""


def _written(end: End, is_ipv6: bool) -> str:
    """As the tables write it: each four bytes as one number of this machine, then the port.

    A socket of IPv6 may hold an end of IPv4, which is written as ::ffff:… then.
    """
    given = ipaddress.ip_address(plain(end).address)
    if given.version == 4 and is_ipv6:
        given = ipaddress.IPv6Address(f"::ffff:{given}")
    words = [given.packed[at : at + 4] for at in range(0, len(given.packed), 4)]
    return "".join(f"{int.from_bytes(w, sys.byteorder):08X}" for w in words) + f":{end.port:04X}"
