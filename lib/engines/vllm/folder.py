"""What the files of a model on this machine say about it, as far as a list of models needs it."""

import math
import re
from functools import lru_cache
from pathlib import Path
from typing import Any

from lib.core.files import read_json
from lib.core.values import Frozen
from lib.engines.base import Sampling

# Of vLLM's SamplingParams; it takes what the model's makers advise before them.
USUAL = {"temperature": 1.0, "top_p": 1.0, "top_k": 0, "min_p": 0.0, "repetition_penalty": 1.0}
LARGEST_CONFIG = 4 * 2**20
_ODD = re.compile(r"[^A-Za-z0-9]+")
_TEMPLATES = ("chat_template.jinja", "chat_template.json")
_SIGHT = ("vision_config", "vision_tower", "visual", "mm_vision_tower", "image_token_id")


class Facts(Frozen):
    """What does not change while the folder stays the same."""

    size_bytes: int | None = None
    quantization: str = ""
    context_trained: int | None = None
    can_chat: bool = True
    can_see: bool = False


def facts(folder: Path) -> Facts:
    """Those of a folder; where it cannot be read, nothing is known and nothing is denied."""
    try:
        changed_at = (folder / "config.json").stat().st_mtime_ns
    except OSError:
        return Facts()
    return _facts(folder, changed_at)


@lru_cache(maxsize=128)
def _facts(folder: Path, _changed_at: int) -> Facts:
    config = _read(folder / "config.json")
    text = config.get("text_config")
    inner = text if isinstance(text, dict) else config
    context = inner.get("max_position_embeddings") or config.get("max_position_embeddings")
    return Facts(
        size_bytes=_size(folder),
        quantization=_quantization({**config, **inner} if inner is not config else config),
        context_trained=context if isinstance(context, int) else None,
        can_chat=_has_template(folder),
        can_see=any(config.get(name) for name in _SIGHT),
    )


def sampling(folder: Path) -> Sampling:
    """How vLLM draws a reply where nobody chooses; nothing is known where no model lies there."""
    if not (folder / "config.json").is_file():
        return Sampling()
    told = {**USUAL, **_advised(_read(folder / "generation_config.json"))}
    return Sampling(repeat_penalty=told.pop("repetition_penalty"), **told)


def _advised(config: dict[str, Any]) -> dict[str, Any]:
    """The numbers among its settings, as vLLM reads them: it samples, whatever `do_sample` says."""
    return {
        name: value
        for name in USUAL
        if isinstance(value := config.get(name), int | float)
        and not isinstance(value, bool)
        and math.isfinite(value)
    }


def _read(path: Path) -> dict[str, Any]:
    """A JSON object; {} where it is absent, something else or too large to be one."""
    try:
        is_small = path.stat().st_size <= LARGEST_CONFIG
    except OSError:
        return {}
    found = read_json(path) if is_small else None
    return found if isinstance(found, dict) else {}


def _size(folder: Path) -> int | None:
    try:
        sizes = [path.stat().st_size for path in folder.iterdir() if path.suffix == ".safetensors"]
    except OSError:
        return None
    return sum(sizes) or None


def _quantization(config: dict[str, Any]) -> str:
    """`AWQ 4-bit`, `FP8`, `BF16`."""
    told = config.get("quantization_config")
    if isinstance(told, dict):
        method = _ODD.sub(" ", str(told.get("quant_method") or "quantized"))[:30].strip()
        bits = told.get("bits")
        return f"{method.upper()} {bits}-bit" if isinstance(bits, int) else method.upper()
    kind = str(config.get("dtype") or config.get("torch_dtype") or "")
    return {"bfloat16": "BF16", "float16": "F16", "float32": "F32"}.get(kind, "")


def _has_template(folder: Path) -> bool:
    """In a file of its own, or in the tokenizer's."""
    if any((folder / name).is_file() for name in _TEMPLATES):
        return True
    return bool(_read(folder / "tokenizer_config.json").get("chat_template"))
