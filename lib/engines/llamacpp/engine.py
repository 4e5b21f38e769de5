"""The built-in engine: llama.cpp, one child process per model, found again after every restart.

A child runs a `llama-server` of the user's own where there is one that works, else the wheel's.
"""

import contextlib
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Sequence

from pydantic import SecretStr, ValidationError

from lib.core.errors import (
    BerthError,
    BrokenFile,
    Conflict,
    EngineError,
)
from lib.core.files import write_json, write_text
from lib.engines.base import (
    ChatOptions,
    DeltaStream,
    Health,
    Message,
    Model,
    Sampling,
    StartOptions,
    State,
    Upstream,
)
from lib.engines.llamacpp import (
    abilities,
    drafts,
    files,
    fresh_links,
    measured,
    program,
    records,
    sampling,
    strays,
    wheel,
)
from lib.engines.llamacpp import launch as llamacpp_launch
from lib.engines.llamacpp import props as llamacpp_props
from lib.engines.llamacpp.causes import PortTaken
from lib.engines.llamacpp.files import ModelFile
from lib.engines.llamacpp.launch import Launch, Program
from lib.engines.llamacpp.props import Props
from lib.engines.llamacpp.records import Record, file_of
from lib.engines.llamacpp.refusals import (
    not_running,
    require_template,
    require_writing,
    writes_nothing,
)
from lib.engines.llamacpp.speed import Noted
from lib.engines.messages import require_sight
from lib.engines.openai_api import chat_stream, complete_stream, failed_stream
from lib.fit.kinds import Task
from lib.machine.boot import boot
from lib.machine.oom import memory_kills
from lib.processes import background as process
from lib.processes.background import ProgramFault

NAME = "llamacpp"
LOAD_SECONDS = 1_800.0
LOOK_SECONDS = 0.05
PORT_TRIES = 3
NOT_INSTALLED = Health(
    up=False, problem="The built-in engine is not installed.", fix="Run ./setup.sh again."
)


class LlamaCpp:
    """Starts, finds, asks and ends children; every method may be called from any thread."""

    name = NAME
    title = "Built-in engine"

    def health(self) -> Health:
        """Up where the wheel is installed, or a program of the user's own has proved itself."""
        own, installed = program.known(), wheel.version()
        if own and own.is_usable:
            return Health(up=True, version=own.title, note=strays.note())
        note = " ".join(filter(None, (program.objection(own), strays.note())))
        if not installed:
            return NOT_INSTALLED.model_copy(update={"note": note})
        return Health(up=True, version=f"xllamacpp {installed}", note=note)

    def models(self) -> list[Model]:
        """Every file, and every child whose file has gone while it runs."""
        strays.take_in()
        logs = records.logs()
        models = {file.name: _idle(file, logs.get(file.name, "")) for file in files.all_files()}
        for record in records.read_all():
            idle = models.get(record.model) or _without_file(record, logs.get(record.model, ""))
            models[record.model] = _with_child(idle, record)
        return sorted(models.values(), key=lambda model: model.name)

    def start(self, model: str, options: StartOptions) -> None:
        """Load the model; nothing happens where it runs with these options, others restart it."""
        file = files.find(model)
        if file.problem:
            raise BrokenFile(file.problem, file.fix)
        unable = abilities.objection(file.name, file, file.task)
        if unable:
            raise unable
        drafts.draft_of(options)  # or one that runs would be ended for one that cannot
        with records.lock(model):
            _ensure_started(file, options)

    def stop(self, model: str) -> None:
        """Ends one that is still loading too; whoever waits for it gets Conflict."""
        record = records.awaited(model)
        if record is None:
            return
        records.update(record, is_stopping=True)
        measured.note(record)
        process.stop(record, file_of(model, "exit"))
        records.forget(record)

    def remove(self, model: str) -> None:
        """Its file or files, and all that is kept about it; never a file outside our models."""
        self.stop(model)
        files.remove(files.find(model))
        for ending in records.ENDINGS:
            file_of(model, ending).unlink(missing_ok=True)

    def chat(self, model: str, messages: Sequence[Message], options: ChatOptions) -> DeltaStream:
        """Refused where there is no chat template: the engine would make one up."""
        record, to = records.read(model), self.upstream(model)
        if record is None or to is None:
            return not_running(model)
        try:
            require_writing(model, record.task)
            require_template(record)
            require_sight(model, record.can_see, messages)
        except BerthError as error:
            return failed_stream(error)
        extra = sampling.fields(options)
        is_own = bool(record.program)  # of any age; the wheel's streams repeat nothing
        stream = chat_stream(to.base_url, to.model, messages, options, to.key, extra, is_own)
        return Noted(stream, record.token_bytes)

    def complete(self, model: str, prompt: str, options: ChatOptions) -> DeltaStream:
        """Works for every model that writes."""
        record, to = records.read(model), self.upstream(model)
        if record and record.task != Task.WRITING:
            return failed_stream(writes_nothing(model, record.task))
        if record and to:
            extra = sampling.fields(options)
            stream = complete_stream(to.base_url, to.model, prompt, options, to.key, extra)
            return Noted(stream, record.token_bytes)
        return not_running(model)

    def count(self, model: str, text: str) -> int | None:
        """By the child itself, which does so beside its replies."""
        record = records.read(model)
        if record is None or not record.is_alive:
            return None
        return llamacpp_props.count(record.url, records.key(model), text)

    def usual(self, model: str) -> Sampling:
        """As the child tells it, which nothing but a new load changes."""
        return sampling.usual(records.read(model))

    def upstream(self, model: str) -> Upstream | None:
        """Two small files and one look at the process table."""
        record = records.read(model)
        if record is None or _state(record) != State.READY:
            return None
        return records.upstream(record)


def _ensure_started(file: ModelFile, options: StartOptions) -> None:
    """With the lock held: keep the child that runs, or replace it."""
    record = records.read(file.name)
    if record and not record.pid:  # the intention of somebody who is no more: the lock is ours
        records.forget(record)
        record = None
    projector = llamacpp_launch.projector_for(file, options)
    wanted = (file.path, projector, file.template, options)
    is_same = record and _as_started(record) == wanted
    if record and is_same and record.is_alive and not record.is_stopping:
        _wait_until_ready(record)
    else:
        _start(file, options)


def _as_started(record: Record) -> tuple[str, str, str, StartOptions]:
    return record.path, record.projector, record.template, record.options


def _start(file: ModelFile, options: StartOptions) -> None:
    """With the user's own program where it can, else with the wheel's engine."""
    own = program.checked()
    if own is None or not own.is_usable:
        _start_with(None, file, options, _ports())
        return
    try:
        _start_with(own, file, options, _ports())
    except ProgramFault as fault:
        if not wheel.version():
            raise
        note = f"{own.title}, could not run it: {fault.message} See {records.keep_log(file.name)}."
        records.update(_start_with(None, file, options, _ports()), note=note)


def _ports() -> Iterator[int]:
    return (process.free_port() for _ in range(PORT_TRIES))


def _start_with(
    own: Program | None, file: ModelFile, options: StartOptions, ports: Iterable[int]
) -> Record:
    """On the first of these ports that nobody takes between its choice and its use."""
    taken = None
    for port in ports:
        records.require_space()  # before one that runs is ended for this one
        ENGINE.stop(file.name)  # or forget how the last one ended
        try:
            record = _launched(own, file, options, port)
            _wait_until_ready(record)
            return record
        except PortTaken as error:
            taken = error
    raise taken or Conflict("There is no port for the engine.")


def _launched(own: Program | None, file: ModelFile, options: StartOptions, port: int) -> Record:
    """A new child that has begun to load; its key, options and record are on disk."""
    key_file, options_file = file_of(file.name, "key"), file_of(file.name, "options")
    launch = llamacpp_launch.planned(file, options, port, key_file)
    write_text(key_file, secrets.token_urlsafe(32) + "\n")
    write_json(options_file, launch.model_dump())
    record = _intended(own, file, options, launch)
    records.save(record)
    try:
        child = process.start(
            llamacpp_launch.command(launch, options_file, own),
            llamacpp_launch.environment(),
            log=file_of(file.name, "log"),
            exit_file=file_of(file.name, "exit"),
        )
    except BerthError:
        records.forget(record)
        raise
    now = records.read(file.name)
    if now is None or now.is_stopping:
        raise _stopped(file.name, child)
    record = record.model_copy(update=child.model_dump())
    with contextlib.suppress(OSError):  # on a full disk the child's own note says which it is
        records.save(record)
    return record


def _intended(
    own: Program | None, file: ModelFile, options: StartOptions, launch: Launch
) -> Record:
    """The record of a child that is about to be started."""
    return Record(
        **records.NO_CHILD.model_dump(),
        model=file.name,
        path=file.path,
        size_bytes=file.size_bytes,
        can_chat=file.can_chat,
        task=file.task,
        can_see=bool(launch.projector),
        projector=launch.projector,
        template=file.template,
        token_bytes=0 if launch.gpu_layers or launch.draft or own else file.token_bytes,
        options=options,
        port=launch.port,
        started_at=time.time(),
        version=own.version if own else wheel.version(),
        program=own.path if own else "",
        boot=boot(),
        memory_kills=memory_kills(),
    )


def _stopped(model: str, child: process.Child) -> Conflict:
    """Somebody stopped it while it was loading; nobody would find the child again."""
    process.stop(child, file_of(model, "exit"))
    return Conflict(f"“{model}” was stopped while it was loading.")


def _wait_until_ready(record: Record) -> None:
    """Return when the model answers; EngineError with the cause where its child ends before."""
    give_up_at = time.monotonic() + LOAD_SECONDS
    while _loaded_context(record, llamacpp_props.ask) is None:
        now = records.read(record.model)
        if now is None or now.pid != record.pid or now.is_stopping:
            raise _stopped(record.model, record)
        if not record.is_alive:
            raise records.cause(record)
        if time.monotonic() > give_up_at:
            ENGINE.stop(record.model)
            raise EngineError(
                f"“{record.model}” was still loading after {LOAD_SECONDS / 60:.0f} minutes.",
                "The disk is slow or memory is short: choose a smaller quantization.",
            )
        time.sleep(LOOK_SECONDS)


def _loaded_context(
    record: Record,
    ask: Callable[[str, SecretStr | None], Props] = llamacpp_props.ask_quickly,
) -> int | None:
    """Tokens per slot of a child that is ready; None while it loads.

    Our key and the name it serves under prove that it is our child that answers on that port.
    """
    if record.context is not None or not record.pid:
        return record.context
    with contextlib.suppress(EngineError, ValidationError):
        props = ask(record.url, records.key(record.model))
        if props.model_alias == record.model and record.is_alive:
            can_see = props.modalities.vision if props.modalities else record.can_see
            records.update(record, context=props.context, can_see=can_see, **_about_draft(record))
            fresh_links.keep(record.path)
            return props.context
    return None


def _about_draft(record: Record) -> dict[str, str]:
    """A note where the engine does without the one that was chosen."""
    said = drafts.refusal(file_of(record.model, "log")) if record.options.draft else ""
    return {"note": f"{record.note} {said}".strip()} if said else {}


def _state(record: Record) -> State:
    if not record.pid:
        return State.STARTING
    if not record.is_alive:
        return State.FAILED
    if record.is_stopping:
        return State.STOPPING
    return State.STARTING if _loaded_context(record) is None else State.READY


def _idle(file: ModelFile, log: str) -> Model:
    """A file that nothing runs."""
    problem = f"{file.problem} {file.fix}".strip()
    if not problem:
        problem = str(abilities.objection(file.name, file, file.task) or "")
    return Model(
        name=file.name,
        engine=NAME,
        state=State.FAILED if problem else State.STOPPED,
        title=file.title,
        task=file.task,
        size_bytes=file.size_bytes,
        quantization=file.quantization,
        context_trained=file.context_trained,
        can_chat=file.can_chat,
        can_see=bool(file.projector),
        calls_tools=file.calls_tools,
        thinks=file.thinks,
        problem=problem,
        source=file.source,
        stays_at=file.stays_at,
        log=log,
    )


def _without_file(record: Record, log: str) -> Model:
    """A child whose file has gone meanwhile."""
    return Model(
        name=record.model,
        engine=NAME,
        state=State.STOPPED,
        size_bytes=record.size_bytes,
        task=record.task,
        can_chat=record.can_chat,
        log=log,
    )


def _with_child(model: Model, record: Record) -> Model:
    """The model as its child makes it."""
    state = _state(record)
    if state == State.FAILED:
        return model.model_copy(update={"state": state, "problem": str(records.cause(record))})
    running = {
        "state": state,
        "context": _loaded_context(record),
        "can_see": record.can_see,
        "url": f"{record.url}/v1" if state == State.READY else "",
        "memory_bytes": process.memory_bytes(record),
        "started_at": record.started_at,
        "problem": "",
        "note": record.note,
    }
    return model.model_copy(update=running)


ENGINE = LlamaCpp()
