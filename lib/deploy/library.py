"""Ollama's own library: what it calls models of the Hub, and what it has under that name.

Exact names only, never a relative's. Its registry speaks Docker's protocol: a manifest names the
model's file by checksum and size, and the file itself can be read in pieces.
"""

import os
from typing import NamedTuple

from pydantic import BaseModel, ValidationError

from lib.core.errors import NetworkError
from lib.core.http import outside_answer
from lib.fit import gguf
from lib.fit.gguf import Header

REGISTRY = "https://registry.ollama.ai"
ANSWER_SECONDS = 5.0
LONGEST_MANIFEST = 1_000_000
QUANTIZATIONS = ("Q4_K_M", "Q8_0")  # that it has of nearly all; the first where none was asked for

_MODEL = "application/vnd.ollama.image.model"
_MANIFEST = {"Accept": "application/vnd.docker.distribution.manifest.v2+json"}
_FAMILIES = {
    "Qwen/Qwen2.5-{}-Instruct": ("qwen2.5:{}-instruct", "0.5B 1.5B 3B 7B 14B 32B 72B"),
    "Qwen/Qwen2.5-Coder-{}-Instruct": ("qwen2.5-coder:{}-instruct", "0.5B 1.5B 3B 7B 14B 32B"),
    "Qwen/Qwen3-{}": ("qwen3:{}", "0.6B 1.7B 4B 8B 14B 32B"),
    "meta-llama/Llama-3.1-{}-Instruct": ("llama3.1:{}-instruct", "8B 70B"),
    "meta-llama/Llama-3.2-{}-Instruct": ("llama3.2:{}-instruct", "1B 3B"),
    "google/gemma-2-{}-it": ("gemma2:{}-instruct", "2b 9b 27b"),
    "google/gemma-3-{}-it": ("gemma3:{}-it", "1b 4b 12b 27b"),
    "HuggingFaceTB/SmolLM2-{}-Instruct": ("smollm2:{}-instruct", "135M 360M 1.7B"),
    "deepseek-ai/DeepSeek-R1-Distill-Qwen-{}": ("deepseek-r1:{}-qwen-distill", "1.5B 7B 14B 32B"),
    "deepseek-ai/DeepSeek-R1-Distill-Llama-{}": ("deepseek-r1:{}-llama-distill", "8B 70B"),
    "mistralai/Mistral-{}-Instruct-v0.3": ("mistral:{}-instruct-v0.3", "7B"),
}
_NAMES = {
    repository.format(size).casefold(): name.format(size.lower())
    for repository, (name, sizes) in _FAMILIES.items()
    for size in sizes.split()
}


class Stored(NamedTuple):
    """A model's file in the library."""

    name: str  # to pull it by
    quantization: str
    size_bytes: int
    digest: str


class _Layer(BaseModel):
    mediaType: str
    digest: str
    size: int


class _Manifest(BaseModel):
    layers: list[_Layer]


def find(repository: str, quantization: str = "") -> Stored | None:
    """What the library has of exactly this repository's model; None for nothing."""
    name = library_name(repository, quantization or QUANTIZATIONS[0])
    return _stored(name, quantization or QUANTIZATIONS[0]) if name else None


def library_name(repository: str, quantization: str) -> str:
    """The library's name for this repository's model so stored; "" where none is known."""
    name = _NAMES.get(repository.casefold(), "")
    return f"{name}-{quantization[0].lower()}{quantization[1:]}" if name else ""


def header(stored: Stored) -> Header:
    """The header of the model's file, read from its beginning."""
    model = stored.name.partition(":")[0]
    url = f"{_registry()}/v2/library/{model}/blobs/{stored.digest}"
    with outside_answer(url, silence_seconds=ANSWER_SECONDS) as answer:
        if not answer.is_success:
            raise NetworkError(f"Ollama's library answered {answer.status_code}.", "Retry later.")
        pieces = answer.iter_bytes(gguf.FIRST_READ)
        return gguf.read_header(lambda _: next(pieces, b""), stored.name)


def _stored(name: str, quantization: str) -> Stored | None:
    model, _, tag = name.partition(":")
    url = f"{_registry()}/v2/library/{model}/manifests/{tag}"
    with outside_answer(url, headers=_MANIFEST, silence_seconds=ANSWER_SECONDS) as answer:
        if not answer.is_success:
            return None
        body = b"".join(answer.iter_bytes())[:LONGEST_MANIFEST]
    try:
        layers = _Manifest.model_validate_json(body).layers
    except ValidationError:
        return None
    found = [layer for layer in layers if layer.mediaType == _MODEL]
    return Stored(name, quantization, found[0].size, found[0].digest) if found else None


def _registry() -> str:
    return (os.environ.get("BERTH_OLLAMA_REGISTRY") or REGISTRY).rstrip("/")
