"""Whose replies somebody may read over HTTP."""

from starlette.requests import Request

from lib.core.access import Role, role
from lib.sharing.gate import COOKIE, browser_of

PROGRAMS = "programs"  # no id of a browser or login looks like this


def reader_of(request: Request) -> str:
    """A browser's own, a guest's own; the owner's programs, which have no cookie, share theirs."""
    who = browser_of(request.scope)
    is_program = role() == Role.OWNER and request.cookies.get(COOKIE) != who
    return PROGRAMS if is_program else who


def is_program(request: Request) -> bool:
    """Does one of the owner's programs ask?"""
    return reader_of(request) == PROGRAMS
