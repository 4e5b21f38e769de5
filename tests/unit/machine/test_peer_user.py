"""Whose the other end of a connection is, by the kernel's tables, and by this very kernel."""

import os
import platform
import socket
import sys
from collections.abc import Callable

import pytest

from lib.machine import peer_user, socket_diag
from lib.machine.peer_user import GONE, by_tables, user_in, user_of
from lib.machine.socket_diag import End, answered, asking

IS_LINUX = sys.platform == "linux"
HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  inode"
REST = "1 0000000000000000 20 4 30 10 -1"
NO_TIME = "00000000:00000000 00:00000000 00000000"


def table(*lines: str) -> str:
    rows = [f"{number:4}: {line} {REST}          " for number, line in enumerate(lines)]
    return "\n".join([HEAD, *rows, ""])


LISTENER = f"0100007F:2135 00000000:0000 0A {NO_TIME}     0        0 41711"
OURS = f"0100007F:2135 0100007F:A1B2 01 {NO_TIME}     0        0 41712"
ALICES = f"0100007F:A1B2 0100007F:2135 01 {NO_TIME}  1000        0 41713"
MAPPED = "0000000000000000FFFF00000100007F"
NOBODYS_IPV6 = f"{MAPPED}:A1B2 {MAPPED}:2135 01 {NO_TIME} 65534        0 41714"
LEFT = f"0100007F:A1B2 0100007F:2135 05 {NO_TIME}     0        0 0"
CLIENT, SERVER = End("127.0.0.1", 0xA1B2), End("127.0.0.1", 0x2135)


def test_the_user_of_the_other_end_is_found() -> None:
    assert user_in(table(LISTENER, OURS, ALICES), HEAD, CLIENT, SERVER) == 1000


def test_a_client_of_ipv6_is_found_at_its_mapped_address() -> None:
    assert user_in(table(LISTENER, OURS), table(NOBODYS_IPV6), CLIENT, SERVER) == 65534


def test_ends_that_are_written_as_ipv6_are_found_among_those_of_ipv4() -> None:
    ends = End("::ffff:127.0.0.1", 0xA1B2), End("::ffff:127.0.0.1", 0x2135)
    assert user_in(table(LISTENER, ALICES), HEAD, *ends) == 1000


def test_a_connection_of_ipv6_is_found() -> None:
    one = "00000000000000000000000001000000"
    listener = f"{'0' * 32}:2135 {'0' * 32}:0000 0A {NO_TIME}     0        0 41715"
    row = f"{one}:A1B2 {one}:2135 01 {NO_TIME}   107        0 41716"
    ends = End("::1", 0xA1B2), End("::1", 0x2135)
    assert user_in(HEAD, table(listener, row), *ends) == 107


def test_an_end_that_was_closed_is_nobodys_though_its_line_says_root() -> None:
    assert user_in(table(LISTENER, OURS, LEFT), HEAD, CLIENT, SERVER) == GONE


def test_a_connection_that_has_no_line_any_more_is_nobodys() -> None:
    assert user_in(table(LISTENER), HEAD, CLIENT, SERVER) == GONE


def test_neither_our_own_end_nor_another_connection_is_taken_for_it() -> None:
    other = f"0100007F:A1B2 0100007F:1F90 01 {NO_TIME}  1000        0 41717"
    assert user_in(table(LISTENER, OURS, other), HEAD, CLIENT, SERVER) == GONE


@pytest.mark.parametrize("ipv4", ["", HEAD, table(ALICES)], ids=["no file", "empty", "partial"])
def test_a_system_that_hides_what_listens_here_tells_nothing(ipv4: str) -> None:
    assert user_in(ipv4, "", CLIENT, SERVER) is None


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6], ids=["IPv4", "IPv6"])
@pytest.mark.parametrize("ask", [user_of, by_tables], ids=["one socket", "tables"])
def test_this_very_kernel_tells_of_a_connection_until_it_is_closed(
    family: socket.AddressFamily, ask: Callable[[End, End], int | None]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = End(*listening.getsockname())
        with socket.socket(family) as client:
            client.connect(
                ("::ffff:127.0.0.1" if family == socket.AF_INET6 else "127.0.0.1", server.port)
            )
            ours, _ = listening.accept()
            with ours:
                ends = End(*ours.getpeername()), server
                assert peer_user.is_told(server) == IS_LINUX
                assert ask(*ends) == (os.geteuid() if IS_LINUX else None)
                client.close()
                assert ask(*ends) == (GONE if IS_LINUX else None)
            assert ask(*ends) == (GONE if IS_LINUX else None)
        assert ask(*ends) == (GONE if IS_LINUX else None)
    assert not peer_user.is_told(server)


def test_a_socket_that_listens_where_the_client_was_is_not_taken_for_it() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as one,
        socket.create_server(("127.0.0.1", 0)) as two,
    ):
        ends = End(*one.getsockname()), End(*two.getsockname())
        assert user_of(*ends) == (GONE if IS_LINUX else None)


QUESTION = (
    "4800000014000100010000000000000002060000ffffffffa1b221357f00000100000000000000000000"
    "00007f00000100000000000000000000000000000000ffffffffffffffff"
)


@pytest.mark.parametrize("client", ["127.0.0.1", "::ffff:127.0.0.1"])
def test_the_kernel_is_asked_for_that_one_socket(client: str) -> None:
    assert asking(End(client, 0xA1B2), SERVER).hex() == QUESTION


@pytest.mark.parametrize("address", ["7f000001".ljust(32, "0"), "00000000000000000000ffff7f000001"])
def test_its_answer_is_understood_in_both_families(address: str) -> None:
    family = "02" if address.startswith("7f") else "0a"
    ends = f"a1b22135{address}{address}{'0' * 8}{'1' * 16}"
    told = f"{family}010000{ends}{'00000000' * 3}e8030000{'01000000'}"
    message = bytes.fromhex(f"7c000000{'14000000'}{'01000000'}{'00000000'}{told}")
    found = answered(message)
    assert found == socket_diag.Socket(CLIENT, SERVER, state=1, user=1000, inode=1)


@pytest.mark.parametrize("length", [0, 15, 16, 60, 87])
def test_an_error_and_a_part_of_an_answer_say_nothing(length: int) -> None:
    assert answered(bytes.fromhex("2400000002000000" + "00" * 100)) is None
    assert answered(bytes.fromhex("7c00000014000000" + "00" * 100)[:length]) is None


@pytest.mark.parametrize(
    ("release", "tells"),
    [
        ("6.6.87.2-microsoft-standard-WSL2", False),
        ("4.4.0-19041-Microsoft", False),
        ("6.1.0-18-amd64", IS_LINUX),
    ],
)
def test_inside_windows_users_are_not_told_apart(
    monkeypatch: pytest.MonkeyPatch, release: str, tells: bool
) -> None:
    """There a browser's connections end at a relay of root's, or have no end that is seen."""
    monkeypatch.setattr(platform, "release", lambda: release)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = End(*listening.getsockname())
        with socket.create_connection(server) as client:
            ours, _ = listening.accept()
            ours.close()
            assert peer_user.is_told(server) == tells
            assert (user_of(End(*client.getsockname()), server) is not None) == tells
