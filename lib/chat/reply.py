"""One reply as a task of the server: no page, reload or lost connection can end it.

It writes every piece it gets to a spool file, so that a restart of the server keeps what came.
Pages and the stream route only read; anybody may come later and start at any block. Nothing here
knows how it is drawn.
"""

import contextlib
import json
import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from enum import StrEnum
from typing import Any

from pydantic import Field

from lib.chat import loops, spools
from lib.chat.blocks import Splitter, as_json
from lib.chat.fitted import ask, left_out
from lib.chat.growing import Growing
from lib.chat.request import Place as Place  # for whoever asks
from lib.chat.request import ReplyRequest as ReplyRequest
from lib.chat.spools import Header, Spool
from lib.core import activity
from lib.core.errors import BadInput, BerthError
from lib.core.values import Frozen
from lib.engines import engine_of, find_model
from lib.engines.base import (
    ChatOptions,
    Delta,
    DeltaStream,
    Model,
    State,
    Usage,
)
from lib.fleet import actions, served, use
from lib.sharing import limits

FAILED = "Berth failed while it wrote this reply."
LONGEST_REPLY = 2_000_000  # characters; a model that never stops would fill the disk


class ReplyState(StrEnum):
    """Where a reply is; the last four are final."""

    WAITING = "waiting"  # for memory that another model of the comparison has
    LOADING = "loading"  # the model is being started
    THINKING = "thinking"  # the engine has the request, no token yet
    STREAMING = "streaming"
    DONE = "done"
    STOPPED = "stopped"
    FAILED = "failed"
    INTERRUPTED = "interrupted"  # the server ended while it streamed


FINAL = (ReplyState.DONE, ReplyState.STOPPED, ReplyState.FAILED, ReplyState.INTERRUPTED)


class Figures(Frozen):
    """What was measured; None where it was not."""

    first_token_seconds: float | None = None
    reasoning_seconds: float | None = None  # from the first thought to the first word
    tokens_per_second: float | None = None
    completion_tokens: int | None = None
    prompt_tokens: int | None = None
    seconds: float | None = None
    finish_reason: str = ""
    unseen_images: int = Field(default=0, ge=0)  # not sent, because the model cannot see


class Problem(Frozen):
    """Why a reply failed and what to do."""

    message: str
    fix: str = ""
    code: str = ""  # of the error, for a page that offers more than words


class Reply:
    """One reply: written by its own thread, read by anybody.

    Its model is loaded within `turn`, which may make it wait or refuse with a BerthError.
    """

    def __init__(
        self,
        reply_id: str,
        request: ReplyRequest,
        turn: "Turn | None" = None,
        who: str | None = None,
        seen: Model | None = None,
    ) -> None:
        self.id = reply_id
        self.request = self._rest = request
        self.created = time.time()
        self.state = ReplyState.LOADING
        self._text, self._reasoning = Growing(), Growing()
        self.figures = Figures()
        self.problem: Problem | None = None
        self.error: BerthError | None = None  # the same as long as this process remembers it
        self.lines: list[str] = []  # the stream protocol, as the route sends it
        self.block_starts: list[int] = []  # index in `lines` of each block's opening
        self._seen = seen
        self._turn = turn or contextlib.nullcontext
        # Who is said to have asked; somebody else may stop it.
        self.who = activity.who_acts() if who is None else who
        self._asked: Model | None = None  # once it has got the question
        self.pieces = 0  # about as many tokens as came
        self._listeners: set[Callable[[], None]] = set()
        self._splitter = Splitter()
        self._loops = loops.watcher(request.messages, request.options.json_schema)
        self.first_at: float | None = None  # when the first token came, by the monotonic clock
        self._spool: Spool | None = None
        self._stream: DeltaStream | None = None
        self._lock = threading.RLock()

    @property
    def is_over(self) -> bool:
        """Will nothing come any more?"""
        return self.state in FINAL

    @property
    def text(self) -> str:
        """What the model has said so far."""
        return str(self._text)

    @property
    def reasoning(self) -> str:
        """What it has thought so far."""
        return str(self._reasoning)

    @property
    def has_begun(self) -> bool:
        """Is there anything of it?"""
        return bool(self._text.length or self._reasoning.length)

    @property
    def engine(self) -> str:
        """Whose model answers; "" until that is known, where nobody named it."""
        return self._asked.engine if self._asked else self.request.engine

    def from_block(self, block: int) -> int:
        """The index in `lines` where block number `block` opens, or where it will."""
        starts = self.block_starts
        return starts[block] if block < len(starts) else len(self.lines)

    @contextlib.contextmanager
    def listening(self, listener: Callable[[], None]) -> Iterator[None]:
        """`listener` is called, in the reply's thread, whenever there is news."""
        self._listeners.add(listener)
        try:
            yield
        finally:
            self._listeners.discard(listener)

    def stop(self) -> None:
        """End it now, also before its first token; what came is kept."""
        with self._lock:
            self._end(ReplyState.STOPPED)
            stream = self._stream
        if stream:
            stream.close()

    def wait_for(self, model: str) -> None:
        """Say that it waits until this model has answered."""
        with self._lock:
            if not self.is_over:
                self.state = ReplyState.WAITING
                self._emit("s", self.state, model)
        self._notify()

    def _wait_for_limit(self, seconds: float) -> bool:
        """Say when the question goes, by the owner's limits; False once it was stopped."""
        with self._lock:
            if not self.is_over:
                self.state = ReplyState.WAITING
                self._emit("s", "next", math.ceil(seconds))
        self._notify()
        return not self.is_over

    def wait(self, seconds: float) -> bool:
        """Whether it was over within `seconds`."""
        news = threading.Event()
        with self.listening(news.set):
            deadline = time.monotonic() + seconds
            while not self.is_over and time.monotonic() < deadline:
                news.wait(0.05)
                news.clear()
        return self.is_over

    def run(self) -> None:
        """The whole life of the reply, in its own thread."""
        try:
            with contextlib.ExitStack() as under_way:
                with self._turn(self):
                    model = _running(self._seen) or self._found()
                    waits = self._wait_for_limit if self.request.parent else None
                    admitted = limits.admitted(model, self.request.options, waits)
                    options = under_way.enter_context(admitted)
                    under_way.enter_context(use.using(model.name))
                    model = self._loaded(model)
                self._read(model, options)
        except BerthError as error:
            self.error = error
            self._fail(Problem(message=error.message, fix=error.fix, code=error.code))
        except BaseException:
            self._fail(Problem(message=FAILED, fix="Retry, and look at the log."))
            raise

    def _found(self) -> Model:
        return find_model(self.request.model, self.request.engine)

    def _loaded(self, model: Model) -> Model:
        """The model as it runs: how it was loaded decides what it can."""
        if model.state == State.READY or self.is_over:
            return model
        self._tell(ReplyState.LOADING)
        actions.load(model, self.request.load)
        return find_model(model.name, model.engine)

    def _read(self, model: Model, options: ChatOptions) -> None:
        asked = time.monotonic()
        with self._lock:
            if self.is_over:
                return
            sees = model.can_see or not self.request.leaves_out_images
            self._stream = ask(model, self.request.messages, options, sees)
            self._asked = model
            self._measure(unseen_images=left_out(self.request.messages, sees))
            self._tell(ReplyState.THINKING)
        with contextlib.closing(self._stream) as stream:
            for delta in stream:
                self._take(delta, asked)
                if self.is_over:
                    return
        self._end(ReplyState.DONE)

    def _take(self, delta: Delta, asked: float) -> None:
        with self._lock:
            if self.is_over:
                return
            self._time(delta, asked)
            self._add(delta)
            self.pieces += bool(delta.text or delta.reasoning)
            if self._spool and self._spool.problem:
                raise self._spool.problem
            if delta.finish_reason:
                self._measure(finish_reason=delta.finish_reason)
            if delta.usage:
                self._count(delta.usage, time.monotonic() - asked)
            if self._loops and self._loops.hears(delta) and not delta.finish_reason:
                self._measure(finish_reason=loops.REPEATS)
                self._end(ReplyState.STOPPED)
        self._notify()
        if self._text.length + self._reasoning.length > LONGEST_REPLY:
            raise BadInput(
                f"The reply passed {LONGEST_REPLY:,} characters and was ended.",
                "Set a limit for tokens, or try another model.",
            )

    def _time(self, delta: Delta, asked: float) -> None:
        """Note when the first token came, and when the thinking ended."""
        now = time.monotonic()
        if (delta.text or delta.reasoning) and self.first_at is None:
            self.first_at = now
            self._measure(first_token_seconds=now - asked)
            self._tell(ReplyState.STREAMING)
        has_thought = self._reasoning.length and self.figures.reasoning_seconds is None
        if has_thought and self.first_at and (delta.text or delta.finish_reason):
            self._measure(reasoning_seconds=now - self.first_at)

    def _add(self, delta: Delta) -> None:
        """New text into memory, the protocol and the spool, in this order."""
        if delta.reasoning:
            self._reasoning.add(delta.reasoning)
            self._emit("r", delta.reasoning)
            self._keep(["r", delta.reasoning])
        if delta.text:
            self._text.add(delta.text)
            self._show(delta.text)
            self._keep(["t", delta.text])

    def _show(self, text: str) -> None:
        """What follows a schema is shown as code: in Markdown its lines would run together."""
        if not self.block_starts and self.request.options.json_schema is not None:
            text = as_json(text)
        self._draw(self._splitter.feed(text))

    def _draw(self, pieces: Sequence[tuple[int, str]]) -> None:
        for number, text in pieces:
            if number == len(self.block_starts):
                self.block_starts.append(len(self.lines))
                self._emit("b", number)
            self._emit("t", text)

    def _count(self, usage: Usage, seconds: float) -> None:
        first = self.figures.first_token_seconds or 0.0
        said_enough = usage.completion_tokens > 1  # or the time means nothing
        spoken = usage.completion_tokens / max(seconds - first, 1e-3) if said_enough else None
        self._measure(
            completion_tokens=usage.completion_tokens,
            prompt_tokens=usage.prompt_tokens,
            tokens_per_second=usage.tokens_per_second or spoken,
        )

    def _measure(self, **figures: Any) -> None:
        self.figures = self.figures.model_copy(update=figures)

    def _fail(self, problem: Problem) -> None:
        with self._lock:
            if not self.is_over:
                self.problem = problem
                self._end(ReplyState.FAILED)

    def _end(self, state: ReplyState) -> None:
        """The final state, once: drawn to the end, spooled, told."""
        with self._lock:
            if self.is_over:
                return
            self._draw(self._splitter.finish())
            self._measure(seconds=time.time() - self.created)
            self._keep(["e", state, self.figures.model_dump(), _plain(self.problem)])
            self._note_served(state)
            self._tell(state)
            if self._spool:
                self._spool.close()
            self.request = self._rest  # a server that runs for weeks need not have all of them
        self._notify()

    def _note_served(self, state: ReplyState) -> None:
        """Of what was broken off, that counts which came; nothing where nothing did."""
        told = self.figures
        written = self.pieces if told.completion_tokens is None else told.completion_tokens
        if self._asked and (state == ReplyState.DONE or written):
            usage = Usage(
                prompt_tokens=told.prompt_tokens or 0,
                completion_tokens=written,
                tokens_per_second=told.tokens_per_second,
            )
            served.note(self._asked.engine, self._asked.name, usage, self.who)

    def _tell(self, state: ReplyState) -> None:
        self._emit("e" if state in FINAL else "s", state)
        self.state = state  # last: whoever sees that it is over finds its last line
        self._notify()

    def _emit(self, kind: str, *values: str | int) -> None:
        self.lines.append(json.dumps([kind, *values], ensure_ascii=False) + "\n")

    def _notify(self) -> None:
        for listener in tuple(self._listeners):
            listener()

    def _keep(self, entry: list[Any]) -> None:
        if self._spool:
            self._spool.keep(entry)

    def open(self) -> None:
        """Begin the spool, and the text with what is gone on from."""
        header = Header(self.created, self.request.conversation, self.request.owner)
        self._rest = self.request.rest(spools.is_kept)
        self._spool = Spool(self.id, header, self._rest.model_dump(mode="json"))
        if beginning := self.request.beginning:
            self._add(Delta(text=beginning))

    def replay(self, entries: Iterator[Any]) -> None:
        """Fill a reply from its spool; one without an end was interrupted."""
        for entry in entries:
            match entry:
                case ["t", str(text)]:
                    self._text.add(text)
                    self._show(text)
                case ["r", str(text)]:
                    self._reasoning.add(text)
                    self._emit("r", text)
                case ["e", str(state), dict(figures), problem] if state in FINAL:
                    self.figures = Figures.model_validate(figures)
                    self.problem = Problem.model_validate(problem) if problem else None
                    self.state = ReplyState(state)
        if not self.is_over:
            self.state = ReplyState.INTERRUPTED
        self._draw(self._splitter.finish())
        self._emit("e", self.state)


Turn = Callable[[Reply], AbstractContextManager[None]]


def _running(seen: Model | None) -> Model | None:
    """What was seen lately, if it runs: to ask for one costs less than to look at all there are."""
    runs = seen and seen.state == State.READY and engine_of(seen).upstream(seen.name)
    return seen if runs else None


def _plain(problem: Problem | None) -> dict[str, Any] | None:
    return problem.model_dump() if problem else None
