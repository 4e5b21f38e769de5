"""The NVIDIA driver: in trouble, without its libraries, or older than the engines need."""

from lib.doctor.finding import Check, Finding, Fix, Severity
from lib.engines.vllm.floors import OLDER_CUDA_BUILD, VLLM_CUDA_MAJOR
from lib.machine.cards import Card, Cards
from lib.machine.sampler import SAMPLER

NAME = "driver"
OLDEST_CUDA_MAJOR = 12  # below it there is no build of vLLM left, nor of llama.cpp's CUDA releases
_LOOK = "nvidia-smi"


def gathered() -> Cards:
    """As the sampler saw them last."""
    return SAMPLER.cards()


def judged(facts: Cards) -> list[Finding]:
    """The driver's own trouble first: with it nothing is known of the cards."""
    if facts.problem:
        return [_in_trouble(facts)]
    broken = [_card(card) for card in facts.cards if card.problem]
    return [*broken, *_old(facts)]


def _in_trouble(facts: Cards) -> Finding:
    return Finding(
        id=NAME,
        severity=Severity.URGENT,
        title=facts.problem,
        wanted=facts.fix,
        why="Until then nothing can run on the graphics cards.",
        fix=Fix(label="Look closer in a terminal", command=_LOOK),
        facts=(facts.problem,),
    )


def _card(card: Card) -> Finding:
    return Finding(
        id=f"{NAME}:{card.key}",
        severity=Severity.URGENT,
        title=f"{card.name}: {card.problem}",
        wanted=card.fix,
        why="What ran on it has stopped or is about to.",
        fix=Fix(label="Look closer in a terminal", command=_LOOK),
        facts=(card.problem,),
    )


def _old(facts: Cards) -> list[Finding]:
    """A driver says which CUDA it can serve at most."""
    if not facts.cards or facts.cuda is None or facts.cuda[0] >= VLLM_CUDA_MAJOR:
        return []
    has_none = facts.cuda[0] < OLDEST_CUDA_MAJOR
    served = ".".join(map(str, facts.cuda))
    return [
        Finding(
            id=f"{NAME}:cuda",
            severity=Severity.WARNING if has_none else Severity.HINT,
            title=f"The NVIDIA driver{_version(facts)} serves CUDA {served} at most.",
            wanted=f"A driver for CUDA {VLLM_CUDA_MAJOR} or newer.",
            why="No engine for graphics cards runs with it."
            if has_none
            else f"vLLM runs only in its build for older drivers ({OLDER_CUDA_BUILD}).",
            fix=Fix(label="Which driver is there", command=_LOOK),
            facts=(served,),
        )
    ]


def _version(facts: Cards) -> str:
    return f" {facts.driver}" if facts.driver else ""


CHECK = Check(NAME, gathered, judged)
