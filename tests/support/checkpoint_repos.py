"""Safetensors repositories on the fake Hub and on disk, whose weights are promised alone."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.support.fake_hub import Manner
from tests.support.hub_api import HubApi
from tests.support.safetensors_files import Shapes, divided, header_of, weights_of, write_hollow

TOKENIZER = {"tokenizer.json": {"version": "1.0"}, "tokenizer_config.json": {"eos_token": "</s>"}}


def add_checkpoint(
    hub: HubApi,
    repo: str,
    config: Mapping[str, Any],
    shapes: Shapes,
    parts: int = 1,
    extra: Mapping[str, Any] | None = None,
    manner: Manner | None = None,
    **card: Any,
) -> None:
    """A repository with these tensors in so many files; of each only the header is served."""
    hub.copy_repository("acme/Anvil-1B", repo, siblings=[], **card)
    for name, value in {"config.json": config, **TOKENIZER, **(extra or {})}.items():
        hub.add_small_file(repo, name, json.dumps(value).encode())
    for name, some in weight_files(shapes, parts).items():
        beginning = header_of(some)
        hub.add_file(repo, name, beginning, manner, size=len(beginning) + weights_of(some))


def write_checkpoint(
    folder: Path,
    config: Mapping[str, Any],
    shapes: Shapes,
    parts: int = 1,
    extra: Mapping[str, Any] | None = None,
) -> Path:
    """The same in a folder; the weights are holes in the disk."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, value in {"config.json": config, **TOKENIZER, **(extra or {})}.items():
        (folder / name).write_text(json.dumps(value), encoding="utf-8")
    for name, some in weight_files(shapes, parts).items():
        write_hollow(folder / name, some)
    return folder


def weight_files(shapes: Shapes, parts: int) -> dict[str, Shapes]:
    """The files and what lies in each, named as they are on the Hub."""
    if parts == 1:
        return {"model.safetensors": shapes}
    some = divided(shapes, parts)
    return {f"model-{n:05d}-of-{len(some):05d}.safetensors": s for n, s in enumerate(some, 1)}
