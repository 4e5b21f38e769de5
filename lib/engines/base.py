"""What every engine can do, and the shapes that pass between engines and the rest."""

from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Annotated, Any, Literal, Protocol

from pydantic import Field, SecretStr, StringConstraints

from lib.core.names import ModelName
from lib.core.values import Frozen
from lib.fit.kinds import Task

# No address: an engine would fetch what stands there, files and other servers included.
Image = Annotated[
    str, StringConstraints(pattern=r"^data:image/[a-z0-9.+-]{1,40};base64,[A-Za-z0-9+/]+={0,2}$")
]


KvType = Literal["f16", "q8_0", "q4_0"]  # how the cache of a conversation is stored


class State(StrEnum):
    """A model's state, in the one word the whole product uses for it."""

    READY = "Ready"
    STARTING = "Starting"
    STOPPED = "Stopped"
    STOPPING = "Stopping"
    DOWNLOADING = "Downloading"
    FAILED = "Failed"


class Health(Frozen):
    """Whether an engine can be used, and if not, why and what to do."""

    up: bool
    version: str = ""
    problem: str = ""
    fix: str = ""
    note: str = ""  # worth knowing although it is up
    is_absent: bool = False  # nothing of it is here: pages leave it out
    is_stopped: bool = False  # nothing is wrong with it, it does not run


class Model(Frozen):
    """A model that an engine has, running or not."""

    name: ModelName
    engine: str
    state: State
    title: str = ""  # what people read; "" where that is the name, see lib/engines/titles.py
    size_bytes: int | None = None
    quantization: str = ""
    context: int | None = None  # tokens loaded per slot; None while it is not running
    context_trained: int | None = None
    task: Task = Task.WRITING  # what it does with a text
    can_chat: bool = True  # False: no chat template, so it can only continue a text
    can_see: bool = False  # understands images
    calls_tools: bool | None = None  # None: nobody can tell
    thinks: bool | None = None  # before it answers; None: nobody can tell
    url: str = ""  # the engine's own OpenAI base URL (…/v1) while it runs, on loopback
    memory_bytes: int | None = None  # resident now
    started_at: float | None = None  # epoch seconds
    problem: str = ""  # why it is Failed
    note: str = ""  # worth knowing although it is not
    log: str = ""  # path of the engine's own output for this model
    source: str = ""  # repository or path it came from
    place: str = ""  # where it runs, if that has a name: a slot, or another machine's address
    is_elsewhere: bool = False  # on another machine: it can be asked here, and nothing else
    activity: str = ""  # what it does just now, in one line
    remove_with: str = ""  # the command that removes it, where Berth itself may not
    stays_at: str = ""  # where its file lies, if what Berth has is only a link to it

    @property
    def key(self) -> str:
        """What tells it from every other model: two engines may have one of the same name."""
        return f"{self.engine}/{self.name}"

    @property
    def called(self) -> str:
        """What people read."""
        return self.title or self.name

    @property
    def frees_bytes(self) -> int:
        """What removing it gives back on the disk: nothing where only a link goes."""
        return 0 if self.stays_at else self.size_bytes or 0

    @property
    def writes(self) -> bool:
        """Does it answer with a text, so that one can chat with it?"""
        return self.task == Task.WRITING


class Upstream(Frozen):
    """Where the gateway sends a request for one running model; `path_model` replaces its name."""

    base_url: str  # …/v1
    model: str
    key: SecretStr | None = None
    token_bytes: int = 0  # that this machine's processor reads for every token; 0: not known
    engine: str = ""  # whose it is; whoever looked it up says so
    listed: str = ""  # the name that the engine lists; "" where it was asked for by that
    slots: int = 0  # requests that it answers at a time; 0: it says so itself


class StartOptions(Frozen):
    """How to load a model. None means: the engine's well-founded default."""

    context: int | None = Field(default=None, ge=256, le=10_485_760)  # tokens per slot
    slots: int = Field(default=1, ge=1, le=64)  # requests answered at the same time
    threads: int | None = Field(default=None, ge=1, le=1024)
    prompt_cache_mib: int = Field(default=256, ge=0, le=65_536)
    kv_type: KvType = "f16"
    gpu_layers: int | None = Field(default=None, ge=0, le=1024)  # by a llama-server of one's own
    sees: bool = True  # with the projector beside it, where there is one
    draft: ModelName | None = None  # a model of the same engine that guesses ahead for it


class Message(Frozen):
    """One turn of a conversation. An assistant's that comes last is to be continued."""

    role: Literal["system", "user", "assistant"]
    content: str
    images: tuple[Image, ...] = ()  # `data:image/…;base64,…`; only for models that `can_see`


class ChatOptions(Frozen):
    """Sampling of one reply. None means: what the model's own settings say."""

    temperature: float | None = Field(default=None, ge=0, le=5)
    top_p: float | None = Field(default=None, gt=0, le=1)
    top_k: int | None = Field(default=None, ge=0, le=1_000)  # 0: all that the model knows
    min_p: float | None = Field(default=None, ge=0, le=1)
    repeat_penalty: float | None = Field(default=None, ge=0.5, le=2)  # 1: none
    max_tokens: int | None = Field(default=None, ge=1)
    seed: int | None = None
    stop: tuple[str, ...] = ()
    json_schema: dict[str, Any] | None = None


class Sampling(Frozen):
    """How an engine draws the replies of a model where nobody chooses; None: nobody can tell."""

    temperature: float | None = None
    top_p: float | None = None
    top_k: float | None = None
    min_p: float | None = None
    repeat_penalty: float | None = None
    takes_more: bool = True  # than OpenAI's fields: top-k, min-p and a repetition penalty


class Usage(Frozen):
    """Tokens counted by the engine, and its own speeds where it tells them."""

    prompt_tokens: int = 0  # of the whole prompt, also where a part of it was still known
    completion_tokens: int = 0
    prompt_ms: float | None = None  # time the engine spent on what was new of the prompt
    tokens_per_second: float | None = None  # decoding alone


class Delta(Frozen):
    """A piece of a reply; the last one carries the finish reason and usage."""

    text: str = ""
    reasoning: str = ""
    finish_reason: str = ""
    usage: Usage | None = None


class DeltaStream(Iterator[Delta], Protocol):
    """The pieces of one reply.

    `close` may be called from any thread, also while another one waits in `next`: it closes the
    socket at once, which ends the engine's work and makes the waiting `next` raise StopIteration.
    """

    def close(self) -> None:
        """Stop now; harmless when already over."""


class Engine(Protocol):
    """An inference engine. Where it is down, `models` is empty and `health` says why."""

    name: str
    title: str

    def health(self) -> Health:
        """Up or not, version, why not; never raises."""

    def models(self) -> list[Model]:
        """Every model it has, running or not; never raises."""

    def start(self, model: str, options: StartOptions) -> None:
        """Load the model and return when it answers; EngineError names the cause where it fails."""

    def stop(self, model: str) -> None:
        """Unload it and return when it is gone; nothing happens where it does not run."""

    def remove(self, model: str) -> None:
        """Stop it and delete what Berth or the engine stored for it."""

    def chat(self, model: str, messages: Sequence[Message], options: ChatOptions) -> DeltaStream:
        """Answer a conversation; errors come from the first `next`, in words for the user.

        Where the last message is an assistant's, the reply goes on where it ends, and says none of
        it again. BadInput for images where the model cannot see; nothing is sent then.
        """

    def complete(self, model: str, prompt: str, options: ChatOptions) -> DeltaStream:
        """Continue a text, for models without a chat template."""

    def count(self, model: str, text: str) -> int | None:
        """Tokens of a text, by the running model's own tokenizer; never raises.

        None where it does not run, or nobody can tell within two seconds.
        """

    def usual(self, model: str) -> Sampling:
        """How it draws where nobody chooses, as far as that is known soon; never raises."""

    def upstream(self, model: str) -> Upstream | None:
        """Where the gateway reaches the running model; None where it does not run."""
