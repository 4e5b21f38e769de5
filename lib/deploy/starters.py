"""First models to choose from, by what they are for and by what this machine has room for now.

Their sizes are as their repositories had them when this was written, so they are told as "about";
a deployment goes by what the Hub says then. The small one alone is exact, and comes from elsewhere
where the Hub cannot be reached.
"""

from collections.abc import Sequence
from typing import NamedTuple

from lib.core import words
from lib.deploy import job as deployment
from lib.deploy.request import DeployRequest
from lib.deploy.starter import STARTER, deploy_starter
from lib.fit.memory import COMFORTABLE
from lib.jobs import jobs
from lib.jobs.jobs import Job

SMALL = "small"
KIND = "starter"  # of the small one's job
MIB, GIB = 2**20, 2**30
SPARE_DISK_BYTES = GIB
JOBS_LOOKED_AT = 20


class Starter(NamedTuple):
    """One model; bytes of its download, and of memory with a context of 8,192 tokens."""

    key: str
    title: str
    repo: str
    quantization: str
    licence: str
    download_bytes: int
    memory_bytes: int
    note: str = ""

    @property
    def is_exact(self) -> bool:
        """Is its size known for sure?"""
        return self.key == SMALL

    @property
    def request(self) -> DeployRequest:
        """What deploys it."""
        return DeployRequest(model=self.repo, quantization=self.quantization, engine="llamacpp")

    @property
    def resource(self) -> str:
        """By which its job is known."""
        return f"model:{STARTER.name}" if self.key == SMALL else self.request.resource


class Purpose(NamedTuple):
    """What models are for; the better ones come first, and need more."""

    title: str
    about: str
    models: tuple[Starter, ...]


class Offer(NamedTuple):
    """What is offered for a purpose; `problem` says why it cannot be had now."""

    purpose: Purpose
    model: Starter
    problem: str = ""


class Have(NamedTuple):
    """What this machine has now, in bytes; of memory also how many it reads in a second."""

    memory: int
    disk: int
    speed: float = 0.0  # 0: nobody has measured it yet


PURPOSES = (
    Purpose(
        "To chat",
        "Answers questions, writes and translates.",
        (
            Starter(
                "chat-4b",
                "Qwen3 4B Instruct 2507",
                "unsloth/Qwen3-4B-Instruct-2507-GGUF",
                "Q4_K_M",
                "Apache-2.0",
                2_497_000_000,
                3_900 * MIB,
            ),
            Starter(
                "chat-1.5b",
                "Qwen2.5 1.5B Instruct",
                "Qwen/Qwen2.5-1.5B-Instruct-GGUF",
                "Q4_K_M",
                "Apache-2.0",
                1_117_000_000,
                1_650 * MIB,
            ),
        ),
    ),
    Purpose(
        "To write code",
        "Writes, explains and mends programs.",
        (
            Starter(
                "code-7b",
                "Qwen2.5 Coder 7B Instruct",
                "bartowski/Qwen2.5-Coder-7B-Instruct-GGUF",
                "Q4_K_M",
                "Apache-2.0",
                4_683_000_000,
                5_300 * MIB,
            ),
            Starter(
                "code-1.5b",
                "Qwen2.5 Coder 1.5B Instruct",
                "Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF",
                "Q4_K_M",
                "Apache-2.0",
                1_117_000_000,
                1_650 * MIB,
            ),
        ),
    ),
    Purpose(
        "To look at images",
        "Says what a picture or a screenshot shows, and chats.",
        (
            Starter(
                "sees-2.2b",
                "SmolVLM2 2.2B Instruct",
                "ggml-org/SmolVLM2-2.2B-Instruct-GGUF",
                "Q4_K_M",
                "Apache-2.0",
                1_705_000_000,
                3_700 * MIB,
            ),
            Starter(
                "sees-500m",
                "SmolVLM 500M Instruct",
                "ggml-org/SmolVLM-500M-Instruct-GGUF",
                "Q8_0",
                "Apache-2.0",
                546_000_000,
                1_200 * MIB,
            ),
        ),
    ),
    Purpose(
        "To try Berth out",
        "Small and quick: it answers in a moment, often wrongly.",
        (
            Starter(
                SMALL,
                STARTER.title,
                STARTER.repo,
                "Q4_K_M",
                STARTER.licence,
                STARTER.size_bytes,
                717 * MIB,
            ),
        ),
    ),
)
BY_RESOURCE = {one.resource: one for purpose in PURPOSES for one in purpose.models}
TRY_OUT = PURPOSES[-1]


def offers(have: Have, purposes: Sequence[Purpose] = PURPOSES) -> list[Offer]:
    """Of each purpose the best that this machine has room for, else the smallest and why; pure."""
    return [_offer(purpose, have) for purpose in purposes]


def _offer(purpose: Purpose, have: Have) -> Offer:
    fitting = next((one for one in purpose.models if not problem(one, have)), None)
    model = fitting or purpose.models[-1]
    return Offer(purpose, model, problem(model, have))


def problem(one: Starter, have: Have) -> str:
    """Why this machine has no room for it now; "" where it has."""
    if one.memory_bytes > COMFORTABLE * have.memory:
        needs, free = words.memory(one.memory_bytes), words.memory(have.memory)
        return f"Does not fit now: it needs about {needs} of memory, {free} are free."
    if one.download_bytes + SPARE_DISK_BYTES > have.disk:
        needs, free = words.disk(one.download_bytes + SPARE_DISK_BYTES), words.disk(have.disk)
        return f"The disk is too full: it needs about {needs}, {free} are free."
    return ""


def facts(one: Starter, have: Have) -> str:
    """`About 2.5 GB to download · about 3.8 GiB of memory · up to 12 tok/s · Apache-2.0`."""
    about = "" if one.is_exact else "about "
    parts = [
        f"{about}{words.disk(one.download_bytes)} to download",
        f"about {words.memory(one.memory_bytes)} of memory",
        f"up to {speed(one, have)} tok/s" if have.speed else "",
        one.licence,
    ]
    line = " · ".join(part for part in parts if part)
    return line[:1].upper() + line[1:]


def speed(one: Starter, have: Have) -> str:
    """Tokens a second at most: each reads about the whole model."""
    most = have.speed / one.download_bytes
    return f"{most:,.0f}" if most >= 10 else f"{most:.1f}"


def begin(one: Starter) -> Job:
    """Deploy it in the background; asked twice, the one job under way is returned."""
    if one.key == SMALL:
        return deploy_starter()
    return deployment.begin(one.request, f"Deploy {one.title}")


def latest() -> Job | None:
    """The newest job of one of these."""
    return next((job for job in jobs.recent(JOBS_LOOKED_AT) if of(job)), None)


def of(job: Job) -> Starter | None:
    """Which of these a job deploys."""
    return BY_RESOURCE.get(job.resource) if job.kind in (KIND, deployment.KIND) else None


def first_words(job: Job) -> str:
    """What a deployed model answered when it was tested; "" where its log tells nothing."""
    lines = (line.strip() for line in reversed(job.log_tail(80).split("\n")))
    said = next((line for line in lines if line.startswith("It says: ")), "")
    return said.removeprefix("It says: ")
