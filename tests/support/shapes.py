"""Repositories on the test Hub whose models are as large as a test wishes, of a few KB each."""

import tempfile
from collections.abc import Mapping
from pathlib import Path

from tests.support.blueprints_dense import dense
from tests.support.headers import write
from tests.support.hub_api import HubApi

PATTERN = "acme/Anvil-1B-GGUF"
CONTEXT_BYTES = 16_384  # that the cache takes per token of context


def header_bytes() -> bytes:
    """The beginning of a small Llama's file."""
    shape = dense(
        layers=8, width=512, forward=1024, heads=8, kv=4, vocabulary=4_096, length=128, tied=True
    )
    with tempfile.TemporaryDirectory() as folder:
        return write(Path(folder) / "small.gguf", shape).read_bytes()[:65_536]


def add_model(hub: HubApi, repo: str, sizes: Mapping[str, int]) -> None:
    """A repository with one file per quantization, of these sizes in bytes."""
    hub.copy_repository(PATTERN, repo, siblings=[])
    name, data = repo.partition("/")[2].removesuffix("-GGUF"), header_bytes()
    for quantization, size in sizes.items():
        hub.add_file(repo, f"{name}-{quantization}.gguf", data, size=size)
