"""Sharing with the network: a second listener of the same server, switched on and off at run time.

What is shared is kept with the moment of its end, so that a restart goes on with it until then.
"""

import asyncio
import errno
import logging
import socket
import time
from collections.abc import Callable, Coroutine
from typing import Any

from lib.core import lifecycle
from lib.core.access import BERTH, Action, Role, acting, require
from lib.core.errors import BadInput, BerthError, Conflict
from lib.core.preferences import change, preferences
from lib.sharing import addresses, duration, guests, terms
from lib.sharing.duration import Lasting, Open
from lib.sharing.share import Share

PORTS_TRIED = 100
BACKLOG = 128
PATIENCE_SECONDS = 10.0
LOOK_SECONDS = 20.0  # a machine that slept has another clock than the loop
RENEWAL_SECONDS = 3_600.0  # between two looks at the certificate

_log = logging.getLogger(__name__)
_share: Share | None = None
_own_port = 0
_problem = ""
_expect_host: Callable[[str], None] | None = None
_when_over: Callable[[], None] | None = None
_begun: set[asyncio.Task[None]] = set()  # the loop itself holds tasks only weakly


def current() -> Share | None:
    """The listener that guests can use now."""
    return _share if _share and not _share.is_ending else None


def problem() -> str:
    """What the owner should know: why it has not begun, or has ended; "" where all is well."""
    return _problem


def start(address: str, lasting: Lasting = Lasting.ALWAYS) -> None:
    """Open the listener; BadInput where the address cannot be used, Conflict where it is open."""
    require(Action.CONFIGURE)
    if share := current():
        raise Conflict(f"Berth is shared already, at {share.url}.", "Stop that first.")
    now = Open(address=addresses.checked(address), until=duration.until(lasting, time.time()))
    duration.keep(now)
    try:
        _in_server(_open(now, terms.chosen(now)))
    except BaseException:
        duration.forget()
        raise
    change(share_address=now.address)


def stop() -> None:
    """End every guest's login, and close the listener."""
    require(Action.CONFIGURE)
    duration.forget()
    if share := current():
        guests.end_logins()
        _in_server(share.end_soon())
        _tidy_up()


def prolong(lasting: Lasting) -> None:
    """Let it end then instead; Conflict where nothing is shared."""
    require(Action.CONFIGURE)
    share = current()
    if share is None:
        raise Conflict("Berth is not shared now.", "Share it first.")
    until = duration.until(lasting, time.time())
    duration.keep(Open(address=share.address, until=until))
    share.terms.until = until


def change_code() -> None:
    """Another access code; guests have to sign in again with it."""
    guests.change_code()
    if share := current():
        _in_server(share.send_off())


def put_out(login: str) -> None:
    """End one guest's login, and what that guest has open; nobody signs in from there for long."""
    guests.put_out(login)
    if share := current():
        _in_server(share.send_off(login))


def sign_out(login: str) -> None:
    """End one login; the owner's to do, and the guest's own."""
    guests.sign_out(login)
    if share := current():
        _in_server(share.send_off(login))


def begin(
    own_port: int,
    expect_host: Callable[[str], None],
    when_over: Callable[[], None] | None = None,
) -> None:
    """Called as the server begins, on its own port; what was shared before is shared again.

    `expect_host` is told each address that guests will name as Host; `when_over` is called when no
    guest is left.
    """
    global _own_port, _expect_host, _when_over
    _own_port, _expect_host, _when_over = own_port, expect_host, when_over
    before = duration.kept()
    if before is None and preferences().share_at_start:
        before = Open(address=next(iter(addresses.addresses()), ""))
    if before is not None:
        _keep(_begin_by_itself(before))


async def end() -> None:
    """Called as the server ends."""
    for task in _begun:
        task.cancel()
    if _share:
        await _share.end()


async def _begin_by_itself(wanted: Open) -> None:
    global _problem
    try:
        checked = wanted.model_copy(update={"address": addresses.checked(wanted.address)})
        await _open(checked, await asyncio.to_thread(terms.chosen, checked))
    except BerthError as error:
        _problem = f"Sharing did not begin with Berth. {error}"
        _log.warning("Sharing did not begin: %s", error)


async def _open(wanted: Open, chosen: terms.Terms) -> None:
    global _share, _problem
    if share := current():
        raise Conflict(f"Berth is shared already, at {share.url}.", "Stop that first.")
    if _share:
        await _share.end()
    _share, _problem = Share(_listening(wanted.address), chosen), ""
    for name in (*_share.hosts, chosen.proxy.host):
        if _expect_host and name:
            _expect_host(socket_host(name))
    _keep(_watch(_share))


def socket_host(name: str) -> str:
    """A Host without its port and brackets."""
    inner = name.partition("]")[0].removeprefix("[")
    return inner if name.startswith("[") else name.partition(":")[0]


def _keep(work: Coroutine[Any, Any, None]) -> None:
    task = asyncio.ensure_future(work)
    _begun.add(task)
    task.add_done_callback(_begun.discard)


async def _watch(share: Share) -> None:
    """End it when its time is over, and let nobody see a certificate that is."""
    renewed_at = time.monotonic()
    while share is current():
        left = share.terms.until - time.time() if share.terms.until else LOOK_SECONDS
        await asyncio.sleep(min(max(left, 0), LOOK_SECONDS))
        if Open(address=share.address, until=share.terms.until).is_over(time.time()):
            await _end_by_itself(share)
        elif time.monotonic() > renewed_at + RENEWAL_SECONDS:
            renewed_at = time.monotonic()
            await _renew(share)


async def _end_by_itself(share: Share) -> None:
    global _problem
    _problem = "Sharing has ended, as its time was over."
    with acting(Role.OWNER, BERTH):
        try:
            await asyncio.to_thread(_forget_guests)
        except BerthError as error:
            _log.warning("Guests' logins were not ended: %s", error)
    await share.end_soon()
    await asyncio.to_thread(_tidy_up)


def _forget_guests() -> None:
    duration.forget()
    guests.end_logins()


def _tidy_up() -> None:
    if _when_over:
        _when_over()


async def _renew(share: Share) -> None:
    global _problem
    known = share.terms.certificate
    try:
        found = await asyncio.to_thread(terms.certificate, share.address)
        if found and known and found.fingerprint != known.fingerprint:
            share.renew(found)
        _problem = ""
    except BerthError as error:
        _problem = str(error)
        _log.warning("The certificate was not renewed: %s", error)


def _in_server(work: Coroutine[Any, Any, None]) -> None:
    """Have the server's own loop do it, and wait until it is done."""
    asyncio.run_coroutine_threadsafe(work, lifecycle.loop()).result(PATIENCE_SECONDS)


def _listening(address: str) -> socket.socket:
    """A socket that listens there on the chosen port, else on ours or the next free one."""
    fixed = preferences().share_port
    wanted, tried = (fixed, 1) if fixed else (_own_port, PORTS_TRIED)
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    for port in range(wanted, min(wanted + tried, 65_536)):
        try:
            return socket.create_server((address, port), family=family, backlog=BACKLOG)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise BadInput(
                    f"Berth cannot listen on {address}, port {port}: {error.strerror}.",
                    "Choose another address of this machine, or another port.",
                ) from error
    raise Conflict(
        f"All ports from {wanted} to {wanted + tried - 1} are used on {address}.",
        "End a program that uses one, or choose another port.",
    )
