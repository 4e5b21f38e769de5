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
from typing import Any, NamedTuple

from lib.chat.blocks import Splitter, as_json
from lib.chat.schemas import rewritten
from lib.chat.spools import Header, Spool
from lib.core import activity
from lib.core.errors import BadInput, BerthError
from lib.core.values import Frozen
from lib.engines import engine_of, find_model, llamacpp
from lib.engines.base import (
    ChatOptions,
    Delta,
    DeltaStream,
    Message,
    Model,
    StartOptions,
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


class ReplyRequest(Frozen):
    """What to answer, for whom. A last message that is an assistant's is gone on from."""

    conversation: str
    owner: str
    model: str
    engine: str = ""
    messages: tuple[Message, ...]
    options: ChatOptions = ChatOptions()
    load: StartOptions = StartOptions()  # for a model that does not run yet
    turns: tuple[str, ...] = ()  # the ids of the messages in the conversation, without the system's
    parent: str = ""  # the id of the question
    round: str = ""  # replies that are compared share one
    lane: int = 0  # its place among those that are written side by side

    @property
    def place(self) -> "Place":
        """Where on whose page it is drawn."""
        return Place(self.conversation, self.owner, self.lane)

    @property
    def beginning(self) -> str:
        """The text that is gone on from; empty for a new answer."""
        last = self.messages[-1]
        return last.content if last.role == "assistant" else ""


class Place(NamedTuple):
    """Where replies appear: a lane of a conversation of one owner."""

    conversation: str
    owner: str
    lane: int = 0


class Figures(Frozen):
    """What was measured; None where it was not."""

    first_token_seconds: float | None = None
    reasoning_seconds: float | None = None  # from the first thought to the first word
    tokens_per_second: float | None = None
    completion_tokens: int | None = None
    prompt_tokens: int | None = None
    seconds: float | None = None
    finish_reason: str = ""


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
    ) -> None:
        self.id = reply_id
        self.request = request
        self.created = time.time()
        self.state = ReplyState.LOADING
        self.text = ""
        self.reasoning = ""
        self.figures = Figures()
        self.problem: Problem | None = None
        self.error: BerthError | None = None  # the same as long as this process remembers it
        self.lines: list[str] = []  # the stream protocol, as the route sends it
        self.block_starts: list[int] = []  # index in `lines` of each block's opening
        self._turn = turn or contextlib.nullcontext
        # Who is said to have asked; somebody else may stop it.
        self.who = activity.who_acts() if who is None else who
        self._asked: Model | None = None  # once it has got the question
        self.pieces = 0  # about as many tokens as came
        self._listeners: set[Callable[[], None]] = set()
        self._splitter = Splitter()
        self.first_at: float | None = None  # when the first token came, by the monotonic clock
        self._spool: Spool | None = None
        self._stream: DeltaStream | None = None
        self._lock = threading.RLock()

    @property
    def is_over(self) -> bool:
        """Will nothing come any more?"""
        return self.state in FINAL

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
                    model = find_model(self.request.model, self.request.engine)
                    waits = self._wait_for_limit if self.request.parent else None
                    admitted = limits.admitted(model, self.request.options, waits)
                    options = under_way.enter_context(admitted)
                    under_way.enter_context(use.using(model.name))
                    self._load(model)
                self._read(model, options)
        except BerthError as error:
            self.error = error
            self._fail(Problem(message=error.message, fix=error.fix, code=error.code))
        except BaseException:
            self._fail(Problem(message=FAILED, fix="Retry, and look at the log."))
            raise

    def _load(self, model: Model) -> None:
        if model.state != State.READY and not self.is_over:
            self._tell(ReplyState.LOADING)
            actions.load(model, self.request.load)

    def _read(self, model: Model, options: ChatOptions) -> None:
        asked = time.monotonic()
        with self._lock:
            if self.is_over:
                return
            self._stream = _ask(model, self.request.model_copy(update={"options": options}))
            self._asked = model
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
        self._notify()
        if len(self.text) + len(self.reasoning) > LONGEST_REPLY:
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
        has_thought = self.reasoning and self.figures.reasoning_seconds is None
        if has_thought and self.first_at and (delta.text or delta.finish_reason):
            self._measure(reasoning_seconds=now - self.first_at)

    def _add(self, delta: Delta) -> None:
        """New text into memory, the protocol and the spool, in this order."""
        if delta.reasoning:
            self.reasoning += delta.reasoning
            self._emit("r", delta.reasoning)
            self._keep(["r", delta.reasoning])
        if delta.text:
            self.text += delta.text
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
        self._spool = Spool(self.id, header, self.request.model_dump(mode="json"))
        if beginning := self.request.beginning:
            self._add(Delta(text=beginning))

    def replay(self, entries: Iterator[Any]) -> None:
        """Fill a reply from its spool; one without an end was interrupted."""
        for entry in entries:
            match entry:
                case ["t", str(text)]:
                    self.text += text
                    self._show(text)
                case ["r", str(text)]:
                    self.reasoning += text
                    self._emit("r", text)
                case ["e", str(state), dict(figures), problem] if state in FINAL:
                    self.figures = Figures.model_validate(figures)
                    self.problem = Problem.model_validate(problem) if problem else None
                    self.state = ReplyState(state)
        if not self.is_over:
            self.state = ReplyState.INTERRUPTED
        self._draw(self._splitter.finish())
        self._emit("e", self.state)


def _held(model: Model, options: ChatOptions) -> ChatOptions:
    """The built-in engine gets a schema so that it is held to it; others have their own ways."""
    if options.json_schema is None or model.engine != llamacpp.NAME:
        return options
    return options.model_copy(update={"json_schema": rewritten(options.json_schema).schema})


Turn = Callable[[Reply], AbstractContextManager[None]]


def _plain(problem: Problem | None) -> dict[str, Any] | None:
    return problem.model_dump() if problem else None


def _ask(model: Model, request: ReplyRequest) -> DeltaStream:
    """Chat where the model can; otherwise it goes on with the text of the last messages."""
    engine = engine_of(model)
    if model.can_chat:
        return engine.chat(model.name, request.messages, _held(model, request.options))
    last = request.messages[-2:] if request.beginning else request.messages[-1:]
    return engine.complete(model.name, "".join(m.content for m in last), request.options)
