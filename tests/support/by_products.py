"""Small GGUF files of what goes beside a model, with the headers that such files have."""

from pathlib import Path

import gguf
import numpy as np

from tests.support.tiny_gguf import write_tiny
from tests.support.tiny_projector import write_projector

WIDTH = 32
KINDS = ("projector", "adapter", "importance", "drafter", "layers", "control", "vocabulary", "vae")


def write_by_product(path: Path, kind: str) -> Path:
    """A file of this kind; the weights are few and mean nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if kind == "projector":
        return write_projector(path)
    architecture = {"importance": "imatrix", "drafter": "eagle3", "control": "controlvector"}
    writer = gguf.GGUFWriter(path, architecture.get(kind, "llama"))
    _describe(writer, kind)
    for name in _tensors(kind):
        writer.add_tensor(name, np.ones((WIDTH, WIDTH), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    if kind == "vae":  # image tools write no architecture at all, or one of their own
        path.write_bytes(
            path.read_bytes().replace(b"general.architecture", b"general.architektura", 1)
        )
    return path


def _describe(writer: gguf.GGUFWriter, kind: str) -> None:
    if kind == "adapter":
        writer.add_type(gguf.GGUFType.ADAPTER)
        writer.add_string("adapter.type", "lora")
    elif kind == "importance":
        writer.add_type(gguf.GGUFType.IMATRIX)
    elif kind == "layers":
        writer.add_block_count(33)
        writer.add_uint32("llama.nextn_predict_layers", 1)


def _tensors(kind: str) -> list[str]:
    return {
        "adapter": ["blk.0.attn_q.weight.lora_a", "blk.0.attn_q.weight.lora_b"],
        "importance": ["blk.0.attn_q.weight.in_sum2", "blk.0.attn_q.weight.counts"],
        "drafter": ["fc.weight", "blk.0.attn_q.weight"],
        "layers": ["blk.32.nextn.eh_proj.weight", "blk.32.attn_q.weight"],
        "control": ["direction.1", "direction.2"],
        "vocabulary": [],
        "vae": ["decoder.conv_in.weight"],
    }[kind]


def write_model(path: Path) -> Path:
    """A whole model, whatever its name says."""
    return write_tiny(path)[0]
