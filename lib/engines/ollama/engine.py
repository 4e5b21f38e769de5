"""Ollama: a server of its own that keeps its models itself; Berth only asks it, over HTTP."""

import contextlib
import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from lib.core import patience, words
from lib.core.errors import (
    BadInput,
    BerthError,
    Conflict,
    EngineDown,
)
from lib.core.http import ANSWER_SECONDS
from lib.core.names import model_name, shown
from lib.core.values import Frozen
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
from lib.engines.messages import has_images, require_sight
from lib.engines.ollama import api, installed, sampling, speed, store
from lib.engines.ollama import reply as ollama_reply
from lib.engines.ollama.questions import stuck
from lib.engines.ollama.store import SILENCE_SECONDS, Listener
from lib.engines.openai_api import failed_stream
from lib.fit import titles
from lib.fit.kinds import Task

FLOOR = (0, 17, 1)  # older ones hand out parts of their memory to strangers: CVE-2026-7482
LOAD_SECONDS = 900.0  # of a large model from a slow disk
UNLOAD_SECONDS = 10.0
DELETE_SECONDS = 60.0
FOREVER = -1  # in memory until somebody stops it
SILENT = "Ollama does not answer."

_NO_TEMPLATE = ("", "{{ .Prompt }}")
_FROM = re.compile(r"^FROM (.+)$", re.MULTILINE)
_BLOB = re.compile(r"^FROM .*sha256[-:]([0-9a-f]{64})$", re.MULTILINE)
_RENDERER = re.compile(r"^RENDERER ", re.MULTILINE)
_VERSION = re.compile(r"v?(\d{1,6})\.(\d{1,6})\.(\d{1,6})")


class _Facts(Frozen):
    """What does not change about a model while its digest stays the same."""

    context_trained: int | None = None
    can_chat: bool = True
    can_complete: bool = True
    can_see: bool = False
    calls_tools: bool | None = None
    thinks: bool | None = None
    task: Task = Task.WRITING
    file: str = ""  # the GGUF file it runs


DOWN = Health(
    up=False,
    is_stopped=True,
    problem="Ollama does not run.",
    fix="Open the Ollama app or run ollama serve, after installing it if need be.",
)


class Ollama:
    """The Ollama server that answers where `OLLAMA_HOST` says."""

    name = "ollama"
    title = "Ollama"

    def __init__(self) -> None:
        self._facts: dict[tuple[str, str], _Facts] = {}  # by name and digest

    def health(self) -> Health:
        """Up and new enough, or why not; never raises."""
        found = self._health()
        if found.up and (seconds := api.silent_seconds()):
            problem = f"{SILENT} What is shown of it was so {words.duration(seconds)} ago."
            return Health(up=False, problem=problem, fix=stuck().fix)
        return found

    def _health(self) -> Health:
        """As it was told last, however long ago."""
        try:
            return _judged(api.ask("/api/version", api.Version).version)
        except EngineDown:
            return DOWN if installed.is_expected() else DOWN.model_copy(update={"is_absent": True})
        except BerthError as error:
            return Health(up=False, problem=error.message, fix=error.fix)

    def models(self) -> list[Model]:
        """Every model on its disk or in its memory; empty where it is down or too old."""
        try:
            return self._aged(self._models()) if self._health().up else []
        except BerthError:
            return []

    def start(self, model: str, options: StartOptions) -> None:
        """Load it, to stay until it is stopped; slots and caches are the server's own matter."""
        self._check()
        about = api.parsed(
            api.call("POST", "/api/show", {"model": model}, ANSWER_SECONDS), api.Shown
        )
        store.keep_settings(model, about, options)
        body = {"model": model, "keep_alive": FOREVER, "stream": False}
        path = "/api/generate" if _facts_of(about).can_complete else "/api/embed"
        api.call("POST", path, body, LOAD_SECONDS)
        api.has_changed()

    def stop(self, model: str) -> None:
        """Take it out of memory and return when it is gone; nothing where it is not in it."""
        if not self._runs(model):
            return
        body = {"model": model, "keep_alive": 0, "stream": False}
        api.call("POST", "/api/generate", body, UNLOAD_SECONDS)
        give_up_at = time.monotonic() + UNLOAD_SECONDS
        while self._runs(model):
            if time.monotonic() > give_up_at:
                raise Conflict(
                    f"“{shown(model)}” is still answering, so Ollama keeps it in memory.",
                    "It goes as soon as that reply is over.",
                )
            time.sleep(0.1)
        api.has_changed()

    def remove(self, model: str) -> None:
        """Unload and delete it; Ollama by itself would delete a loaded one and keep it loaded."""
        self.stop(model)
        api.call("DELETE", "/api/delete", {"model": model}, DELETE_SECONDS)
        api.has_changed()

    def pull(self, name: str, progress: Listener, silence_seconds: float = SILENCE_SECONDS) -> None:
        """Download a model from Ollama's library or the Hub (`hf.co/organisation/name:quant`).

        `progress` hears several times a second, also while nothing arrives, and ends the pull by
        raising. What came is kept, and the next pull of this model goes on from there.
        """
        self._check()
        store.pull(name, progress, silence_seconds)
        api.has_changed()

    def checksums(self, model: str) -> list[str]:
        """The SHA-256 of each file that this model is made of, as far as Ollama tells."""
        about = api.parsed(
            api.call("POST", "/api/show", {"model": model}, ANSWER_SECONDS), api.Shown
        )
        return _BLOB.findall(about.modelfile)

    def create_from_file(
        self, path: Path, name: str, progress: Listener, silence_seconds: float = SILENCE_SECONDS
    ) -> None:
        """Give Ollama a GGUF file of this machine under `name`; it stores a copy of its own.

        Of a divided model any part will do.

        The bytes of `progress` count twice: once read for the checksum, once sent.
        """
        self._check()
        store.create_from_file(path, model_name(name), progress, silence_seconds)
        api.has_changed()

    def chat(self, model: str, messages: Sequence[Message], options: ChatOptions) -> DeltaStream:
        """Answer a conversation; whether the model sees is asked only where there are images."""
        if has_images(messages):
            try:
                require_sight(model, self._can_see(model), messages)
            except BadInput as error:
                return failed_stream(error)
        stream = ollama_reply.chat_stream(model, messages, options)
        return speed.Noted(stream, lambda: self._token_bytes(model))

    def complete(self, model: str, prompt: str, options: ChatOptions) -> DeltaStream:
        """Continue a text."""
        stream = ollama_reply.complete_stream(model, prompt, options)
        return speed.Noted(stream, lambda: self._token_bytes(model))

    def count(self, model: str, text: str) -> int | None:
        """None: Ollama shows nobody its tokenizers."""
        return None

    def usual(self, model: str) -> Sampling:
        """What its model file says, else what Ollama says for all models; late is not known."""
        try:
            return sampling.usual(api.ask("/api/show", api.Shown, {"model": model}).parameters)
        except BerthError:
            return Sampling()

    def upstream(self, model: str) -> Upstream | None:
        """Ollama's own `/v1`, under the name it lists; None where the model is not loaded."""
        for known in self.models():
            if known.state == State.READY and full_name(known.name) == full_name(model):
                return Upstream(base_url=known.url, model=known.name, listed=known.name)
        return None

    def _check(self) -> None:
        with patience.of_a_command():
            health = self.health()
        if not health.up:
            raise EngineDown(health.problem, health.fix)

    def _aged(self, models: list[Model]) -> list[Model]:
        """Each with how old this is, where Ollama does not answer now."""
        if not (seconds := api.silent_seconds()):
            return models
        note = f"{SILENT} It was so {words.duration(seconds)} ago."
        return [model.model_copy(update={"note": note}) for model in models]

    def _models(self) -> list[Model]:
        loaded = [row for row in api.listing("/api/ps", api.Loaded) if _is_name(row.name)]
        tags = api.listing("/api/tags", api.Tag)
        # For the details of all models together; the rest is asked next time.
        give_up_at = time.monotonic() + patience.seconds()
        # What runs at a stranger's is no model of one's own; a name that cannot be typed here
        # could not be started either.
        known = {
            full_name(tag.name): (tag, self._known(tag, ask=time.monotonic() < give_up_at))
            for tag in tags
            if _is_name(tag.name) and not tag.remote_host
        }
        in_memory = _by_name_and_file(loaded, {name: facts for name, (_, facts) in known.items()})
        models = [
            _model(tag, facts, in_memory.get(name) or in_memory.get(facts.file))
            for name, (tag, facts) in known.items()
        ]
        on_disk = {full_name(tag.name) for tag in tags}
        return models + [_leftover(row) for row in loaded if full_name(row.name) not in on_disk]

    def _can_see(self, model: str) -> bool:
        """True where nobody knows: what is wrong then, Ollama says."""
        return all(m.can_see for m in self.models() if full_name(m.name) == full_name(model))

    def _token_bytes(self, model: str) -> int:
        """Read for a token; 0 where the file is not here, or a graphics card has a part."""
        name = full_name(model)
        loaded = [row for row in api.listing("/api/ps", api.Loaded) if full_name(row.name) == name]
        tags = [tag for tag in api.listing("/api/tags", api.Tag) if full_name(tag.name) == name]
        if not (loaded and tags and speed.is_here(api.address())) or loaded[0].size_vram:
            return 0
        file = self._known(tags[0], ask=True).file
        return speed.bytes_of(file) if file else 0

    def _runs(self, model: str) -> bool:
        wanted = full_name(model)
        with patience.of_a_command():
            found = self._models()
        return any(m.state == State.READY and full_name(m.name) == wanted for m in found)

    def _known(self, tag: api.Tag, ask: bool) -> _Facts:
        """The facts about a model, asked once; of one that does not tell, what its row says."""
        key = (tag.name, tag.digest)
        if key not in self._facts and ask:
            with contextlib.suppress(BerthError):
                about = api.ask("/api/show", api.Shown, {"model": tag.name})
                self._facts[key] = _facts_of(about)
        return self._facts.get(key) or _Facts(
            context_trained=tag.details.context_length, can_see="vision" in (tag.capabilities or ())
        )


def _judged(version: str) -> Health:
    """Up, where the version is one that may be used."""
    match = _VERSION.match(version)
    if match and tuple(int(number) for number in match.groups()) >= FLOOR:
        return Health(up=True, version=shown(version))
    floor = ".".join(map(str, FLOOR))
    told = shown(version) or "of an unknown version"
    return Health(
        up=False,
        version=shown(version),
        problem=f"Ollama {told} is not used: versions before {floor} give parts of their"
        " memory to whoever can reach them (CVE-2026-7482).",
        fix="Update Ollama from ollama.com/download, or by what installed it, and restart it.",
    )


def _facts_of(about: api.Shown) -> _Facts:
    can = about.capabilities
    info = about.model_info
    trained = info.get(f"{info.get('general.architecture')}.context_length")
    can_complete = can is None or "completion" in can
    file = _FROM.search(about.modelfile)
    is_bare = about.template.strip() in _NO_TEMPLATE and not _RENDERER.search(about.modelfile)
    return _Facts(
        context_trained=trained if isinstance(trained, int) else None,
        can_chat=can_complete and not is_bare,
        can_complete=can_complete,
        can_see="vision" in (can or ()),
        calls_tools=None if can is None else "tools" in can,
        thinks=None if can is None else "thinking" in can,
        task=Task.WRITING if can_complete else Task.EMBEDDING,
        file=file[1] if file else "",
    )


def _model(tag: api.Tag, facts: _Facts, in_memory: api.Loaded | None) -> Model:
    quantization = tag.details.quantization_level
    return Model(
        name=tag.name,
        engine=Ollama.name,
        state=State.READY if in_memory else State.STOPPED,
        size_bytes=tag.size,
        quantization="" if quantization == "unknown" else shown(quantization),
        context=in_memory.context_length if in_memory else None,
        context_trained=facts.context_trained,
        can_chat=facts.can_chat,
        can_see=facts.can_see,
        calls_tools=facts.calls_tools,
        thinks=facts.thinks,
        task=facts.task,
        url=f"{api.address()}/v1" if in_memory else "",
        memory_bytes=in_memory.size if in_memory else None,
        source=_source(tag.name),
        title=titles.of_name(_source(tag.name).rpartition("/")[2]),
    )


def _leftover(row: api.Loaded) -> Model:
    """A model that was deleted while it was loaded; Ollama cannot be asked to unload it."""
    return Model(
        name=row.name,
        engine=Ollama.name,
        state=State.STOPPING,
        context=row.context_length,
        memory_bytes=row.size,
        problem="It was deleted while it was loaded. Ollama frees its memory when nobody has used"
        " it for a while, or when it restarts.",
    )


def _source(name: str) -> str:
    """The repository on the Hub that a name stands for, if it does."""
    host, _, repository = name.partition("/")
    return repository.rpartition(":")[0] if host in ("hf.co", "huggingface.co") else ""


def _by_name_and_file(
    loaded: Sequence[api.Loaded], facts: Mapping[str, _Facts]
) -> dict[str, api.Loaded]:
    """What is in memory, by name and by file.

    Models made of one file share one process, which Ollama lists under the name it was loaded by.
    """
    by_name = {full_name(row.name): row for row in loaded}
    by_file = {facts[name].file: row for name, row in by_name.items() if name in facts}
    by_file.pop("", None)
    return {**by_file, **by_name}


def _is_name(text: str) -> bool:
    try:
        model_name(text)
    except BadInput:
        return False
    return True


def full_name(name: str) -> str:
    """A name as Ollama compares it: without case, in full, `latest` where there is no tag."""
    name = name.removeprefix("registry.ollama.ai/").removeprefix("library/")
    return (name if ":" in name.rpartition("/")[2] else f"{name}:latest").casefold()


ENGINE = Ollama()
