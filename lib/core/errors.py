"""The errors a user may see.

BerthError
 ├─ BadInput       what was typed, sent or chosen cannot be used
 │   └─ BrokenFile     a model file that is not what it should be
 ├─ NotFound       no such model, job, reply or repository
 ├─ Forbidden      not for this visitor
 ├─ Conflict       something else is under way or in the way
 ├─ DoesNotFit     not enough memory
 ├─ NoSpace        not enough disk
 ├─ NetworkError   something outside this machine could not be reached
 └─ EngineError    an inference engine refused, failed or ended
     ├─ EngineDown     nothing answers
     └─ TooLong        a conversation has more tokens than its model can hold

Pages and routes catch BerthError and show its parts; anything else is a bug, left a traceback.
"""

from typing import ClassVar


class BerthError(Exception):
    """What happened and why (`message`), and what to do about it (`fix`)."""

    code: ClassVar[str] = "error"
    status: ClassVar[int] = 500
    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, fix: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.fix = fix

    def __str__(self) -> str:
        return f"{self.message} {self.fix}".strip()

    def as_json(self) -> dict[str, dict[str, str]]:
        """The body of every failed API call."""
        return {"error": {"code": self.code, "message": self.message, "fix": self.fix}}


class BadInput(BerthError):
    """What was typed, sent or chosen cannot be used."""

    code = "bad_input"
    status = 422
    exit_code = 2


class BrokenFile(BadInput):
    """A model file that is empty, cut, corrupt or no model at all."""

    code = "broken_file"


class NotFound(BerthError):
    """No such model, job, reply or repository."""

    code = "not_found"
    status = 404
    exit_code = 4


class Forbidden(BerthError):
    """The visitor's role does not allow this."""

    code = "forbidden"
    status = 403


class Conflict(BerthError):
    """Something else is under way or in the way."""

    code = "conflict"
    status = 409
    exit_code = 7


class DoesNotFit(BerthError):
    """The model needs more memory than is free."""

    code = "does_not_fit"
    status = 409
    exit_code = 3


class NoSpace(BerthError):
    """The disk has no room."""

    code = "no_space"
    status = 507
    exit_code = 5


class NetworkError(BerthError):
    """Something outside this machine could not be reached."""

    code = "network"
    status = 502
    exit_code = 6


class EngineError(BerthError):
    """An inference engine refused, failed or ended."""

    code = "engine_failed"
    status = 502
    exit_code = 7


class EngineDown(EngineError):
    """Nothing answers where the engine should be."""

    code = "engine_down"
    status = 503


class TooLong(EngineError):
    """A conversation has more tokens than its model can hold."""

    code = "too_long"
    status = 422
    exit_code = 7
