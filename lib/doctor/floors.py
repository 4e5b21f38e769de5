"""The oldest version of each engine that is safe, in one table.

Ollama's, vLLM's and LiteLLM's floors stand where those are used, with all that speaks against older
ones; here they are asked. What is only looked at here stands in `FLOORS`.
"""

import re
from typing import NamedTuple

from lib.engines.ollama.engine import FLOOR as OLLAMA_FLOOR
from lib.engines.vllm import floors as vllm
from lib.slots import litellm_floors as litellm

LLAMACPP, OLLAMA, VLLM, LITELLM, STREAMLIT = "llama.cpp", "Ollama", "vLLM", "LiteLLM", "Streamlit"
_NUMBERS = re.compile(r"\d{1,9}")


class Floor(NamedTuple):
    """From which version on an engine may be used, and why."""

    engine: str
    version: tuple[int, ...]
    why: str  # what older ones let happen
    source: str
    shield: str = ""  # what of that Berth's gateway keeps away from it all the same


FLOORS = (
    Floor(
        LLAMACPP,
        (12405,),
        "one field of a request from outside can harm the server",
        "CVE-2026-134540, November 2026",
        "At /v1 only known fields of a request reach it: none that saves slots, loads adapters or "
        "brings a grammar; schemas are checked.",
    ),
    Floor(
        OLLAMA,
        OLLAMA_FLOOR,
        "they give parts of their memory to whoever can reach them",
        "CVE-2026-7482",
        "At /v1 only known fields of a request reach it; its own routes answer whoever reaches "
        "its port.",
    ),
    Floor(
        VLLM,
        vllm.VLLM_FLOOR,
        "",
        "advisories of vllm-project, 24 November 2026",
        "At /v1 no engine gets addresses to fetch, templates, embeddings or grammars of a "
        "request's own.",
    ),
    Floor(LITELLM, litellm.LITELLM_FLOOR, "", "advisories of litellm, 24 November 2026"),
    Floor(
        STREAMLIT,
        (1, 64),
        "other web sites can reach pages that are open on this machine",
        "its release notes: allowed hosts are checked from then on",
    ),
)


def floor_of(engine: str) -> Floor:
    """The row of this engine."""
    return next(floor for floor in FLOORS if floor.engine == engine)


def objection(engine: str, version: str) -> str:
    """Why this version should not be used, in a sentence; "" where nothing speaks against it.

    A version that cannot be read is none to object to: nobody knows.
    """
    if engine == VLLM:
        return vllm.objection(version) if vllm.parsed(version) else ""
    if engine == LITELLM:
        return litellm.objection(version) if vllm.parsed(version) else ""
    floor, numbers = floor_of(engine), numbers_of(engine, version)
    if not numbers or numbers >= floor.version:
        return ""
    return (
        f"{engine} {spoken(engine, version)} is older than {_written(floor)}: {floor.why} "
        f"({floor.source.partition(',')[0]})."
    )


def shield_of(engine: str) -> str:
    """What Berth's gateway keeps away from this engine, in a sentence; "" where it is not asked."""
    return floor_of(engine).shield


def numbers_of(engine: str, version: str) -> tuple[int, ...]:
    """`0.40.4` as numbers; of llama.cpp the build alone: b10488, or the end of the wheel's."""
    found = tuple(int(number) for number in _NUMBERS.findall(version))
    return found[-1:] if engine == LLAMACPP else found[:3]


def spoken(engine: str, version: str) -> str:
    """As it is shown: of llama.cpp `b11549`."""
    numbers = numbers_of(engine, version)
    return f"b{numbers[0]}" if engine == LLAMACPP and numbers else version


def _written(floor: Floor) -> str:
    if floor.engine == LLAMACPP:
        return f"b{floor.version[0]}"
    return ".".join(map(str, floor.version))
