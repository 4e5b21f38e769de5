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
     ├─ CannotRun      a model of a kind that no engine here runs
     ├─ NoAnswer       a model runs, and does not do what it should
     └─ TooLong        a conversation has more tokens than its model can hold

Pages and routes catch BerthError and show its parts; anything else is a bug, left a traceback.
"""

from typing import Any, ClassVar


class BerthError(Exception):
    """What happened and why (`message`), and what to do about it (`fix`).

    A kind of it names its code for programs, its HTTP status and its exit code in its class line:
    `class NotFound(BerthError, code="not_found", status=404)`. What is left out is its parent's.
    """

    code: ClassVar[str] = "error"
    status: ClassVar[int] = 500
    exit_code: ClassVar[int] = 1

    def __init_subclass__(
        cls, *, code: str = "", status: int = 0, exit_code: int = 0, **more: Any
    ) -> None:
        super().__init_subclass__(**more)
        cls.code = code or cls.code
        cls.status = status or cls.status
        cls.exit_code = exit_code or cls.exit_code

    def __init__(self, message: str, fix: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.fix = fix

    def __str__(self) -> str:
        return f"{self.message} {self.fix}".strip()

    def as_json(self) -> dict[str, dict[str, str]]:
        """The body of every failed API call."""
        return {"error": {"code": self.code, "message": self.message, "fix": self.fix}}


class BadInput(BerthError, code="bad_input", status=422, exit_code=2):
    """What was typed, sent or chosen cannot be used."""


class BrokenFile(BadInput, code="broken_file"):
    """A model file that is empty, cut, corrupt or no model at all."""


class NotFound(BerthError, code="not_found", status=404, exit_code=4):
    """No such model, job, reply or repository."""


class Forbidden(BerthError, code="forbidden", status=403):
    """The visitor's role does not allow this."""


class Conflict(BerthError, code="conflict", status=409, exit_code=7):
    """Something else is under way or in the way."""


class DoesNotFit(BerthError, code="does_not_fit", status=409, exit_code=3):
    """The model needs more memory than is free."""


class NoSpace(BerthError, code="no_space", status=507, exit_code=5):
    """The disk has no room."""


class NetworkError(BerthError, code="network", status=502, exit_code=6):
    """Something outside this machine could not be reached."""


class EngineError(BerthError, code="engine_failed", status=502, exit_code=7):
    """An inference engine refused, failed or ended."""


class EngineDown(EngineError, code="engine_down", status=503):
    """Nothing answers where the engine should be."""


class CannotRun(EngineError, code="cannot_run", status=422):
    """The model is of a kind that no engine here runs."""


class NoAnswer(EngineError, code="test_failed", exit_code=8):
    """The model runs, and does not do what it should."""


class TooLong(EngineError, code="too_long", status=422, exit_code=7):
    """A conversation has more tokens than its model can hold."""
