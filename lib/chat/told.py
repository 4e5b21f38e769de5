"""What a reply tells of itself where the owner looks at what runs, and in the log of requests.

Never what it says.
"""

import contextlib
from collections.abc import Iterator

from lib.chat.reply import Reply, ReplyState
from lib.fleet import served
from lib.requests import running
from lib.requests.running import State

PAGE, API = "chat", "/api/chat"
STATES = {
    ReplyState.WAITING: State.WAITING,
    ReplyState.LOADING: State.LOADING,
    ReplyState.THINKING: State.READING,
}
NO_STATUS = 0


class _Progress:
    """Of a reply."""

    def __init__(self, reply: Reply) -> None:
        self._reply = reply

    @property
    def events(self) -> int:
        """About as many tokens as have come."""
        return self._reply.pieces

    @property
    def first_at(self) -> float:
        """When the first one came; 0 before."""
        return self._reply.first_at or 0.0

    def counted(self) -> tuple[int, int]:
        """Tokens of the prompt, and of the reply."""
        told = self._reply.figures
        written = self._reply.pieces if told.completion_tokens is None else told.completion_tokens
        return told.prompt_tokens or 0, written


@contextlib.contextmanager
def shown(reply: Reply) -> Iterator[None]:
    """Within it the reply lives."""
    with running.doing(API if reply.who == served.PROGRAM else PAGE) as doing:
        doing.asks(reply.request.model, reply.who)
        doing.looks(lambda: STATES.get(reply.state, State.READING))
        doing.hears(_Progress(reply))
        doing.ends_by(reply.stop)
        try:
            yield
        finally:
            code = (reply.problem.code or running.BUG) if reply.problem else ""
            doing.answered(NO_STATUS, code, reply.state == ReplyState.DONE)
