"""What can be pulled, and what the side of the registry says where it cannot."""

import hashlib
import re
from dataclasses import dataclass

from tests.support.fake_ollama.store import Entry


@dataclass(frozen=True)
class Layer:
    """A file of a model."""

    digest: str  # without its sha256:
    size: int


STARTER = "hf.co/Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF:Q4_K_M"
STARTER_DIGEST = "e4d6dbc8752183eb0b20b0a33b4920173fdff4cfd396dc893d796a2bbc66d229"
MODELS: dict[str, tuple[Layer, ...]] = {
    STARTER: (
        Layer("1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32", 491_400_064),
        Layer("aeab123246c603aafb82c46ef7fab29129b37237bd2e576f961fd54b2358c86b", 171),
        Layer("d4be9355c00439d6f454ae22d79c5cf369e71b577484d190f2464d16eac6552a", 40),
        Layer("4d495dd5b6d5f0a1567d161da448c086d30f3ab808cc9e10d4787532d46fa00e", 285),
    ),
    "llama3.2:1b": (Layer("1b" * 32, 1_321_082_688), Layer("1c" * 32, 1_429)),
    "llama3.2:3b": (Layer("3b" * 32, 2_019_377_376), Layer("1c" * 32, 1_429)),
    "two-files:latest": (Layer("2a" * 32, 80_000_000), Layer("2b" * 32, 40_000_000)),
    "thinker:latest": (Layer("7c" * 32, 40_000_000),),
    "embedder:latest": (Layer("ed" * 32, 40_000_000),),
    "base:latest": (Layer("ba" * 32, 40_000_000),),
    "looker:latest": (Layer("10" * 32, 40_000_000), Layer("0c" * 32, 20_000_000)),
}
_REFUSALS = {
    "hf.co/org/gated-GGUF:Q4_K_M": 'realm host "" does not match original host "hf.co"',
    "hf.co/org/sharded-GGUF:Q4_K_M": '400: {"error":"The specified repository contains sharded'
    ' GGUF. Ollama does not support this yet."}',
    "hf.co/org/nogguf:Q4_K_M": '400: {"error":"Repository is not GGUF or is not compatible with'
    ' llama.cpp"}',
    "hf.co/org/model-GGUF:Q9_X": '400: {"error":"The specified tag is not a valid quantization'
    ' scheme."}',
}
_KINDS: dict[str, dict[str, tuple[str, ...] | str]] = {
    "thinker:latest": {"capabilities": ("completion", "thinking")},
    "embedder:latest": {"capabilities": ("embedding",)},
    "base:latest": {"template": "{{ .Prompt }}"},
    "looker:latest": {"capabilities": ("completion", "vision")},
}


def pulled(name: str) -> Entry:
    """The model that a pull leaves behind."""
    first, *_ = layers = MODELS[name]
    made_up = hashlib.sha256(name.encode()).hexdigest()
    entry = Entry(
        name=name,
        digest=STARTER_DIGEST if name == STARTER else made_up,
        size=sum(layer.size for layer in layers),
        file_digest=f"sha256:{first.digest}",
        file_size=first.size,
        parameters={"stop": '"<|im_end|>"'},
    )
    for key, value in _KINDS.get(name, {}).items():
        setattr(entry, key, value)
    return entry


def refusal(name: str) -> str | None:
    """Why there is no manifest of this name; None where there is one."""
    if name in MODELS:
        return None
    if name in _REFUSALS:
        return _REFUSALS[name]
    host = name.split("/")[0] if name.count("/") > 1 else "registry.ollama.ai"
    if host in ("hf.co", "registry.ollama.ai"):
        return "file does not exist"
    path, _, tag = name.removeprefix(f"{host}/").rpartition(":")
    url = f"https://{host}/v2/{path}/manifests/{tag}"
    if re.fullmatch(r"[\d.]+(:\d+)?", host):  # speaks no TLS
        return f'Get "{url}": EOF'
    return f'Get "{url}": dial tcp: lookup {host} on 192.0.2.53:53: no such host'
